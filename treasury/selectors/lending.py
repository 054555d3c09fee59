"""What our companies owe each other by pooling, and the interest on it."""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from core.errors import NotFound
from core.money import smallest_unit
from treasury.engine.pool_interest import Lent, LoanDay, accrual
from treasury.models import IntercompanyEntry, LegalEntity

STATEMENT_DAYS_MAX: Final = 400


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanPair:
    """Two companies and a currency: who owes whom how much, and interest up to a day.

    `lender` is who is owed at the end of `until`; `interest` has accrued since the first entry,
    positive when the borrower owes it.
    """

    lender: LegalEntity
    borrower: LegalEntity
    currency: str
    balance: Decimal
    rate: Decimal
    day_count: str
    interest: Decimal
    since: date
    until: date
    entries_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LoanStatement:
    """A pair's days from `start` to `until`; amounts are positive when `lender` is owed.

    `opening` and `accrued_before` are what stood before the first of the days.
    """

    lender: LegalEntity
    borrower: LegalEntity
    currency: str
    start: date
    until: date
    opening: Decimal
    accrued_before: Decimal
    days: tuple[LoanDay, ...]
    entries: tuple[IntercompanyEntry, ...]

    @property
    def interest(self) -> Decimal:
        """Return the interest of the shown days."""
        return sum((day.interest for day in self.days), Decimal(0))

    @property
    def closing(self) -> Decimal:
        """Return what is owed at the end."""
        return self.days[-1].balance if self.days else self.opening


def entries() -> QuerySet[IntercompanyEntry]:
    """Return all entries, newest first."""
    return IntercompanyEntry.objects.select_related(
        "lender", "borrower", "transfer__proposal", "pair__pool"
    )


def balances(*, until: date) -> list[LoanPair]:
    """Return every pair and currency with its balance at the end of `until` and its interest.

    Interest is counted up to and including that day.
    """
    pairs: dict[tuple[UUID, UUID, str], list[IntercompanyEntry]] = defaultdict(list)
    for entry in entries().filter(value_date__lte=until).order_by("value_date", "id"):
        low, high = sorted((entry.lender_id, entry.borrower_id))
        pairs[low, high, entry.currency].append(entry)
    found = [_pair(rows, until) for rows in pairs.values()]
    return sorted(found, key=lambda one: (one.lender.name, one.borrower.name, one.currency))


def statement(
    *, lender_id: UUID, borrower_id: UUID, currency: str, start: date, until: date
) -> LoanStatement:
    """Return a pair's days, seen from `lender_id`; no more than 400 of them.

    Raises:
        NotFound: these two have no entries in that currency.
    """
    between = Q(lender=lender_id, borrower=borrower_id) | Q(lender=borrower_id, borrower=lender_id)
    rows = list(
        entries()
        .filter(between, currency=currency, value_date__lte=until)
        .order_by("value_date", "id")
    )
    if not rows:
        raise NotFound("These two companies owe each other nothing.", field="pair")
    start = max(start, until - timedelta(days=STATEMENT_DAYS_MAX - 1))
    companies = {one.pk: one for row in rows for one in (row.lender, row.borrower)}
    unit = smallest_unit(currency)
    lent = [_lent(row, seen_from=lender_id) for row in rows]
    days = accrual(lent, start=start, end=until, unit=unit)
    accrued = days[0].accrued - days[0].interest if days else Decimal(0)
    return LoanStatement(
        lender=companies[lender_id],
        borrower=companies[borrower_id],
        currency=currency,
        start=start,
        until=until,
        opening=days[0].balance - days[0].moved if days else Decimal(0),
        accrued_before=accrued,
        days=days,
        entries=tuple(row for row in rows if row.value_date >= start),
    )


def currencies_between(*, lender_id: UUID, borrower_id: UUID) -> list[str]:
    """Return the currencies in which two companies have entries.

    Raises:
        NotFound: they have none.
    """
    between = Q(lender=lender_id, borrower=borrower_id) | Q(lender=borrower_id, borrower=lender_id)
    rows = IntercompanyEntry.objects.filter(between).order_by("currency")
    found = list(rows.values_list("currency", flat=True).distinct())
    if not found:
        raise NotFound("These two companies owe each other nothing.", field="pair")
    return found


def _pair(rows: list[IntercompanyEntry], until: date) -> LoanPair:
    first = rows[0]
    unit = smallest_unit(first.currency)
    lent = [_lent(row, seen_from=first.lender_id) for row in rows]
    last = accrual(lent, start=until, end=until, unit=unit)[-1]
    lender, borrower, sign = first.lender, first.borrower, 1
    if last.balance < 0:
        lender, borrower, sign = borrower, lender, -1
    return LoanPair(
        lender=lender,
        borrower=borrower,
        currency=first.currency,
        balance=sign * last.balance,
        rate=last.rate,
        day_count=last.day_count,
        interest=sign * last.accrued,
        since=first.value_date,
        until=until,
        entries_count=len(rows),
    )


def _lent(row: IntercompanyEntry, *, seen_from: UUID) -> Lent:
    amount = row.amount if row.lender_id == seen_from else -row.amount
    return Lent(day=row.value_date, amount=amount, rate=row.rate, day_count=row.day_count)


def moving(days: Iterable[LoanDay]) -> list[LoanDay]:
    """Return the days on which money moved, and the last one."""
    listed = list(days)
    return [day for day in listed if day.moved or day is listed[-1]]
