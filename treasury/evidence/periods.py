"""The evidence of all payments of some days: counted first, then built, in parts when many."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, time, timedelta
from typing import Final
from uuid import UUID

from django.db.models import Q, QuerySet

from core.errors import Invalid
from core.tenancy import Tenant, current_tenant_id
from treasury.evidence.building import build
from treasury.evidence.facts import facts_of, now_text
from treasury.evidence.records import PeriodEvidence, PeriodIndex, index_line
from treasury.models import Transfer
from treasury.selectors import movement

FORMAT: Final = "tms-evidence-period/1"
# What one request builds within seconds; longer periods are handed out in parts.
PAYMENTS_MAX: Final = 60
DAYS_MAX: Final = 366
PARTS_MAX: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Period:
    """The UTC days in which transfers were made, both included, perhaps of one account.

    `part` chooses the first, second, … so many payments when they are too many for one pack.
    """

    first: date
    last: date
    account: UUID | None = None
    part: int = 1

    @property
    def since(self) -> datetime:
        """Return the first instant of the first day."""
        return datetime.combine(self.first, time(), UTC)

    @property
    def until(self) -> datetime:
        """Return the first instant after the last day."""
        return datetime.combine(self.last + timedelta(days=1), time(), UTC)


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Days, or a part of one day, whose payments fit into one pack."""

    period: Period
    count: int


def require_period(period: Period) -> Period:
    """Return the period when it can be asked for.

    Raises:
        Invalid: the days run backwards or are too many; names the field.
    """
    if period.last < period.first:
        raise Invalid("The last day is before the first.", field="to")
    if period.last - period.first >= timedelta(days=DAYS_MAX):
        raise Invalid(f"Ask for at most {DAYS_MAX} days at once.", field="to")
    if not 1 <= period.part <= PARTS_MAX:
        raise Invalid("There is no such part.", field="part")
    return period


def transfers_of(period: Period) -> QuerySet[Transfer]:
    """Return the transfers that were made in these days, oldest first."""
    found = movement.transfers().filter(created_at__gte=period.since, created_at__lt=period.until)
    if period.account is not None:
        account = period.account
        found = found.filter(
            Q(proposal__debit_account_id=account) | Q(proposal__credit_account_id=account)
        )
    return found.order_by("created_at", "id")


def count_of(period: Period) -> int:
    """Return how many payments the evidence is about."""
    return transfers_of(period).count()


def parts_of(period: Period) -> list[Part]:
    """Split a period into runs of days that fit into one pack; a busy day falls into parts."""
    by_day = Counter(
        made.astimezone(UTC).date()
        for made in transfers_of(period).values_list("created_at", flat=True)
    )
    return list(_grouped(period, by_day))


def _grouped(period: Period, by_day: Counter[date]) -> Iterator[Part]:
    first, last, count = None, period.first, 0
    for day in sorted(by_day):
        if first is not None and count + by_day[day] > PAYMENTS_MAX:
            yield from _parts(replace(period, first=first, last=last), count)
            first, count = None, 0
        first, last, count = first or day, day, count + by_day[day]
    if first is not None:
        yield from _parts(replace(period, first=first, last=last), count)


def _parts(period: Period, count: int) -> Iterator[Part]:
    for number, start in enumerate(range(0, count, PAYMENTS_MAX), start=1):
        size = min(PAYMENTS_MAX, count - start)
        yield Part(period=replace(period, part=number), count=size)


def build_period(period: Period) -> PeriodEvidence:
    """Return the evidence of one part of a period, with its index.

    A day that is too busy for one pack may be asked for part by part; days together may not.

    Raises:
        Invalid: the days run backwards, or hold more payments than one pack takes.
    """
    require_period(period)
    found = transfers_of(period)
    if period.first != period.last and found.count() > PAYMENTS_MAX:
        raise Invalid(
            f"More than {PAYMENTS_MAX} payments: ask for fewer days at a time.", field="to"
        )
    start = (period.part - 1) * PAYMENTS_MAX
    wanted = list(found.values_list("pk", flat=True)[start : start + PAYMENTS_MAX])
    packs = tuple(build(transfer_id=transfer_id) for transfer_id in wanted)
    return PeriodEvidence(
        format=FORMAT,
        part=period.part,
        account=str(period.account or ""),
        index=PeriodIndex(
            format=FORMAT,
            tenant=facts_of(Tenant.objects.get(pk=current_tenant_id()), without=("created_at",)),
            since=period.since.isoformat(),
            until=period.until.isoformat(),
            made_at=now_text(),
            payments=tuple(index_line(pack) for pack in packs),
        ),
        packs=packs,
    )
