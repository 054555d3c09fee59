"""Heads of the chain, signed, in an append-only file outside the database.

A chain alone does not show that its tail was cut; an anchor line remembers how far it reached. A
line is `tenant sequence head time key signature`: Ed25519 over everything before the last space,
so that anybody with the public key can check it and nobody without the private key can make one.
Lines without a key id come from before there was a key pair; they carry an HMAC-SHA256.
"""

import hmac
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from django.conf import settings

from core import clock

HMAC_FIELDS: Final = 4
SIGNED_FIELDS: Final = 5
KEY_ID_CHARS: Final = 16
_TAIL_BYTES: Final = 4_096


@dataclass(frozen=True, slots=True, kw_only=True)
class Anchor:
    """One line of the file: how far the chain reached, and its head there."""

    sequence: int
    head: str


def anchor_path(tenant: UUID) -> Path:
    """Return the anchor file of `tenant`, outside the database."""
    return Path(settings.TMS_AUDIT_ANCHOR_DIR) / f"{tenant}.anchor"


@cache
def _signer(seed: bytes) -> Ed25519PrivateKey:
    return Ed25519PrivateKey.from_private_bytes(seed)


def public_key() -> str:
    """Return the public half of this installation's signing key, in hex."""
    return _signer(settings.TMS_AUDIT_SIGNING_KEY).public_key().public_bytes_raw().hex()


def key_id(public: str) -> str:
    """Return the short name of a public key: the start of its sha256."""
    return sha256(bytes.fromhex(public)).hexdigest()[:KEY_ID_CHARS]


def sign(text: str) -> str:
    """Return the Ed25519 signature of a text, in hex."""
    return _signer(settings.TMS_AUDIT_SIGNING_KEY).sign(text.encode()).hex()


def _known_keys() -> dict[str, str]:
    """Return every public key that may have signed, by its id."""
    return {key_id(key): key for key in (public_key(), *settings.TMS_AUDIT_RETIRED_KEYS)}


def append_anchor(*, tenant: UUID, sequence: int, head: str) -> None:
    """Append one signed line, on disk when this returns; leave the public key beside it."""
    path = anchor_path(tenant)
    path.parent.mkdir(parents=True, exist_ok=True)
    public = public_key()
    exported = path.parent / f"{key_id(public)}.pub"
    if not exported.exists():
        exported.write_text(f"{public}\n", encoding="ascii")
    text = f"{tenant} {sequence} {head} {clock.now().isoformat()} {key_id(public)}"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text} {sign(text)}\n")
        file.flush()
        os.fsync(file.fileno())


def anchored_heads(tenant: UUID) -> Iterator[Anchor | None]:
    """Yield an anchor for every line, None for a line that is not signed by us."""
    keys = _known_keys()
    for line in anchor_lines(tenant):
        text, _, signature = line.rpartition(" ")
        fields = text.split(" ")
        is_ours = fields[0] == str(tenant) and _is_signed(text, fields, signature, keys)
        yield Anchor(sequence=int(fields[1]), head=fields[2]) if is_ours else None


def anchor_lines(tenant: UUID) -> list[str]:
    """Return the lines of the file as they stand there; none when there is no file."""
    path = anchor_path(tenant)
    if not path.exists():
        return []
    return path.read_text(encoding="utf-8", errors="replace").splitlines()


def last_anchored(tenant: UUID) -> int:
    """Return the sequence that the last line of the file names, 0 without one."""
    path = anchor_path(tenant)
    if not path.exists():
        return 0
    with path.open("rb") as file:
        file.seek(max(0, path.stat().st_size - _TAIL_BYTES))
        lines = file.read().splitlines()
    fields = lines[-1].split(b" ") if lines else []
    return int(fields[1]) if len(fields) > HMAC_FIELDS and fields[1].isdigit() else 0


def _is_signed(text: str, fields: list[str], signature: str, keys: dict[str, str]) -> bool:
    if len(fields) == HMAC_FIELDS:
        key = settings.TMS_AUDIT_ANCHOR_KEY.encode()
        expected = hmac.new(key, text.encode(), sha256).hexdigest()
        return hmac.compare_digest(signature.encode(), expected.encode())
    public = keys.get(fields[-1]) if len(fields) == SIGNED_FIELDS else None
    return public is not None and _verifies(public, text, signature)


def _verifies(public: str, text: str, signature: str) -> bool:
    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(public))
        key.verify(bytes.fromhex(signature), text.encode())
    except (InvalidSignature, ValueError):
        return False
    return True
