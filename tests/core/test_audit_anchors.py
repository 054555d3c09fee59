"""Heads leave the database signed; whoever keeps them finds a cut tail and a forged line."""

import hmac
import json
import sys
from collections.abc import Iterator
from hashlib import sha256
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, ClassVar
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.test import Client

from core import policies
from core.audit import anchors, chain, witness
from core.audit.models import AuditLink
from core.tenancy import bound
from tests.core.audited import KNOB


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path: Path, settings: Any) -> Path:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"
    return tmp_path / "anchor"


def grow(tenant: UUID, *values: int) -> None:
    """Change a policy once per value and seal after each."""
    for value in values:
        with bound(tenant, actor="system:test"):
            policies.change(policy=KNOB, value=value, actor=None, reason="a test")
        chain.seal(tenant=tenant)


def codes(tenant: UUID) -> set[str]:
    return {fault.code for fault in chain.verify(tenant=tenant).faults}


def test_every_line_is_signed_and_the_public_key_lies_beside_it(
    committed_tenant: UUID, anchor_dir: Path
) -> None:
    grow(committed_tenant, 1, 2)
    lines = anchors.anchor_lines(committed_tenant)
    assert len(lines) == 2
    assert [path.read_text().strip() for path in anchor_dir.glob("*.pub")] == [anchors.public_key()]
    assert codes(committed_tenant) == set()


def test_a_line_of_another_key_is_not_ours(committed_tenant: UUID, settings: Any) -> None:
    grow(committed_tenant, 1)
    settings.TMS_AUDIT_SIGNING_KEY = b"x" * 32
    grow(committed_tenant, 2)
    settings.TMS_AUDIT_SIGNING_KEY = b"y" * 32
    assert codes(committed_tenant) == {"anchor_signature", "anchor_missing"}


def test_a_retired_key_still_verifies_what_it_signed(committed_tenant: UUID, settings: Any) -> None:
    grow(committed_tenant, 1)
    settings.TMS_AUDIT_RETIRED_KEYS = [anchors.public_key()]
    settings.TMS_AUDIT_SIGNING_KEY = Ed25519PrivateKey.generate().private_bytes_raw()
    grow(committed_tenant, 2)
    assert codes(committed_tenant) == set()


def test_lines_from_before_the_key_pair_still_verify(committed_tenant: UUID, settings: Any) -> None:
    grow(committed_tenant, 1)
    with bound(committed_tenant):
        link = AuditLink.objects.latest("sequence")
    text = f"{committed_tenant} {link.sequence} {link.hash} 2026-01-01T00:00:00+00:00"
    key = settings.TMS_AUDIT_ANCHOR_KEY.encode()
    path = anchors.anchor_path(committed_tenant)
    path.write_text(f"{text} {hmac.new(key, text.encode(), sha256).hexdigest()}\n")
    assert codes(committed_tenant) == set()
    path.write_text(f"{text} {'0' * 64}\n")
    assert codes(committed_tenant) == {"anchor_signature", "anchor_missing"}


def test_a_sealer_that_died_before_its_anchor_is_made_up_for(committed_tenant: UUID) -> None:
    grow(committed_tenant, 1, 2)
    path = anchors.anchor_path(committed_tenant)
    path.write_text(path.read_text().splitlines(keepends=True)[0])
    assert chain.seal(tenant=committed_tenant) == 0
    with bound(committed_tenant):
        last = AuditLink.objects.latest("sequence").sequence
    assert anchors.last_anchored(committed_tenant) == last


def test_more_than_one_batch_is_sealed_at_once(
    committed_tenant: UUID, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(chain, "SEAL_BATCH_MAX", 2)
    with bound(committed_tenant, actor="system:test"):
        for value in range(5):
            policies.change(policy=KNOB, value=value, actor=None, reason="a test")
    assert chain.seal_all(tenant=committed_tenant) >= 5
    assert codes(committed_tenant) == set()


def test_a_command_is_handed_every_line_once(
    committed_tenant: UUID, settings: Any, tmp_path: Path
) -> None:
    kept = tmp_path / "kept"
    script = f"import sys; open({str(kept)!r}, 'a').write(sys.stdin.read())"
    settings.TMS_AUDIT_WITNESS = f'{sys.executable} -c "{script}"'
    grow(committed_tenant, 1, 2)
    assert witness.tell(tenant=committed_tenant) == 2
    assert witness.tell(tenant=committed_tenant) == 0
    grow(committed_tenant, 3)
    assert witness.tell(tenant=committed_tenant) == 1
    assert kept.read_text().splitlines() == anchors.anchor_lines(committed_tenant)


def test_a_failing_witness_shows_in_health_and_never_blocks(
    committed_tenant: UUID, settings: Any
) -> None:
    settings.TMS_AUDIT_WITNESS = f"{sys.executable} -c 'raise SystemExit(3)'"
    grow(committed_tenant, 1)
    assert witness.tell(tenant=committed_tenant) == 0
    assert witness.progress(committed_tenant).last_error == "exit code 3"
    health = Client().get("/health").json()
    assert health["components"]["audit_witness"]["status"] == "degraded"
    assert codes(committed_tenant) == set()
    settings.TMS_AUDIT_WITNESS = f"{sys.executable} -c ''"
    assert witness.tell(tenant=committed_tenant) == 1
    assert Client().get("/health").json()["components"]["audit_witness"]["status"] == "ok"


def test_without_a_witness_nothing_is_sent(committed_tenant: UUID) -> None:
    grow(committed_tenant, 1)
    assert witness.tell(tenant=committed_tenant) == 0


class _Keeper(BaseHTTPRequestHandler):
    """A witness behind an address."""

    kept: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        """Keep the lines."""
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        self.kept.extend(body.splitlines())
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its signature
        """Say nothing."""


@pytest.fixture
def keeper() -> Iterator[str]:
    server = HTTPServer(("127.0.0.1", 0), _Keeper)
    thread = Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/heads"
    server.shutdown()
    thread.join()
    server.server_close()


def test_an_address_is_handed_every_line(
    committed_tenant: UUID, settings: Any, keeper: str
) -> None:
    settings.TMS_AUDIT_WITNESS = keeper
    grow(committed_tenant, 1, 2)
    assert witness.tell(tenant=committed_tenant) == 2
    assert _Keeper.kept == anchors.anchor_lines(committed_tenant)
    assert json.loads(witness.progress_path(committed_tenant).read_text())["lines_count"] == 2
