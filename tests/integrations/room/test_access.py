"""Who calls over HTTP: tokens that are cached, renewed and never shown; client certificates."""

import base64
import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from integrations.channels import LineSettings, NotSent, Unreachable
from integrations.channels.access import ClientCredentials
from integrations.channels.http import HttpChannel
from integrations.errors import LineMisconfigured
from integrations.services.connections import ConnectionIn, check_connection
from tests.integrations.room.scripted_bank import Asked, Says, ScriptedBank, scripted
from tests.integrations.room.test_sftp import order


@pytest.fixture(autouse=True)
def no_tokens() -> None:
    ClientCredentials._tokens.clear()


class TokenBank:
    """Gives numbered tokens out and takes only the newest."""

    def __init__(self, *, seconds: int = 600) -> None:
        self.seconds, self.given, self.gives = seconds, 0, True

    def __call__(self, asked: Asked) -> Says:
        if asked.path == "/token":
            return self._token(asked)
        if asked.headers.get("authorization") != f"Bearer token-{self.given}":
            return Says(status=401)
        if asked.path == "/payments":
            body = {"message_id": "M1", "receipt_id": 1}
            return Says(status=202, body=json.dumps(body).encode())
        return Says(body=b'{"messages": []}')

    def _token(self, asked: Asked) -> Says:
        who = base64.b64encode(b"us:secret").decode()
        if asked.headers.get("authorization") != f"Basic {who}" or not self.gives:
            return Says(status=401, body=b'{"error": "invalid_client"}')
        assert asked.body == b"grant_type=client_credentials&scope=payments"
        self.given += 1
        facts = {
            "access_token": f"token-{self.given}",
            "token_type": "Bearer",
            "expires_in": self.seconds,
        }
        return Says(body=json.dumps(facts).encode())


def line_to(bank: ScriptedBank, **changes: Any) -> LineSettings:
    facts: dict[str, Any] = {
        "code": "bank",
        "kind": "HTTP",
        "base_url": bank.url,
        "access": "OAUTH2",
        "username": "us",
        "secret": "secret",
        "token_url": f"{bank.url}/token",
        "token_scope": "payments",
        "connect_timeout_seconds": 2.0,
        "read_timeout_seconds": 2.0,
    }
    return LineSettings(**{**facts, **changes})


@contextmanager
def channel_to(line: LineSettings) -> Iterator[HttpChannel]:
    channel = HttpChannel(line, pause=lambda _seconds: None)
    try:
        yield channel
    finally:
        channel.close()


def asked_tokens(bank: ScriptedBank) -> int:
    return sum(one.path == "/token" for one in bank.asked)


def test_one_token_serves_many_calls_and_channels() -> None:
    with scripted(TokenBank()) as bank:
        for _ in range(2):
            with channel_to(line_to(bank)) as line:
                assert list(line.collect("")) == []
                assert line.send(order()).bank_reference == "1"
        assert asked_tokens(bank) == 1


def test_a_token_is_renewed_before_it_runs_out() -> None:
    with scripted(TokenBank(seconds=5)) as bank, channel_to(line_to(bank)) as line:
        list(line.collect(""))
        list(line.collect(""))
        assert asked_tokens(bank) == 2


def test_a_token_that_the_bank_withdrew_is_renewed_for_a_question() -> None:
    rules = TokenBank()
    with scripted(rules) as bank, channel_to(line_to(bank)) as line:
        list(line.collect(""))
        rules.given += 1
        list(line.collect(""))
        assert asked_tokens(bank) == 2


def test_a_payment_with_a_withdrawn_token_was_not_sent_and_passes_next_time() -> None:
    rules = TokenBank()
    with scripted(rules) as bank, channel_to(line_to(bank)) as line:
        list(line.collect(""))
        rules.given += 1
        with pytest.raises(NotSent, match="401"):
            line.send(order())
        assert line.send(order()).bank_reference == "1"


def test_without_a_token_nothing_is_sent_and_no_secret_is_told() -> None:
    rules = TokenBank()
    rules.gives = False
    with scripted(rules) as bank, channel_to(line_to(bank)) as line:
        with pytest.raises(NotSent, match="no token") as refusal:
            line.send(order())
        assert "secret" not in str(refusal.value)
        assert [one.path for one in bank.asked] == ["/token"]
        with pytest.raises(Unreachable, match="no token"):
            list(line.collect(""))


def test_an_answer_that_is_no_token_is_refused() -> None:
    says = Says(body=b'{"token_type": "Bearer"}')
    with (
        scripted(lambda _: says) as bank,
        channel_to(line_to(bank)) as line,
        pytest.raises(NotSent, match="no bearer token"),
    ):
        line.send(order())


# Certificates


def _certificate(name: str, signer: Any = None) -> tuple[Any, Any, str, str]:
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    issuer, issuer_key = (signer[0].subject, signer[1]) if signer else (subject, key)
    now = datetime.now(UTC)  # noqa: TID251 - the standard library checks it against the real time
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=signer is None, path_length=None), critical=True)
    )
    certificate = builder.sign(issuer_key, hashes.SHA256())
    pem = certificate.public_bytes(serialization.Encoding.PEM).decode()
    key_pem = key.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.NoEncryption(),
    ).decode()
    return certificate, key, pem, key_pem


class Quiet(BaseHTTPRequestHandler):
    """Answers a health question."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *_args: Any) -> None:
        """Stay quiet."""


@contextmanager
def tls_bank(folder: Path, authority: str, pem: str, key: str) -> Iterator[str]:
    for name, text in (("ca.pem", authority), ("server.pem", pem + key)):
        (folder / name).write_text(text)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.pem")
    context.load_verify_locations(folder / "ca.pem")
    context.verify_mode = ssl.CERT_REQUIRED
    server = ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]
    server.daemon_threads = True
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"https://localhost:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(timeout=10)


def test_a_client_certificate_opens_the_line_and_nothing_else_does(tmp_path: Path) -> None:
    authority = _certificate("authority")
    _, _, server_pem, server_key = _certificate("localhost", authority)
    _, _, our_pem, our_key = _certificate("treasury", authority)
    _, _, strange_pem, strange_key = _certificate("stranger")
    facts: dict[str, Any] = {"code": "bank", "kind": "HTTP", "access": "MTLS"}
    facts |= {"connect_timeout_seconds": 2.0, "read_timeout_seconds": 2.0}
    with tls_bank(tmp_path, authority[2], server_pem, server_key) as url:
        ours: dict[str, Any] = {"client_certificate": our_pem, "secret": our_key}
        theirs: dict[str, Any] = {"client_certificate": strange_pem, "secret": strange_key}
        trusted: dict[str, Any] = {**facts, "base_url": url, "server_trust": authority[2]}
        with channel_to(LineSettings(**trusted, **ours)) as line:
            assert "200" in line.probe()
        with channel_to(LineSettings(**trusted, **theirs)) as line, pytest.raises(Unreachable):
            line.probe()
        untrusted: dict[str, Any] = {**facts, **ours, "base_url": url, "server_trust": strange_pem}
        with channel_to(LineSettings(**untrusted)) as line, pytest.raises(Unreachable):
            line.probe()


def test_a_key_that_does_not_belong_to_its_certificate_is_said() -> None:
    _, _, pem, _ = _certificate("one")
    _, _, _, other_key = _certificate("two")
    line = LineSettings(
        code="bank",
        kind="HTTP",
        base_url="https://localhost",
        access="MTLS",
        client_certificate=pem,
        secret=other_key,
    )
    with pytest.raises(Unreachable, match="cannot be used"):
        HttpChannel(line)


@pytest.mark.parametrize("field", ["client_certificate", "server_trust"])
def test_a_private_key_among_the_certificates_is_refused(field: str) -> None:
    """Certificates are shown, and kept for ever in history and audit trail; keys are not."""
    _, _, pem, key = _certificate("one")
    facts: dict[str, Any] = {"base_url": "https://localhost", "access": "MTLS"}
    facts["client_certificate"] = pem
    plain = ConnectionIn(code="bank", name="Bank", kind="HTTP", **facts)
    check_connection(wish=plain)
    both: dict[str, Any] = {field: f"{pem}\n{key}"}
    with pytest.raises(LineMisconfigured, match="private key") as refusal:
        check_connection(wish=replace(plain, **both))
    assert refusal.value.context["field"] == field
