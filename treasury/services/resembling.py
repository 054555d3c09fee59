"""Which known entries could be what a statement shows: read once, and no more than needed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import cached_property
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import Q

from treasury.engine.facts import Sighting
from treasury.models import BankAccount, BankEntry, EntryState
from treasury.services import rows

# Two sources never date one movement further apart than this.
WINDOW_DAYS: Final = 10
# From so many sightings on the server finds what resembles them; below, a look around is cheaper.
SIGHTINGS_MANY: Final = 500

# An entry can only be one that is shown if it has its amount and one of its marks: a reference with
# its booking date, the UETR, an end-to-end id or a text with its value date. Before it was booked
# it may have had other dates. A mark is asked for without its date: a few too many come back,
# never too few.
_RESEMBLING: Final = """
WITH shown AS MATERIALIZED (
    SELECT * FROM unnest({amounts}::numeric[], {value_dates}::date[], {references}, {identifiers},
                         {uetrs}) AS u(amount, value_date, bank_reference, end_to_end_id, uetr)
), near AS MATERIALIZED (
    SELECT e.id, e.amount, e.value_date, e.bank_reference, e.end_to_end_id, e.uetr
      FROM treasury_bankentry e
     WHERE e.account_id = %(account)s AND e.state <> 'MERGED'
       AND (e.value_date BETWEEN %(start)s AND %(end)s
            OR e.booking_date BETWEEN %(start)s AND %(end)s)
       AND (e.value_date = ANY(%(values)s) OR e.booking_date = ANY(%(booked)s)
            OR %(pending)s OR e.status <> 'BOOK')
)
SELECT n.id FROM near n
 WHERE (n.amount, n.value_date) IN (SELECT s.amount, s.value_date FROM shown s)
    OR (n.bank_reference <> '' AND (n.amount, n.bank_reference) IN (
            SELECT s.amount, s.bank_reference FROM shown s))
    OR (n.end_to_end_id <> '' AND (n.amount, n.end_to_end_id) IN (
            SELECT s.amount, s.end_to_end_id FROM shown s))
 UNION
SELECT e.id FROM shown s
  JOIN treasury_bankentry e ON e.uetr = s.uetr AND e.uetr <> '' AND e.amount = s.amount
 WHERE e.account_id = %(account)s AND e.state <> 'MERGED'
"""


@dataclass(frozen=True, kw_only=True)
class Known:
    """Entries that a sighting could be of, and the identities in use around them."""

    entries: list[BankEntry] = field(default_factory=list)
    slots: list[tuple[str, int]] = field(default_factory=list)

    @cached_property
    def amounts(self) -> frozenset[Any]:
        """Return the amounts of the known entries."""
        return frozenset(entry.amount for entry in self.entries)


def find(*, account: BankAccount, pages: Sequence[Sequence[Sighting]]) -> Known:
    """Return what is known that the sightings of one statement, page by page, could be of."""
    sightings = [one for page in pages for one in page]
    if not sightings:
        return Known()
    if len(sightings) < SIGHTINGS_MANY:
        return look_around(account=account, sightings=sightings)
    return _resembling(account, sightings)


def look_around(*, account: BankAccount, sightings: Sequence[Sighting]) -> Known:
    """Return the entries of the same amounts around the days of the sightings or of their UETR.

    The amount must agree at every rung, and an identity holds it: others are neither resembled
    nor in the way.
    """
    near = _near(_window(sightings))
    uetrs = [one.marks.uetr for one in sightings if one.marks.uetr]
    if uetrs:
        near |= Q(uetr__in=uetrs)
    amounts = {one.marks.amount for one in sightings}
    found = list(_standing(account).filter(near, amount__in=amounts).order_by("id"))
    return Known(entries=found, slots=[(entry.identity, entry.occurrence) for entry in found])


def _resembling(account: BankAccount, sightings: Sequence[Sighting]) -> Known:
    ids = _resembling_ids(account, sightings)
    if not ids:
        return Known()
    found = list(BankEntry.objects.filter(pk__in=ids).order_by("id"))
    # An identity holds the amount: what an entry may become stands among those of its amount.
    taken = _standing(account).filter(
        _near(_window(sightings)), amount__in={entry.amount for entry in found}
    )
    slots = {(entry.identity, entry.occurrence) for entry in found}
    slots.update(taken.values_list("identity", "occurrence"))
    return Known(entries=found, slots=list(slots))


def _resembling_ids(account: BankAccount, sightings: Sequence[Sighting]) -> list[UUID]:
    marks = [one.marks for one in sightings]
    start, end = _window(sightings)
    shapes, facts = {}, {}
    for name, texts in (
        ("amounts", [f"{one.amount:f}" for one in marks]),
        ("value_dates", [one.value_date.isoformat() for one in marks]),
        ("references", [one.bank_reference for one in marks]),
        ("identifiers", [one.end_to_end_id for one in marks]),
        ("uetrs", [one.uetr for one in marks]),
    ):
        shape, facts[name] = rows.text_array(texts)
        shapes[name] = shape.replace("%s", f"%({name})s")
    facts.update(
        account=account.pk,
        start=start,
        end=end,
        values=list({one.value_date for one in marks}),
        booked=list({one.booking_date for one in marks}),
        pending=any(one.is_pending for one in marks),
    )
    with connection.cursor() as cursor:
        cursor.execute(_RESEMBLING.format(**shapes), facts)
        return [row[0] for row in cursor.fetchall()]


def _window(sightings: Sequence[Sighting]) -> tuple[date, date]:
    days = set(_days(sightings))
    return min(days) - timedelta(days=WINDOW_DAYS), max(days) + timedelta(days=WINDOW_DAYS)


def _days(sightings: Sequence[Sighting]) -> Iterator[date]:
    for one in sightings:
        yield one.marks.booking_date
        yield one.marks.value_date


def _near(window: tuple[date, date]) -> Q:
    return Q(value_date__range=window) | Q(booking_date__range=window)


def _standing(account: BankAccount) -> Any:
    return BankEntry.objects.filter(account=account).exclude(state=EntryState.MERGED)
