"""Seal audit entries into a hash chain per tenant, and verify it.

The hash of a link is sha256(previous hash + entry's canonical JSON text), both as UTF-8. The head
of each chain is appended, signed with HMAC-SHA256, to an anchor file outside the database: a chain
alone does not show that its tail was cut.
"""

import hmac
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import connection

from core import clock
from core.audit.models import AuditLink
from core.tenancy import bound

GENESIS: Final = "0" * 64
ANCHOR_FIELDS: Final = 4
SEAL_BATCH_MAX: Final = 5_000
UNSEALED_GRACE_SECONDS: Final = 120

_TAKE_PENDING = """
    DELETE FROM core_auditpending WHERE entry_id IN (
        SELECT entry_id FROM core_auditpending ORDER BY entry_id LIMIT %s)
    RETURNING entry_id
"""
# What is hashed of an entry. Columns that came later are absent where they are empty, so that
# entries from before them keep their text.
TEXT = """
    (CASE WHEN e.on_behalf_of IS NULL THEN to_jsonb(e) - 'on_behalf_of' ELSE to_jsonb(e) END)::text
"""
_CANONICAL = f"""
    SELECT e.id, {TEXT} FROM core_auditentry e WHERE e.id = ANY(%s) ORDER BY e.id
"""  # noqa: S608 - composed of our own constants
_CHAIN = f"""
    SELECT l.sequence, l.entry_id, l.hash, {TEXT}
      FROM core_auditlink l LEFT JOIN core_auditentry e ON e.id = l.entry_id
     ORDER BY l.sequence
"""  # noqa: S608 - composed of our own constants
_UNLINKED = """
    SELECT e.id FROM core_auditentry e LEFT JOIN core_auditlink l ON l.entry_id = e.id
     WHERE l.id IS NULL AND e.at < clock_timestamp() - make_interval(secs => %s)
     ORDER BY e.id LIMIT 20
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One place where the trail is not what was sealed."""

    code: str
    sequence: int
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """The outcome of one verification: links read, head hash, faults found."""

    tenant: UUID
    links_count: int
    head: str
    faults: tuple[Fault, ...]

    @property
    def is_intact(self) -> bool:
        """Return whether no fault was found."""
        return not self.faults


def link_hash(previous: str, canonical: str) -> str:
    """Return the hash that chains `canonical` to `previous`."""
    return sha256((previous + canonical).encode()).hexdigest()


def seal(*, tenant: UUID) -> int:
    """Chain the entries of `tenant` that wait, anchor the new head, return their number."""
    with bound(tenant, actor="system:audit-sealer"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [str(tenant)])
            cursor.execute(_TAKE_PENDING, [SEAL_BATCH_MAX])
            waiting = [row[0] for row in cursor.fetchall()]
            if not waiting:
                return 0
            cursor.execute(_CANONICAL, [waiting])
            rows: Sequence[tuple[int, str]] = cursor.fetchall()
        last = AuditLink.objects.order_by("-sequence").first()
        sequence, head = (last.sequence, last.hash) if last else (0, GENESIS)
        links = []
        for entry_id, canonical in rows:
            sequence, head = sequence + 1, link_hash(head, canonical)
            links.append(
                AuditLink(tenant_id=tenant, sequence=sequence, entry_id=entry_id, hash=head)
            )
        AuditLink.objects.bulk_create(links)
    append_anchor(tenant=tenant, sequence=sequence, head=head)
    return len(links)


def anchor_path(tenant: UUID) -> Path:
    """Return the anchor file of `tenant`, outside the database."""
    return Path(settings.TMS_AUDIT_ANCHOR_DIR) / f"{tenant}.anchor"


def _signature(text: str) -> str:
    return hmac.new(settings.TMS_AUDIT_ANCHOR_KEY.encode(), text.encode(), sha256).hexdigest()


def append_anchor(*, tenant: UUID, sequence: int, head: str) -> None:
    """Append one signed line: sequence, head, time, signature."""
    path = anchor_path(tenant)
    path.parent.mkdir(parents=True, exist_ok=True)
    text = f"{tenant} {sequence} {head} {clock.now().isoformat()}"
    with path.open("a", encoding="utf-8") as file:
        file.write(f"{text} {_signature(text)}\n")
        file.flush()
        os.fsync(file.fileno())


def anchored_heads(tenant: UUID) -> Iterator[tuple[int, str] | None]:
    """Yield (sequence, head) for every anchor line, None for a line with a wrong signature."""
    path = anchor_path(tenant)
    if not path.exists():
        return
    for line in path.read_text(encoding="utf-8").splitlines():
        text, _, signature = line.rpartition(" ")
        fields = text.split(" ")
        if len(fields) == ANCHOR_FIELDS and hmac.compare_digest(signature, _signature(text)):
            yield int(fields[1]), fields[2]
        else:
            yield None


def verify(*, tenant: UUID) -> Verdict:
    """Recompute the whole chain of `tenant` and compare it with the anchor file."""
    faults: list[Fault] = []
    hashes: dict[int, str] = {0: GENESIS}
    previous, expected = GENESIS, 0
    with bound(tenant, actor="system:audit-verifier"), connection.cursor() as cursor:
        cursor.execute(_CHAIN)
        for sequence, entry_id, stored, canonical in cursor.fetchall():
            expected += 1
            if sequence != expected:
                faults.append(_fault("link_missing", expected, f"link {expected} is missing"))
                expected = sequence
            if canonical is None:
                faults.append(_fault("entry_missing", sequence, f"entry {entry_id} was deleted"))
            elif link_hash(previous, canonical) != stored:
                faults.append(_fault("hash_differs", sequence, f"entry {entry_id} was changed"))
            previous = stored
            hashes[sequence] = stored
        cursor.execute(_UNLINKED, [UNSEALED_GRACE_SECONDS])
        faults += [
            _fault("entry_unsealed", 0, f"entry {row[0]} has no link") for row in cursor.fetchall()
        ]
    faults += _compare_with_anchor(tenant, hashes, expected)
    return Verdict(tenant=tenant, links_count=len(hashes) - 1, head=previous, faults=tuple(faults))


def _compare_with_anchor(tenant: UUID, hashes: dict[int, str], last: int) -> list[Fault]:
    faults = []
    anchored_last = 0
    for number, head in enumerate(anchored_heads(tenant), start=1):
        if head is None:
            faults.append(_fault("anchor_signature", number, f"anchor line {number} is not ours"))
            continue
        anchored_last = max(anchored_last, head[0])
        if head[0] <= last and hashes.get(head[0]) != head[1]:
            faults.append(_fault("anchor_differs", head[0], f"link {head[0]} is not as anchored"))
    if anchored_last > last:
        message = f"links {last + 1} to {anchored_last} were anchored and are gone"
        faults.append(_fault("tail_cut", last + 1, message))
    if last > 0 and anchored_last == 0:
        faults.append(_fault("anchor_missing", 0, "no anchor line exists for this chain"))
    return faults


def _fault(code: str, sequence: int, message: str) -> Fault:
    return Fault(code=code, sequence=sequence, message=message)
