"""What the last forecast of a currency rested on, how its day runs, and what was triggered."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

from django.db.models import QuerySet

from core import policies
from fx import policies as knobs
from fx.engine.exposure import ZERO, ZONE_DEFAULT, ZONES
from fx.engine.pairs import Pair, pair_of
from fx.engine.reforecasting import Day, deviation_of, due_at, moved
from fx.errors import RateMissing
from fx.models import ForecastBasis, ReforecastTrigger
from fx.registry import Preview, preview_of
from fx.selectors import exposure, rates
from fx.selectors.exposure import Board
from treasury.selectors import accounts, statements

SHOWN_DAYS: Final = 7


def triggers() -> QuerySet[ReforecastTrigger]:
    """Return what asked for new forecasts, newest first."""
    return ReforecastTrigger.objects.select_related("asked_by")


def newest_basis(currency: str) -> ForecastBasis | None:
    """Return what the currency's last forecast rested on."""
    return ForecastBasis.objects.filter(currency=currency).order_by("-as_of", "-id").first()


def local(currency: str, now: datetime) -> datetime:
    """Return an instant by the clock of a currency's own centre."""
    return now.astimezone(ZoneInfo(ZONES.get(currency, ZONE_DEFAULT)))


def booked_out(currency: str, day: date) -> Decimal:
    """Return what banks booked out of a currency's accounts for a day, as a positive amount."""
    return -sum(
        (
            amount
            for account in accounts.accounts(currency)
            for amount in statements.counted_entries(account.pk, start=day, end=day)
            .filter(amount__lt=0)
            .values_list("amount", flat=True)
        ),
        ZERO,
    )


def middle(currency: str, *, now: datetime) -> Decimal | None:
    """Return the middle rate of a currency's pair; None for the funding one or without a rate."""
    pair = pair_with_funding(currency)
    if pair is None:
        return None
    try:
        return rates.quote_for(pair, now=now).mid
    except RateMissing:
        return None


def pair_with_funding(currency: str) -> Pair | None:
    """Return the pair of a currency and the funding one as the market writes it."""
    funding = policies.get(knobs.FX_FUNDING_CURRENCY)
    return None if currency == funding else pair_of(currency, funding)


def last_fired(currency: str) -> datetime | None:
    """Return when a currency was last sent to be forecast anew."""
    row = triggers().filter(currency=currency, fired_at__isnull=False).order_by("-fired_at").first()
    return row.fired_at if row else None


def may_fire_at(currency: str, *, now: datetime) -> datetime:
    """Return from when on a currency may be forecast anew."""
    cool_down = timedelta(minutes=policies.get(knobs.REFORECAST_COOL_DOWN_MINUTES))
    return due_at(now=now, last_fired=last_fired(currency), cool_down=cool_down)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """A currency as it was forecast, as it stands, and as a forecast made now would say.

    `deviation` and `moved` are shares; None where nothing can be said. `after` is None where
    nobody forecasts.
    """

    currency: str
    basis: ForecastBasis | None
    board: Board
    booked: Decimal
    rate: Decimal | None
    deviation: Decimal | None
    moved: Decimal | None
    after: Preview | None
    free_at: datetime

    @property
    def expected(self) -> Decimal:
        """Return what the forecast said would have gone out by the end of its day."""
        return self.basis.booked + self.basis.outflow if self.basis else ZERO

    @property
    def open_after(self) -> Decimal:
        """Return what would be open if the new need were the need."""
        found = self.board.exposure
        required = found.required if self.after is None else self.after.required
        return max(ZERO, required - found.prefunded - found.hedged)


def look(currency: str, *, now: datetime, with_preview: bool = True) -> Look:
    """Return how a currency's last forecast compares with what is known now.

    Raises:
        CalendarUnknown: the currency has no calendar.
        CalendarCoverageError: its calendar does not reach far enough.
    """
    here = local(currency, now)
    basis = newest_basis(currency)
    booked = booked_out(currency, here.date())
    rate = middle(currency, now=now)
    deviation = None
    if basis is not None and basis.day == here.date():
        is_late = here.hour >= policies.get(knobs.REFORECAST_LATE_HOUR)
        expected = basis.booked + basis.outflow
        deviation = deviation_of(Day(expected=expected, actual=booked, is_late=is_late))
    then = basis.rate if basis is not None else None
    return Look(
        currency=currency,
        basis=basis,
        board=exposure.of_currency(currency, now=now),
        booked=booked,
        rate=rate,
        deviation=deviation,
        moved=None if then is None or rate is None else moved(then=then, now=rate),
        after=preview_of(currency, now) if with_preview else None,
        free_at=may_fire_at(currency, now=now),
    )
