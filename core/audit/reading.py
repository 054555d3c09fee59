"""Read the trail of things: their entries with the links that prove them."""

import json
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db import connection

from core.audit import anchors, chain
from core.tenancy import current_tenant_id

ENTRIES_MAX: Final = 2_000
_OF_THINGS = f"""
    SELECT e.id, e.at, e.actor, e.on_behalf_of, e.action, e.table_name, e.row_id, e.reason,
           e.request, e.before, e.after, l.sequence, l.hash, p.hash, {chain.TEXT}
      FROM core_auditentry e
      LEFT JOIN core_auditlink l ON l.entry_id = e.id
      LEFT JOIN core_auditlink p ON p.sequence = l.sequence - 1
     WHERE e.row_id = ANY(%s) AND e.table_name NOT LIKE %s ORDER BY e.id LIMIT %s
"""  # noqa: S608 - composed of our own constants


@dataclass(frozen=True, slots=True, kw_only=True)
class Proven:
    """One entry; `text` is exactly what was hashed after `previous_hash` to give `hash`."""

    id: int
    at: datetime
    actor: str
    on_behalf_of: str
    action: str
    table: str
    row: str
    reason: str
    request: str
    before: dict[str, Any] | None
    after: dict[str, Any] | None
    sequence: int | None
    hash: str
    previous_hash: str
    text: str

    @property
    def holds(self) -> bool:
        """Return whether the entry is sealed and hashes to its link."""
        return bool(self.hash) and chain.link_hash(self.previous_hash, self.text) == self.hash


def entries_of(things: Collection[str]) -> Iterator[Proven]:
    """Yield the entries about these rows of the bound tenant, oldest first.

    The tables that only repeat other tables' rows (histories) are left out.
    """
    with connection.cursor() as cursor:
        cursor.execute(_OF_THINGS, [list(things), "%historical%", ENTRIES_MAX])
        rows: list[Any] = cursor.fetchall()
    for row in rows:
        sequence = row[11]
        yield Proven(
            id=row[0],
            at=row[1],
            actor=row[2],
            on_behalf_of=row[3] or "",
            action=row[4],
            table=row[5],
            row=row[6],
            reason=row[7],
            request=row[8],
            before=_read(row[9]),
            after=_read(row[10]),
            sequence=sequence,
            hash=row[12] or "",
            previous_hash=row[13] or (chain.GENESIS if sequence == 1 else ""),
            text=row[14],
        )


def _read(stored: Any) -> dict[str, Any] | None:
    read: dict[str, Any] | None = json.loads(stored) if isinstance(stored, str) else stored
    return read


def anchor_after(sequence: int) -> str:
    """Return the first anchor line that covers link `sequence`, or nothing."""
    for line in anchors.anchor_lines(current_tenant_id()):
        fields = line.split(" ")
        if len(fields) > anchors.HMAC_FIELDS and fields[1].isdigit() and int(fields[1]) >= sequence:
            return line
    return ""
