"""A key that lives elsewhere: a transit engine over HTTP, as Vault's API documentation shows it."""

import base64
import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization

from core import signing
from core.signing import load_private, new_private

AT = datetime(2026, 11, 17, tzinfo=UTC)


class Engine(HTTPServer):
    """A stand-in for the engine: it keeps keys by version and signs with them."""

    keys: dict[int, Any]
    algorithm = signing.ES256
    down = False

    def described(self) -> dict[str, Any]:
        return {str(number): {"public_key": self.text(key)} for number, key in self.keys.items()}

    def text(self, key: Any) -> str:
        if self.algorithm == signing.EDDSA:
            raw = key.public_key().public_bytes(
                serialization.Encoding.Raw, serialization.PublicFormat.Raw
            )
            return base64.b64encode(raw).decode()
        form = serialization.PublicFormat.SubjectPublicKeyInfo
        return str(key.public_key().public_bytes(serialization.Encoding.PEM, form).decode())

    def signed(self, wish: dict[str, Any]) -> str:
        raw = signing._raw_signature(
            self.keys[wish["key_version"]], base64.b64decode(wish["input"])
        )
        if self.algorithm == signing.EDDSA:
            return base64.b64encode(raw).decode()
        assert wish["marshaling_algorithm"] == "jws"
        return signing.encoded(raw)


class Door(BaseHTTPRequestHandler):
    """The two addresses that are asked, for who shows the token."""

    server: Engine

    def do_GET(self) -> None:
        self._answer({"keys": self.server.described()}, self.path == "/v1/transit/keys/sweeps")

    def do_POST(self) -> None:
        wish = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        text = f"vault:v{wish['key_version']}:{self.server.signed(wish)}"
        self._answer({"signature": text}, self.path == "/v1/transit/sign/sweeps")

    def _answer(self, data: dict[str, Any], known: bool) -> None:
        allowed = known and self.headers["X-Vault-Token"] == "token" and not self.server.down
        self.send_response(200 if allowed else 403)
        self.end_headers()
        self.wfile.write(json.dumps({"data": data if allowed else None}).encode())

    def log_message(self, *_args: Any) -> None:
        """Keep quiet."""


@pytest.fixture(params=signing.ALGORITHMS)
def engine(request: pytest.FixtureRequest, settings: Any) -> Iterator[Engine]:
    server = Engine(("127.0.0.1", 0), Door)
    server.algorithm = request.param
    server.keys = {1: load_private(new_private(request.param))}
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    settings.TMS_SIGNING_PROVIDER = "transit"
    settings.TMS_TRANSIT_URL = f"http://127.0.0.1:{server.server_port}"
    settings.TMS_TRANSIT_TOKEN, settings.TMS_TRANSIT_KEY = "token", "sweeps"
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_the_engine_signs_and_every_version_verifies(engine: Engine) -> None:
    first = signing.sign_compact(b"{}", header={"typ": "x", "exp": 2**31})
    engine.keys[2] = load_private(new_private(engine.algorithm))
    second = signing.sign_compact(b"{}", header={"typ": "x", "exp": 2**31})
    assert (first.key_id, second.key_id) == ("transit:sweeps:1", "transit:sweeps:2")
    for token in (first, second):
        assert signing.verify_compact(token.compact, at=AT, typ="x")[1] == b"{}"


def test_a_version_that_is_gone_verifies_nothing(engine: Engine) -> None:
    """The negative control: the same token, and the key that signed it is not published."""
    token = signing.sign_compact(b"{}", header={"typ": "x", "exp": 2**31})
    engine.keys = {2: load_private(new_private(engine.algorithm))}
    with pytest.raises(signing.SignatureRefused):
        signing.verify_compact(token.compact, at=AT, typ="x")


def test_an_engine_that_refuses_can_be_asked_again(engine: Engine, settings: Any) -> None:
    engine.down = True
    with pytest.raises(signing.SignerUnavailable):
        signing.sign_compact(b"{}", header={})
    engine.down = False
    settings.TMS_TRANSIT_TOKEN = "another"
    with pytest.raises(signing.SignerUnavailable):
        signing.sign_compact(b"{}", header={})
