"""Seal audit entries into a hash chain per tenant, and verify it.

The hash of a link is sha256(previous hash + entry's canonical JSON text), both as UTF-8. The head
of each chain is anchored outside the database (core.audit.anchors): a chain alone does not show
that its tail was cut.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.audit.anchors import Anchor, anchor_path, anchored_heads, append_anchor, last_anchored
from core.audit.models import AuditLink
from core.tenancy import bound

__all__ = ["GENESIS", "Fault", "Verdict", "anchor_path", "link_hash", "seal", "seal_all", "verify"]

GENESIS: Final = "0" * 64
SEAL_BATCH_MAX: Final = 5_000
SEAL_ROUNDS_MAX: Final = 40
VERIFY_BATCH: Final = 5_000
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
_WRITE_LINKS = """
    INSERT INTO core_auditlink (tenant_id, sequence, entry_id, hash)
    SELECT %s, l.* FROM unnest(%s::bigint[], %s::bigint[], %s::text[]) l
"""
_CHAIN = f"""
    SELECT l.sequence, l.entry_id, l.hash, {TEXT}
      FROM core_auditlink l LEFT JOIN core_auditentry e ON e.id = l.entry_id
     WHERE l.sequence > %s ORDER BY l.sequence LIMIT %s
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
    """Chain one batch of the entries of `tenant` that wait, anchor the head, return their number.

    A sealer that died between its commit and its anchor is made up for by the next one.
    """
    with bound(tenant, actor="system:audit-sealer"):
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 7))", [str(tenant)])
            cursor.execute(_TAKE_PENDING, [SEAL_BATCH_MAX])
            waiting = [row[0] for row in cursor.fetchall()]
            cursor.execute(_CANONICAL, [waiting])
            rows: Sequence[tuple[int, str]] = cursor.fetchall()
        last = AuditLink.objects.order_by("-sequence").first()
        sequence, head = (last.sequence, last.hash) if last else (0, GENESIS)
        if rows:
            sequence, head = _write_links(tenant, rows, sequence, head)
    if rows or sequence > last_anchored(tenant):
        append_anchor(tenant=tenant, sequence=sequence, head=head)
    return len(rows)


def seal_all(*, tenant: UUID) -> int:
    """Seal batch after batch until nothing waits (or a bound is reached); return the number."""
    total = 0
    for _ in range(SEAL_ROUNDS_MAX):
        sealed = seal(tenant=tenant)
        total += sealed
        if sealed < SEAL_BATCH_MAX:
            break
    return total


def _write_links(
    tenant: UUID, rows: Sequence[tuple[int, str]], sequence: int, head: str
) -> tuple[int, str]:
    hashes = []
    for _, canonical in rows:
        head = link_hash(head, canonical)
        hashes.append(head)
    last = sequence + len(rows)
    with connection.cursor() as cursor:
        cursor.execute(
            _WRITE_LINKS,
            [tenant, list(range(sequence + 1, last + 1)), [row[0] for row in rows], hashes],
        )
    return last, head


def read_chain(*, after: int = 0) -> Iterator[tuple[int, int, str, str | None]]:
    """Yield (sequence, entry id, hash, entry's text or None) of the bound tenant, in order."""
    with connection.cursor() as cursor:
        while True:
            cursor.execute(_CHAIN, [after, VERIFY_BATCH])
            rows: list[Any] = cursor.fetchall()
            yield from rows
            if len(rows) < VERIFY_BATCH:
                return
            after = rows[-1][0]


def verify(*, tenant: UUID) -> Verdict:
    """Recompute the whole chain of `tenant` and compare it with the anchor file."""
    faults: list[Fault] = []
    anchors = list(anchored_heads(tenant))
    wanted = {anchor.sequence for anchor in anchors if anchor}
    hashes: dict[int, str] = {}
    previous, expected, count = GENESIS, 0, 0
    with bound(tenant, actor="system:audit-verifier"):
        for sequence, entry_id, stored, canonical in read_chain():
            expected, count = expected + 1, count + 1
            if sequence != expected:
                faults.append(_fault("link_missing", expected, f"link {expected} is missing"))
                expected = sequence
            if canonical is None:
                faults.append(_fault("entry_missing", sequence, f"entry {entry_id} was deleted"))
            elif link_hash(previous, canonical) != stored:
                faults.append(_fault("hash_differs", sequence, f"entry {entry_id} was changed"))
            previous = stored
            if sequence in wanted:
                hashes[sequence] = stored
        with connection.cursor() as cursor:
            cursor.execute(_UNLINKED, [UNSEALED_GRACE_SECONDS])
            unsealed = [row[0] for row in cursor.fetchall()]
    faults += [_fault("entry_unsealed", 0, f"entry {number} has no link") for number in unsealed]
    faults += _compare_with_anchors(anchors, hashes, expected)
    return Verdict(tenant=tenant, links_count=count, head=previous, faults=tuple(faults))


def _compare_with_anchors(
    anchors: Sequence[Anchor | None], hashes: dict[int, str], last: int
) -> list[Fault]:
    faults = []
    anchored_last = 0
    for number, anchor in enumerate(anchors, start=1):
        if anchor is None:
            faults.append(_fault("anchor_signature", number, f"anchor line {number} is not ours"))
            continue
        at = anchor.sequence
        anchored_last = max(anchored_last, at)
        if at <= last and hashes.get(at, GENESIS) != anchor.head:
            faults.append(_fault("anchor_differs", at, f"link {at} is not as anchored"))
    if anchored_last > last:
        message = f"links {last + 1} to {anchored_last} were anchored and are gone"
        faults.append(_fault("tail_cut", last + 1, message))
    if last > 0 and anchored_last == 0:
        faults.append(_fault("anchor_missing", 0, "no anchor line exists for this chain"))
    return faults


def _fault(code: str, sequence: int, message: str) -> Fault:
    return Fault(code=code, sequence=sequence, message=message)
