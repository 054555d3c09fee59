"""What a backup says about itself, signed with a key that is not in the database."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from tms.ops.backup.errors import BackupDamaged, KeysDiffer

FORMAT: Final = 1
CHUNK_BYTES: Final = 1024 * 1024
MANIFEST: Final = "manifest.json"
DUMP: Final = "database.dump"
ANCHORS: Final = "anchors/"


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """Versions, checksums and the heads that a restored copy must show again.

    `key_check` is a keyed digest of nothing: it tells whether the secrets at hand are the ones
    that encrypted the columns, and reveals nothing about them.
    """

    format: int
    made_at: str
    database: str
    server_version: str
    migrations: dict[str, str]
    tenants: int
    key_check: str
    checksums: dict[str, str]
    sizes: dict[str, int]

    @property
    def made(self) -> datetime:
        """Return when the backup was begun: what came later is not in it."""
        return datetime.fromisoformat(self.made_at)

    def as_signed(self) -> bytes:
        """Return the manifest as it is stored, with its signature."""
        text = json.dumps(asdict(self), sort_keys=True, indent=1)
        return json.dumps({"manifest": text, "signature": _signature(text)}).encode()


def read_signed(stored: bytes) -> Manifest:
    """Return a stored manifest, if it is ours.

    Raises:
        BackupDamaged: it cannot be read, or its signature is not ours.
    """
    try:
        envelope: Mapping[str, Any] = json.loads(stored)
        text, signature = str(envelope["manifest"]), str(envelope["signature"])
        fits = hmac.compare_digest(signature, _signature(text))
        manifest = Manifest(**json.loads(text)) if fits else None
    except (ValueError, KeyError, TypeError) as error:
        raise BackupDamaged("The manifest cannot be read.") from error
    if manifest is None:
        raise BackupDamaged("The manifest was changed, or signed with another anchor key.")
    if manifest.format != FORMAT:
        raise BackupDamaged(f"The backup has format {manifest.format}, {FORMAT} is read here.")
    return manifest


def check_keys(manifest: Manifest) -> None:
    """Make sure that the secrets at hand can read the encrypted columns.

    Raises:
        KeysDiffer: they cannot.
    """
    if not hmac.compare_digest(manifest.key_check, key_check()):
        raise KeysDiffer(
            "The backup was made with another field or index key: put the secrets of that"
            " installation in place first."
        )


def key_check() -> str:
    """Return a digest that only the same field and index keys give."""
    index_key = hashlib.sha256(settings.TMS_INDEX_KEY.encode()).digest()
    return hmac.new(settings.TMS_FIELD_KEY + index_key, b"key check", hashlib.sha256).hexdigest()


def checksum(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def _signature(text: str) -> str:
    key = settings.TMS_AUDIT_ANCHOR_KEY.encode()
    return hmac.new(key, b"backup manifest\n" + text.encode(), hashlib.sha256).hexdigest()
