"""Export the trail of one tenant so that an auditor can verify it without this system.

The entries are written exactly as they were hashed, one a line; the links, the anchor lines and
the public keys lie beside them, and a signed manifest names the sha256 of each file. Verify it
with `verifier/verify.py`, which needs nothing of ours.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from core import clock
from core.audit import anchors, chain
from core.audit.models import AuditLink
from core.errors import Invalid
from core.tenancy import bound

FORMAT: Final = "tms-audit-export/1"
ENTRIES, LINKS, ANCHORS = "entries.jsonl", "links.txt", "anchors.txt"
KEYS, MANIFEST, SIGNATURE = "public-keys.txt", "manifest.json", "manifest.sig"
_DAY_CHARS: Final = 10

_SPAN = """
    SELECT min(l.sequence), max(l.sequence)
      FROM core_auditlink l JOIN core_auditentry e ON e.id = l.entry_id
     WHERE e.at >= coalesce(%s, '-infinity'::timestamptz)
       AND e.at < coalesce(%s, 'infinity'::timestamptz)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Export:
    """What was written, and what to compare it with."""

    folder: Path
    entries_count: int
    first_sequence: int
    last_sequence: int
    head: str
    is_complete: bool
    public_key: str


def export(
    *, tenant: UUID, folder: Path, since: datetime | None = None, until: datetime | None = None
) -> Export:
    """Seal what waits, then write the links whose entries lie in [since, until) into `folder`.

    Raises:
        Invalid: the folder holds something, or the period holds no entry.
    """
    if folder.exists() and any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty; an export goes into a folder of its own.")
    chain.seal_all(tenant=tenant)
    folder.mkdir(parents=True, exist_ok=True)
    with bound(tenant, actor="system:audit-export"):
        first, last = _span(since, until)
        end = AuditLink.objects.latest("sequence")
        # A fresh line at the very end: the period's last day is then covered by a signature.
        anchors.append_anchor(tenant=tenant, sequence=end.sequence, head=end.hash)
        previous = _hash_at(first - 1)
        _write_chain(folder, first, last)
    _write_text(folder / ANCHORS, _thinned(anchors.anchor_lines(tenant), last))
    _write_text(folder / KEYS, [anchors.public_key(), *settings.TMS_AUDIT_RETIRED_KEYS])
    made = Export(
        folder=folder,
        entries_count=last - first + 1,
        first_sequence=first,
        last_sequence=last,
        head=_last_hash(folder),
        is_complete=last == end.sequence,
        public_key=anchors.public_key(),
    )
    _write_manifest(made, tenant=tenant, previous=previous, period=(since, until))
    return made


def _span(since: datetime | None, until: datetime | None) -> tuple[int, int]:
    with connection.cursor() as cursor:
        cursor.execute(_SPAN, [since, until])
        first, last = cursor.fetchone()
    if first is None:
        raise Invalid("The trail holds no sealed entry in this period.")
    return first, last


def _hash_at(sequence: int) -> str:
    found = AuditLink.objects.filter(sequence=sequence).first()
    return found.hash if found else chain.GENESIS


def _write_chain(folder: Path, first: int, last: int) -> None:
    """Write entries and links side by side; a deleted entry leaves an empty line to be found."""
    with (
        (folder / ENTRIES).open("w", encoding="utf-8", newline="\n") as entries,
        (folder / LINKS).open("w", encoding="ascii", newline="\n") as links,
    ):
        for sequence, entry_id, link, text in chain.read_chain(after=first - 1):
            if sequence > last:
                return
            entries.write(f"{text or ''}\n")
            links.write(f"{sequence} {entry_id} {link}\n")


def _last_hash(folder: Path) -> str:
    *_, last = (folder / LINKS).read_text(encoding="ascii").splitlines()
    return last.rpartition(" ")[2]


def _thinned(lines: list[str], last: int) -> list[str]:
    """Keep the last line of each day and the last of all: each covers everything before it."""
    kept: dict[str, str] = {}
    for line in lines:
        fields = line.split(" ")
        if len(fields) > anchors.HMAC_FIELDS:
            is_inside = fields[1].isdigit() and int(fields[1]) <= last
            kept[f"{is_inside}{fields[3][:_DAY_CHARS]}"] = line
    return [line for line in lines if line in set(kept.values())]


def _write_text(path: Path, lines: list[str]) -> None:
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


def _write_manifest(
    made: Export,
    *,
    tenant: UUID,
    previous: str,
    period: tuple[datetime | None, datetime | None],
) -> None:
    since, until = period
    manifest: Mapping[str, Any] = {
        "format": FORMAT,
        "tenant": str(tenant),
        "from": since.isoformat() if since else None,
        "to": until.isoformat() if until else None,
        "exported_at": clock.now().isoformat(),
        "entries_count": made.entries_count,
        "first_sequence": made.first_sequence,
        "last_sequence": made.last_sequence,
        "previous_hash": previous,
        "head": made.head,
        "is_complete": made.is_complete,
        "key_id": anchors.key_id(made.public_key),
        "files": dict(_digests(made.folder)),
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (made.folder / MANIFEST).write_text(text, encoding="utf-8", newline="\n")
    _write_text(made.folder / SIGNATURE, [anchors.sign(text)])


def _digests(folder: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    for name in (ENTRIES, LINKS, ANCHORS, KEYS):
        digest = sha256()
        with (folder / name).open("rb") as file:
            while block := file.read(1 << 20):
                digest.update(block)
        yield name, {"sha256": digest.hexdigest(), "bytes": (folder / name).stat().st_size}
