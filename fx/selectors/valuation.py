"""Reads of valuations: the market of each open date, runs, what changed from one to the next."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from functools import cached_property
from itertools import groupby
from typing import Any, Final, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Exists, OuterRef, Q, QuerySet, Sum

from calendars.errors import CalendarCoverageError, CalendarUnknown
from core import policies
from core.errors import DomainError
from core.money import minor_units
from fx import valuation_guards as formula
from fx.constants import FIXING_SOURCE
from fx.engine import curves
from fx.engine.curves import Interest, middle
from fx.engine.dates import trade_date
from fx.engine.pairs import Pair
from fx.engine.quotes import ONE, Quote
from fx.engine.valuation import ZERO, Gap, Priced
from fx.errors import CurveEnds, CurveMissing, FixingMissing, InterestMissing, RateMissing
from fx.models import (
    DayFixing,
    Deal,
    DealKind,
    DealState,
    DealValuation,
    FixingState,
    NdfFixing,
    PnlEntry,
    PnlKind,
    Rate,
    RevaluationRun,
)
from fx.policies import FX_DISCOUNTING
from fx.selectors.curves import Market, Origin
from fx.selectors.rates import quote_of

# The trading day of the pair that is dealt most: it ends at 17:00 in New York.
_DAY_OF: Final = Pair("EUR", "USD")
_NEW_YORK: Final = ZoneInfo("America/New_York")
_LAST_SECOND: Final = time(16, 59, 59)
_ONE_DAY: Final = timedelta(days=1)
OPEN: Final = (DealState.EXECUTED, DealState.CONFIRMED, DealState.FAILED)
# Open at an instant: dealt by then, and not settled before it. `d` is the deal.
OPEN_SQL: Final = (
    "(d.executed_at <= %(at)s::timestamptz AND (d.state IN ('EXECUTED', 'CONFIRMED', 'FAILED')"
    " OR d.state = 'SETTLED' AND d.closed_at > %(at)s::timestamptz))"
)
# Open deals `d` with the market `v` of their pair, kind and dates, given as arrays. A deal is worth
# what it is on the day its money moves: `settles_on`, later than agreed once it is instructed anew.
MARKED_SQL: Final = """fx_deal d
  JOIN unnest(%(base)s::text[], %(quote)s::text[], %(kind)s::text[], %(value_date)s::date[],
              %(fixing_date)s::date[], %(spot)s::numeric[], %(forward)s::numeric[],
              %(discount)s::numeric[], %(usd_rate)s::numeric[], %(market_at)s::timestamptz[],
              %(sources)s::text[], %(is_stale)s::boolean[], %(gap)s::text[], %(digits)s::int[])
       AS v (base, quote, kind, value_date, fixing_date, spot, forward, discount, usd_rate,
             market_at, sources, is_stale, gap, digits)
    ON d.base = v.base AND d.quote = v.quote AND d.kind = v.kind AND d.settles_on = v.value_date
   AND d.fixing_date IS NOT DISTINCT FROM v.fixing_date"""
_SOURCES_CHARS_MAX: Final = 80
BY_INTEREST: Final = "interest"
# What is booked of a deal one after the other; differences of receipts stand beside it.
_COUNTED: Final = (PnlKind.UNREALISED, PnlKind.REALISED)
_DIFFERENCES: Final = Q(kind__in=(PnlKind.DIFFERENCE, PnlKind.TAKEN_BACK))
_REALISED: Final = (
    Q(kind=PnlKind.REALISED)
    | Q(kind=PnlKind.REVERSAL, earlier__kind=PnlKind.REALISED)
    | _DIFFERENCES
)
# Why something has no price, the narrower refusal before the wider one.
_GAPS: Final[tuple[tuple[type[DomainError], Gap], ...]] = (
    (RateMissing, Gap.NO_SPOT),
    (InterestMissing, Gap.NO_INTEREST),
    (CurveMissing, Gap.NO_CURVE),
    (CurveEnds, Gap.CURVE_ENDS),
    (FixingMissing, Gap.NO_FIXING),
    (CalendarUnknown, Gap.NO_CALENDAR),
    (CalendarCoverageError, Gap.NO_CALENDAR),
)
REFUSALS: Final = tuple(error for error, _ in _GAPS)


def day_of(at: datetime) -> date:
    """Return the trading day that an instant's valuation is for."""
    return trade_date(_DAY_OF, at)


def end_of(day: date) -> datetime:
    """Return the last second of a trading day."""
    return datetime.combine(day, _LAST_SECOND, _NEW_YORK).astimezone(UTC)


def open_deals(at: datetime) -> QuerySet[Deal]:
    """Return the deals that were dealt by an instant, and had not settled."""
    return Deal.objects.filter(executed_at__lte=at).filter(
        Q(state__in=OPEN) | Q(state=DealState.SETTLED, closed_at__gt=at)
    )


class Settles(NamedTuple):
    """What deals of one price have in common; only an NDF is fixed."""

    pair: Pair
    kind: str
    value_date: date
    fixing_date: date | None = None

    @property
    def is_ndf(self) -> bool:
        """Tell whether only the difference is paid."""
        return self.kind == DealKind.NDF


class Mark(NamedTuple):
    """The market for all deals that settle alike, or what of it is missing."""

    settles: Settles
    priced: Priced | None = None
    gap: Gap | None = None
    at: datetime | None = None
    sources: tuple[str, ...] = ()
    is_stale: bool = False


def marks(market: Market, day: date, *, of: QuerySet[Deal] | None = None) -> list[Mark]:
    """Return the market for every way that open deals (or those given) settle, once each."""
    names = ("base", "quote", "kind", "settles_on", "fixing_date")
    deals = open_deals(market.at) if of is None else of
    rows = deals.order_by(*names).values_list(*names).distinct()
    found: list[Mark] = []
    for (base, quote, kind), ways in groupby(rows, key=lambda row: row[:3]):
        pair = Pair(base, quote)
        quoted = _Quoted(market, day, pair, is_ndf=kind == DealKind.NDF)
        found.extend(_mark(quoted, Settles(pair, kind, *dates)) for _, _, _, *dates in ways)
    return found


def columns_of(found: Sequence[Mark]) -> dict[str, list[Any]]:
    """Return the marks as arrays, one for each column of the statement."""
    ways = [one.settles for one in found]
    columns: dict[str, list[Any]] = {
        "base": [one.pair.base for one in ways],
        "quote": [one.pair.quote for one in ways],
        "kind": [one.kind for one in ways],
        "value_date": [one.value_date for one in ways],
        "fixing_date": [one.fixing_date for one in ways],
        "digits": [minor_units(one.pair.quote) for one in ways],
        "market_at": [one.at for one in found],
        "sources": ["/".join(one.sources)[:_SOURCES_CHARS_MAX] for one in found],
        "is_stale": [one.is_stale for one in found],
        "gap": [one.gap.value if one.gap else "" for one in found],
    }
    for name in ("spot", "forward", "discount", "usd_rate"):
        columns[name] = [getattr(one.priced, name) if one.priced else None for one in found]
    return columns


class _Quoted:
    """The market of a pair on a day, for deals of one kind: what their dates share, asked once."""

    def __init__(self, market: Market, day: date, pair: Pair, *, is_ndf: bool) -> None:
        self.day, self.pair, self.is_ndf = day, pair, is_ndf
        self._market = market

    @cached_property
    def spot(self) -> Quote:
        return self._market.spot(self.pair)

    @cached_property
    def spot_mid(self) -> Decimal:
        return middle(self.spot)

    @cached_property
    def usd_rate(self) -> Decimal:
        return self._market.usd_per(self.pair.base if self.is_ndf else self.pair.quote)

    @cached_property
    def is_old(self) -> bool:
        return self._market.is_old(self.spot.at)

    @cached_property
    def mid(self) -> Callable[[date], tuple[Decimal, Origin]]:
        return self._market.mids(self.pair)

    def discount(self, value: date) -> Decimal:
        """Return what a unit of a value date is worth at spot, as the policy has it."""
        if not self._is_discounted or value <= self._spot_date:
            return ONE
        return curves.discount(self._interest, value)

    @cached_property
    def _is_discounted(self) -> bool:
        return not self.is_ndf and policies.get(FX_DISCOUNTING) == BY_INTEREST

    @cached_property
    def _spot_date(self) -> date:
        return self._market.spot_date(self.pair)

    @cached_property
    def _interest(self) -> Interest:
        return self._market.interest_of(self.pair, self.pair.quote)


def _mark(quoted: _Quoted, settles: Settles) -> Mark:
    try:
        return _marked(quoted, settles)
    except REFUSALS as missing:
        gap = next(one for error, one in _GAPS if isinstance(missing, error))
        return Mark(settles=settles, gap=gap)


def _marked(quoted: _Quoted, settles: Settles) -> Mark:
    spot, usd_rate, is_stale = quoted.spot, quoted.usd_rate, quoted.is_old
    forward, discount, sources = quoted.spot_mid, ONE, spot.sources
    fixed = _fixed(settles, quoted.day) if quoted.is_ndf else None
    if fixed is not None:
        forward, sources = fixed, (FIXING_SOURCE,)
    elif settles.value_date > quoted.day:
        forward, origin = quoted.mid(settles.value_date)
        sources, is_stale = origin.sources, origin.is_stale
        discount = quoted.discount(settles.value_date)
    priced = Priced(spot=quoted.spot_mid, forward=forward, discount=discount, usd_rate=usd_rate)
    return Mark(settles, priced, None, spot.at, sources, is_stale)


def _fixed(settles: Settles, day: date) -> Decimal | None:
    """Return the fixing of an NDF; None before it is known on its day.

    Raises:
        FixingMissing: its day is over.
    """
    fixing = settles.fixing_date
    if fixing is None or fixing > day:
        return None
    found = fixing_of(settles.pair, fixing)
    if found is None and fixing < day:
        raise FixingMissing(f"Nobody said what {settles.pair} was fixed at on {fixing}.")
    return found


def fixing_of(pair: Pair, day: date) -> Decimal | None:
    """Return what a pair was fixed at on a day; None where nobody said.

    What holds for its deals is asked first, then the source of fixings.
    """
    said = DayFixing.objects.filter(fixed_on=day, base=pair.base, quote=pair.quote)
    rate: Decimal | None = (
        said.filter(state=FixingState.IN_FORCE).values_list("rate", flat=True).first()
    )
    if rate is not None:
        return rate
    row = (
        Rate.objects.filter(
            source__code=FIXING_SOURCE,
            base=pair.base,
            quote=pair.quote,
            as_of__gte=datetime.combine(day, time.min, UTC),
            as_of__lt=datetime.combine(day + _ONE_DAY, time.min, UTC),
        )
        .select_related("source")
        .order_by("-as_of")
        .first()
    )
    return None if row is None else middle(quote_of(row))


def settled_at(deal: Deal, market: Market) -> Decimal:
    """Return the rate at which a settled deal is realised: spot of its day, an NDF's fixing.

    Raises:
        RateMissing, FixingMissing: it is not known.
    """
    pair = Pair(deal.base, deal.quote)
    if deal.fixing_date is None:
        return middle(market.spot(pair))
    own = NdfFixing.objects.filter(deal=deal).values_list("rate", flat=True).first()
    found = own or fixing_of(pair, deal.fixing_date)
    if found is None:
        raise FixingMissing(f"Nobody said what {pair} was fixed at on {deal.fixing_date}.")
    return found


def runs() -> QuerySet[RevaluationRun]:
    """Return every run, the newest day and its newest version first."""
    return RevaluationRun.objects.order_by("-day", "-version")


def newest_run(*, until: date | None = None) -> RevaluationRun | None:
    """Return the newest version of the newest day, at most of `until`; None without one."""
    found = runs()
    return (found if until is None else found.filter(day__lte=until)).first()


def run_before(run: RevaluationRun) -> RevaluationRun | None:
    """Return the run of the day before; a restated day's newest version."""
    return newest_run(until=run.day - _ONE_DAY)


def valuations() -> QuerySet[DealValuation]:
    """Return what deals were worth, with their runs and deals."""
    return DealValuation.objects.select_related("run", "deal__counterparty")


def entries() -> QuerySet[PnlEntry]:
    """Return what was booked, newest first."""
    return PnlEntry.objects.select_related("deal", "difference__leg__deal", "difference__net")


def standing(deal_id: UUID) -> PnlEntry | None:
    """Return the newest booking of a deal, reversed or not; None where nothing was booked."""
    booked = PnlEntry.objects.filter(deal_id=deal_id, kind__in=_COUNTED)
    return booked.order_by("-number").first()


def unrealised_settled(*, by: datetime) -> QuerySet[Deal]:
    """Return deals that settled by an instant and whose result nobody booked, however old."""
    later = PnlEntry.objects.filter(
        deal=OuterRef("deal"), kind=PnlKind.REVERSAL, number=OuterRef("number")
    )
    booked = PnlEntry.objects.filter(deal=OuterRef("pk"), kind=PnlKind.REALISED).exclude(
        Exists(later)
    )
    return Deal.objects.filter(state=DealState.SETTLED, closed_at__lte=by).exclude(Exists(booked))


@dataclass(frozen=True, slots=True, kw_only=True)
class Explained:
    """Why what is unrealised changed between two runs, in dollars; the parts add up to the change.

    `rate` is what spot did, `carry` what time and points did, `new` is what new deals are worth,
    `closed` what deals were worth that are not open any more, `gaps` what deals are worth that had
    no value on one of the days. `realised` was booked between the days, beside this.
    """

    pair: str
    before: Decimal
    rate: Decimal
    carry: Decimal
    new: Decimal
    closed: Decimal
    gaps: Decimal
    after: Decimal

    @property
    def change(self) -> Decimal:
        """Return the change."""
        return self.after - self.before

    @property
    def residual(self) -> Decimal:
        """Return what no part explains."""
        parts = self.rate + self.carry + self.new + self.closed + self.gaps
        return self.change - parts


_EXPLAIN: Final = f"""
SELECT d.base || '/' || d.quote,
       coalesce(sum(a.pnl_usd), 0),
       coalesce(sum(h.usd - a.pnl_usd), 0),
       coalesce(sum(b.pnl_usd - h.usd), 0),
       coalesce(sum(b.pnl_usd) FILTER (WHERE a.id IS NULL), 0),
       coalesce(sum(-a.pnl_usd) FILTER (WHERE b.id IS NULL), 0),
       coalesce(sum(coalesce(b.pnl_usd, 0) - coalesce(a.pnl_usd, 0))
                FILTER (WHERE a.id IS NOT NULL AND b.id IS NOT NULL AND h.usd IS NULL), 0),
       coalesce(sum(b.pnl_usd), 0)
  FROM (SELECT * FROM fx_dealvaluation WHERE run_id = %(before)s::uuid) a
  FULL JOIN (SELECT * FROM fx_dealvaluation WHERE run_id = %(after)s::uuid) b
    ON b.deal_id = a.deal_id
  JOIN fx_deal d ON d.id = coalesce(b.deal_id, a.deal_id)
  LEFT JOIN LATERAL (
       SELECT {formula.PNL_USD} AS usd
         FROM (SELECT b.spot + (a.forward - a.spot) AS forward, a.discount, b.usd_rate) v
        WHERE a.gap = '' AND b.gap = '') h ON true
 GROUP BY 1 ORDER BY 1
"""  # noqa: S608 - our own texts


def explained(before: RevaluationRun | None, after: RevaluationRun) -> list[Explained]:
    """Return why each pair's unrealised result changed between two runs, in one statement."""
    with connection.cursor() as cursor:
        cursor.execute(_EXPLAIN, {"before": before.pk if before else None, "after": after.pk})
        return [
            Explained(
                pair=row[0],
                before=row[1],
                rate=row[2],
                carry=row[3],
                new=row[4],
                closed=row[5],
                gaps=row[6],
                after=row[7],
            )
            for row in cursor.fetchall()
        ]


def together(parts: list[Explained]) -> Explained:
    """Return the sum over all pairs."""
    names = ("before", "rate", "carry", "new", "closed", "gaps", "after")
    return Explained(
        pair="",
        **{name: sum((getattr(one, name) for one in parts), ZERO) for name in names},
    )


def realised_between(since: date | None, until: date) -> Decimal:
    """Return what was realised after one day, up to and with another.

    Corrections are included, and differences of receipts.
    """
    return _booked_between(_REALISED, since, until)


def differences_between(since: date | None, until: date) -> Decimal:
    """Return what of the realised came by differences of receipts, those taken back included."""
    return _booked_between(_DIFFERENCES, since, until)


def _booked_between(which: Q, since: date | None, until: date) -> Decimal:
    found = PnlEntry.objects.filter(which, day__lte=until)
    if since is not None:
        found = found.filter(day__gt=since)
    return found.aggregate(total=Sum("amount_usd"))["total"] or ZERO


@dataclass(frozen=True, slots=True, kw_only=True)
class DayResult:
    """A day's unrealised result, and all that was realised up to and with it, in dollars."""

    day: date
    unrealised: Decimal
    realised: Decimal

    @property
    def total(self) -> Decimal:
        """Return both together."""
        return self.unrealised + self.realised


def series(*, days: int) -> list[DayResult]:
    """Return the results of the last valued days, oldest first."""
    newest = list(
        RevaluationRun.objects.order_by("-day", "-version")
        .distinct("day")
        .values_list("day", "unrealised_usd")[:days]
    )[::-1]
    if not newest:
        return []
    by_day = dict(
        PnlEntry.objects.filter(day__lte=newest[-1][0])
        .filter(_REALISED)
        .order_by("day")
        .values_list("day")
        .annotate(total=Sum("amount_usd"))
    )
    found, total = [], ZERO
    waiting = sorted(by_day.items())
    for day, unrealised in newest:
        while waiting and waiting[0][0] <= day:
            total += waiting.pop(0)[1]
        found.append(DayResult(day=day, unrealised=unrealised, realised=total))
    return found


@dataclass(frozen=True, slots=True, kw_only=True)
class DealValue:
    """What a deal's page shows of its value: the newest one, and all that was booked."""

    newest: DealValuation | None
    entries: list[PnlEntry]

    @property
    def booked(self) -> Decimal:
        """Return what all bookings come to."""
        return sum((one.amount_usd for one in self.entries), ZERO)


def value_of(deal_id: UUID) -> DealValue:
    """Return the newest value of a deal and its bookings, newest first."""
    found = valuations().filter(deal_id=deal_id)
    return DealValue(
        newest=found.order_by("-run__day", "-run__version").first(),
        entries=list(entries().filter(deal_id=deal_id).order_by("-booked_at", "-number", "-kind")),
    )
