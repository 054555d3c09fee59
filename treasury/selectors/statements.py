"""From a figure down to the bytes it was read in: entries, their sightings, statements."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce

from core.errors import NotFound
from treasury.engine.facts import END_OF_DAY
from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryObservation,
    EntryPart,
    EntryState,
    ExpectedFlow,
    FlowState,
    Statement,
    StatementBalance,
    StatementState,
    Transfer,
)
from treasury.selectors.ledger import Base


@dataclass(frozen=True, slots=True, kw_only=True)
class Origin:
    """Where a figure can be read: the archived message, and the place in it."""

    message_id: UUID | None
    locator: str
    source: str
    statement_id: UUID


def statement(statement_id: UUID) -> Statement:
    """Return one statement with its account.

    Raises:
        NotFound: there is none.
    """
    found = Statement.objects.select_related("account").filter(pk=statement_id).first()
    if found is None:
        raise NotFound("There is no such statement.", id=str(statement_id))
    return found


def is_readable_again(found: Statement) -> bool:
    """Return whether a statement is kept aside and its bytes could be read again."""
    return found.state == StatementState.QUARANTINED and found.message_id is not None


def successors_of(statement_id: UUID) -> QuerySet[Statement]:
    """Return the versions that took a statement's place."""
    return Statement.objects.filter(supersedes_id=statement_id).order_by("version")


def statements_of(account_id: UUID) -> QuerySet[Statement]:
    """Return an account's statements, newest first."""
    return Statement.objects.filter(account_id=account_id)


def balances_of(statement_id: UUID) -> QuerySet[StatementBalance]:
    """Return the balances a statement states."""
    return StatementBalance.objects.filter(statement_id=statement_id).order_by("as_of", "code")


def entry(entry_id: UUID) -> BankEntry:
    """Return one entry with its account, statement and the entry that it was merged into.

    Raises:
        NotFound: there is none.
    """
    rows = BankEntry.objects.select_related("account__bank", "statement", "merged_into")
    found = rows.filter(pk=entry_id).first()
    if found is None:
        raise NotFound("There is no such entry.", id=str(entry_id))
    return found


def transfers_of(entry: BankEntry) -> QuerySet[Transfer]:
    """Return the transfers of ours that an entry settles, charges or returns."""
    found = Q(debit_entry=entry) | Q(credit_entry=entry)
    if entry.end_to_end_id:
        found |= Q(end_to_end_id=entry.end_to_end_id)
    return Transfer.objects.filter(found).select_related("proposal").distinct()


def entries_of(account_id: UUID) -> QuerySet[BankEntry]:
    """Return an account's entries, newest first, each with its statement."""
    return BankEntry.objects.filter(account_id=account_id).select_related("statement")


def counted_entries(
    account_id: UUID, *, start: date | None = None, end: date | None = None
) -> QuerySet[BankEntry]:
    """Return the booked entries that count, by value date: what a position is made of."""
    found = entries_of(account_id).filter(state=EntryState.COUNTED, status=BookingStatus.BOOK)
    if start is not None:
        found = found.filter(value_date__gte=start)
    return found if end is None else found.filter(value_date__lte=end)


def unclaimed_credits(account_id: UUID, *, start: date, end: date) -> QuerySet[BankEntry]:
    """Return the credits of a span that nothing expected was matched to, nor a transfer of ours."""
    claimed = ExpectedFlow.objects.filter(
        account_id=account_id, state=FlowState.MATCHED, matched_entry=OuterRef("pk")
    )
    ours = Transfer.objects.filter(Q(credit_entry=OuterRef("pk")) | Q(return_entry=OuterRef("pk")))
    found = counted_entries(account_id, start=start, end=end).filter(amount__gt=0)
    return found.filter(~Exists(claimed), ~Exists(ours))


def entries_since(account_id: UUID, base: Base) -> QuerySet[BankEntry]:
    """Return the entries that a position adds to its stated closing balance."""
    return counted_entries(account_id).filter(booking_date__gt=base.on_date)


def parts(ids: Sequence[UUID]) -> QuerySet[EntryPart]:
    """Return these parts with their entries."""
    return EntryPart.objects.select_related("entry").filter(pk__in=ids)


def parts_of(entry_id: UUID) -> QuerySet[EntryPart]:
    """Return the payments that an entry books together, in the bank's order."""
    return EntryPart.objects.filter(entry_id=entry_id).order_by("number")


def observations_of(entry_id: UUID) -> QuerySet[EntryObservation]:
    """Return every sighting of an entry, those of its doubles included."""
    # Named one by one: a condition over the join would read every entry there is.
    doubles = BankEntry.objects.filter(merged_into_id=entry_id).values_list("pk", flat=True)
    seen = EntryObservation.objects.filter(entry_id__in=[entry_id, *doubles])
    return seen.select_related("statement").order_by("id")


def sightings_count() -> Coalesce:
    """Return how often an entry was seen: counted for the entries that are listed, not for all."""
    seen = EntryObservation.objects.filter(entry=OuterRef("pk")).order_by().values("entry")
    return Coalesce(Subquery(seen.annotate(times=Count("pk")).values("times")), 0)


def origin_of(entry: BankEntry) -> Origin:
    """Return where the facts of an entry can be read."""
    return Origin(
        message_id=entry.statement.message_id,
        locator=entry.locator,
        source=entry.statement.source,
        statement_id=entry.statement_id,
    )


def closing_statements(account_id: UUID, *, start: date, end: date) -> dict[date, list[Statement]]:
    """Return the posted end-of-day statements of an account by the day that they close."""
    found: dict[date, list[Statement]] = defaultdict(list)
    posted = Statement.objects.filter(
        account=account_id,
        state=StatementState.POSTED,
        source__in=END_OF_DAY,
        period_end__range=(start, end),
    )
    for one in posted.order_by("period_end", "source", "sequence", "page"):
        found[one.period_end].append(one)
    return found
