"""All open deals revalued, the exposure of all currencies recomputed (10,000 deals; quick: 1,000).

Ours: the market read, the stretches of its curves, every deal valued in one statement of the
database, the results added up by pair; then the exposure of every currency. Peers: QuantLib deal
by deal in this process, given rates, points and interest that are read and dated before its clock
starts. Each deal is read and has objects of its own: line of points, interest, curves, engine and
the instrument `FxForward`. Read as Django's objects is how an application would have it at hand,
and is mostly Django; read as six columns is what reading must cost. The same over curves made
once and deals in memory, and the bare formula, read nothing. All must find the same cents.
Limit: the bare aggregates over the same tables, with one rate for all deals of a pair; the index
of open deals serves them as it serves us.
Parts: the two halves, and the day's run as it is stored: valuations, reversals and bookings, held
by their guards. It has its turns after the others: it is rolled back, whereupon the driver forgets
its prepared statements, and everybody else would be measured at planning.
"""

import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID

import QuantLib as ql  # noqa: N813 - its own name in its documentation
from django.db import connection, transaction

from benchmarks import database, house
from benchmarks.measure import Clock, Contestant, Report, Role, beside, race, timed
from core import clock
from core.tenancy import bound
from fx.engine.pairs import Pair, parse_pair
from fx.engine.quotes import year_days
from fx.selectors import curves as curve_reads
from fx.selectors import exposure, worth
from fx.selectors import valuation as reads
from fx.services import curves, sources, valuing
from fx.services.rates import Origin, RateIn, record_rates

REPEATS = 9
STORED_REPEATS = 5
# The driver prepares a statement after five turns, the server keeps its plan after five more.
WARM_UPS = 12
# Pair, whether we buy, amount, strike, and QuantLib's value date.
Priceable = tuple[str, bool, float, float, Any]
# A Friday morning in London.
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
PAIRS = ("EUR/USD", "GBP/USD", "USD/AED", "USD/INR", "EUR/GBP", "GBP/INR")
SPOT = {
    "EUR/USD": "1.0869 1.0871",
    "GBP/USD": "1.2649 1.2651",
    "USD/AED": "3.6724 3.6726",
    "USD/INR": "84.9950 85.0050",
    "EUR/GBP": "0.8591 0.8593",
    "GBP/INR": "107.51 107.54",
}
POINTS = {"EUR/USD": (16, 185), "GBP/USD": (2, -17), "USD/AED": (2, 30), "USD/INR": (1350, 17200),
          "EUR/GBP": (10, 160), "GBP/INR": (1700, 21000)}  # fmt: skip
INTEREST = {"USD": "0.04", "EUR": "0.022", "GBP": "0.04", "AED": "0.041", "INR": "0.06"}
TENORS = ("1W", "1M", "2M", "3M", "6M", "9M", "1Y")
DAYS = {"1W": 7, "1M": 30, "2M": 61, "3M": 91, "6M": 182, "9M": 273, "1Y": 365}

_DEALS = """
INSERT INTO fx_deal (id, tenant_id, reference, version, kind, base, quote, side, dealt_currency,
    base_amount, quote_amount, limit_rate, rate, trade_date, value_date, period, counterparty_id,
    pay_account_id, receive_account_id, instruction_id, state, maker_id, why, content_hash,
    usd_equivalent,
    mid_source, created_at, expires_at, executed_at, executed_by_id, counterparty_reference,
    closing_reason, settles_on)
SELECT gen_random_uuid(), %(tenant)s::uuid, 'B' || n, 1, 'DELIVERABLE', p.base, p.quote,
       CASE WHEN n %% 3 = 0 THEN 'SELL' ELSE 'BUY' END, p.base, a.amount,
       round(a.amount * r.rate, 2), r.rate, r.rate, %(trade)s::date,
       (%(dates)s::date[])[1 + (n * 31) %% cardinality(%(dates)s::date[])], 'FORWARD',
       %(party)s::uuid, %(account)s::uuid, %(account)s::uuid, gen_random_uuid(), 'CONFIRMED',
       %(maker)s::uuid, 'bench', '', CASE WHEN p.base = 'USD' THEN a.amount WHEN p.quote = 'USD'
                THEN round(a.amount * r.rate, 2) ELSE 1 END, '', %(at)s, %(at)s, %(at)s,
       %(maker)s::uuid, 'theirs', '',
       (%(dates)s::date[])[1 + (n * 31) %% cardinality(%(dates)s::date[])]
  FROM generate_series(1, %(count)s) n
  JOIN unnest(%(base)s::text[], %(quote)s::text[], %(spot)s::numeric[])
       WITH ORDINALITY p (base, quote, spot, place) ON p.place = 1 + n %% 6,
       LATERAL (SELECT round(p.spot * (0.98 + (n %% 41) * 0.001), 4) AS rate) r,
       LATERAL (SELECT 1000 + (n * 7919) %% 1000000 AS amount) a
"""
_VALUES = """
SELECT d.base, d.quote, count(*), sum(CASE d.side WHEN 'BUY' THEN 1 ELSE -1 END * d.base_amount
       * (r.rate - d.rate) * r.usd) FROM fx_deal d
  JOIN unnest(%s::text[], %s::text[], %s::numeric[], %s::numeric[]) r (base, quote, rate, usd)
    ON r.base = d.base AND r.quote = d.quote
 WHERE d.state IN ('EXECUTED', 'CONFIRMED', 'FAILED') GROUP BY 1, 2
"""
_NEEDS = """
SELECT a.currency, sum(f.amount) FROM treasury_bankaccount a
  LEFT JOIN treasury_expectedflow f ON f.account_id = a.id AND f.value_date BETWEEN %s AND %s
 GROUP BY 1
"""
_MONEY = """
SELECT a.currency, sum(b.balance) FROM treasury_bankaccount a
  LEFT JOIN treasury_newestbalance b ON b.account_id = a.id GROUP BY 1
"""
_HEDGES = """
SELECT c.code, sum(CASE WHEN (d.base = c.code) = (d.side = 'BUY') THEN 1 ELSE -1 END
       * CASE WHEN d.base = c.code THEN d.base_amount ELSE d.quote_amount END)
  FROM fx_deal d JOIN unnest(%s::text[]) c (code) ON c.code IN (d.base, d.quote)
 WHERE d.state IN ('EXECUTED', 'CONFIRMED') AND d.value_date BETWEEN %s AND %s GROUP BY 1
"""


def run(*, quick: bool) -> Iterator[Report]:
    """Yield one report; everybody works over the same deals and the same market."""
    count = 1_000 if quick else 10_000
    with tempfile.TemporaryDirectory() as folder, clock.frozen(NOW):
        tenant = _load(Path(folder), count)
        yield _race(tenant, count)


def _load(folder: Path, count: int) -> UUID:
    built = house.build(folder)
    with bound(built.tenant, actor=house.ACTOR):
        sources.install_usual_sources()
        bank = house.make_bank("DBSSSGSGXXX", "Bank")
        opened = [
            house.open_account(built, bank, number=f"{10**9 + number}", currency=currency)
            for number, currency in enumerate(INTEREST)
        ]
        _record_market()
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO fx_counterparty (id, tenant_id, code, name, bic, lei, tenor_days_max,"
                " is_active) VALUES (gen_random_uuid(), %s, 'BENCH', 'Bench', 'DEALGB2LXXX', '',"
                " 400, true) RETURNING id",
                [built.tenant],
            )
            party = cursor.fetchone()[0]
        dates = _dates()
    facts = {
        "tenant": built.tenant,
        "party": party,
        "account": opened[0].pk,
        "maker": built.maker.pk,
        "count": count,
        "trade": NOW.date(),
        "dates": dates,
        "at": NOW - timedelta(hours=1),
        "base": [pair[:3] for pair in PAIRS],
        "quote": [pair[4:] for pair in PAIRS],
        "spot": [Decimal(SPOT[pair].split()[0]) for pair in PAIRS],
    }
    with database.administrator() as server:
        server.execute("SET session_replication_role = replica")
        server.execute(_DEALS, facts)
    database.analyse(["fx_deal", "fx_rate", "fx_forwardpoint", "fx_interestrate"])
    return built.tenant


def _dates() -> list[date]:
    """Return the good days of all centres from spot to a year after it."""
    market = curve_reads.Market(at=NOW)
    joint = [market.centres(parse_pair(pair)).settlement for pair in PAIRS]
    first = NOW.date() + timedelta(days=10)
    days = [first + timedelta(days=offset) for offset in range(340)]
    return [day for day in days if all(calendar.is_open(day) for calendar in joint)]


def _record_market() -> None:
    at = NOW - timedelta(minutes=1)
    origin = Origin(source=sources.FEED, name="bench", data=b"bench", received_from="bench")
    record_rates(
        origin=origin,
        rates=[
            RateIn(row=1, pair=parse_pair(pair), bid=Decimal(one), ask=Decimal(other), as_of=at)
            for pair, sides in SPOT.items()
            for one, other in [sides.split()]
        ],
    )
    curves.record_points(
        origin=origin,
        points=[
            curves.PointIn(
                row=1,
                pair=parse_pair(pair),
                tenor=tenor,
                bid=Decimal(_points(month, year, DAYS[tenor])),
                ask=Decimal(_points(month, year, DAYS[tenor]) + 2),
                as_of=at,
            )
            for pair, (month, year) in POINTS.items()
            for tenor in TENORS
        ],
    )
    curves.record_interest(
        origin=origin,
        rates=[
            curves.InterestIn(row=1, currency=one, tenor=tenor, rate=Decimal(rate), as_of=at)
            for one, rate in INTEREST.items()
            for tenor in ("1W", "6M", "1Y")
        ],
    )


def _points(month: int, year: int, days: int) -> int:
    """Return made-up points that bend a little at the first month."""
    return month * days // 30 if days <= 30 else month + (year - month) * (days - 30) // 335


def _race(tenant: UUID, count: int) -> Report:
    busy = database.busy_clock()

    def value() -> list[worth.PairValue]:
        with bound(tenant, actor=house.ACTOR):
            return worth.values_now(curve_reads.Market(at=NOW))

    def expose() -> list[exposure.Board]:
        with bound(tenant, actor=house.ACTOR):
            return exposure.board(now=NOW)

    def both() -> None:
        with bound(tenant, actor=house.ACTOR):
            worth.values_now(curve_reads.Market(at=NOW))
            exposure.board(now=NOW)

    peer = _QuantLib(tenant)
    _require_equal(tenant, count, value(), peer)

    def stored() -> float:
        with bound(tenant, actor=house.ACTOR):
            taken = timed(lambda: valuing.revalue(at=NOW), clock=busy)
            transaction.set_rollback(True)
        return taken

    def bare() -> None:
        with bound(tenant, actor=house.ACTOR), connection.cursor() as cursor:
            _bare(cursor)

    for _ in range(WARM_UPS):
        both()
        bare()
    in_turn = (
        _contestant("revalue and expose", "ours", both, count, busy),
        _contestant("  values, by pair", "part", value, count, busy),
        _contestant("  exposure of all currencies", "part", expose, count, busy),
        _contestant("QuantLib, deals read as objects", "peer", peer.from_objects, count, busy),
        _contestant("QuantLib, deals read as columns", "peer", peer.from_columns, count, busy),
        _contestant("QuantLib, in memory", "peer", peer.by_instrument, count, busy),
        _contestant("QuantLib, formula", "peer", peer.by_formula, count, busy),
        _contestant("bare SQL aggregates", "limit", bare, count, busy),
    )
    found = race(in_turn, repeats=REPEATS)
    run = Contestant(
        name="  the run, stored and booked", role="part", work=stored, units={"deals/s": count}
    )
    alone = [run.work() for _ in range(STORED_REPEATS)]
    return Report(
        name="fx_valuation",
        what=f"{count:,} open deals of {len(PAIRS)} pairs valued, {len(INTEREST) - 1} exposures",
        clock="processor (client and server)",
        repeats=REPEATS,
        rows=beside(found, run, alone),
        notes=("QuantLib finds the same cents; only the first two of its four read the deals.",),
    )


def _bare(cursor: object) -> None:
    market = [Decimal(SPOT[pair].split()[0]) for pair in PAIRS]
    codes = [one for one in INTEREST if one != "USD"]
    today = NOW.date()
    until = today + timedelta(days=2)
    bases, quotes = [pair[:3] for pair in PAIRS], [pair[4:] for pair in PAIRS]
    for statement, values in (
        (_VALUES, [bases, quotes, market, market]),
        (_NEEDS, [today, until]),
        (_MONEY, []),
        (_HEDGES, [codes, today, until]),
    ):
        cursor.execute(statement, values)  # type: ignore[attr-defined]
        cursor.fetchall()  # type: ignore[attr-defined]


def _contestant(
    name: str, role: Role, work: Callable[[], object], count: int, busy: Clock
) -> Contestant:
    return Contestant(
        name=name, role=role, work=lambda: timed(work, clock=busy), units={"deals/s": count}
    )


class _QuantLib:
    """The same deals and market in QuantLib, read beforehand; only its own work is timed."""

    def __init__(self, tenant: UUID) -> None:
        self._tenant = tenant
        self.deals = _read_columns(tenant)
        with bound(tenant, actor=house.ACTOR):
            market = curve_reads.Market(at=NOW)
            found = list(reads.open_deals(NOW).order_by("base", "quote", "pk"))
            self.ids = [one.pk for one in found]
            days = sorted({one.value_date for one in found})
            self.pairs = {pair: _PairInQuantLib(parse_pair(pair), market, days) for pair in PAIRS}

    def by_formula(self) -> list[float]:
        """Return the dollars that each deal is worth, by interpolation and discount factor."""
        found = []
        for pair, buys, amount, strike, day in self.deals:
            one = self.pairs[pair]
            forward = one.line(day.serialNumber())
            gained = amount * (forward - strike) * one.interest.discountFactor(one.spot_day, day)
            found.append((gained if buys else -gained) * one.usd)
        return found

    def from_objects(self) -> list[float]:
        """Return the same with the deals read as Django's objects, everything made for each."""
        return self.by_instrument(_read_objects(self._tenant), own_objects=True)

    def from_columns(self) -> list[float]:
        """Return the same with no more of the deals read than is asked for."""
        return self.by_instrument(_read_columns(self._tenant), own_objects=True)

    def by_instrument(
        self, deals: list[Priceable] | None = None, *, own_objects: bool = False
    ) -> list[float]:
        """Return the same, each deal an instrument with its own net present value."""
        found = []
        last = ""
        for pair, buys, amount, strike, day in deals or self.deals:
            one = self.pairs[pair]
            if pair != last:  # values are those of the pair's own spot date
                last, ql.Settings.instance().evaluationDate = pair, one.spot_day
            deal = ql.FxForward(amount, one.base, one.quote, strike, day, not buys, 0)
            deal.setPricingEngine(one.own_engine(day) if own_objects else one.engine)
            found.append(deal.NPV() * one.spot * one.usd)
        return found


def _read_objects(tenant: UUID) -> list[Priceable]:
    """Return the open deals from the database, pair by pair, as QuantLib takes them."""
    with bound(tenant, actor=house.ACTOR):
        return [
            (
                one.pair,
                one.side == "BUY",
                float(one.base_amount),
                float(one.rate or 0),
                _date(one.value_date),
            )
            for one in reads.open_deals(NOW).order_by("base", "quote", "pk")
        ]


def _read_columns(tenant: UUID) -> list[Priceable]:
    """Return the same, read as plain columns."""
    names = ("base", "quote", "side", "base_amount", "rate", "value_date")
    with bound(tenant, actor=house.ACTOR):
        deals = reads.open_deals(NOW).order_by("base", "quote", "pk").values_list(*names)
        return [
            (f"{base}/{quote}", side == "BUY", float(amount), float(rate or 0), _date(day))
            for base, quote, side, amount, rate, day in deals
        ]


class _PairInQuantLib:
    """A pair's curves: points by date, interest of the quote, and what both say of the base."""

    def __init__(self, pair: Pair, market: curve_reads.Market, days: list[date]) -> None:
        curve = market.curve(pair)
        self.spot = float(market.spot(pair).mid)
        self.spot_day = _date(curve.spot)
        self.usd = float(market.usd_per(pair.quote))
        mids = [one.points.bid + one.points.ask for one in curve.pillars]
        self._days = [_date(one.day).serialNumber() for one in curve.pillars]
        self._mids = [self.spot + float(mid / 2 * pair.pip) for mid in mids]
        self._count = ql.Actual365Fixed() if year_days(pair.quote) == 365 else ql.Actual360()
        self._rate = float(market.interest_of(pair, pair.quote).pillars[0][1])
        self.base, self.quote = (
            getattr(ql, f"{code}Currency", ql.Currency)(*_facts(code)) for code in pair.currencies
        )
        self.line, self.interest = self._own_line(), self._own_interest()
        self.engine = self._engine([_date(day) for day in days], self.line, self.interest)

    def own_engine(self, day: Any) -> Any:
        """Return an engine for one date, and make all that it is made of."""
        return self._engine([day], self._own_line(), self._own_interest())

    def _own_line(self) -> Any:
        return ql.LinearInterpolation(self._days, self._mids)

    def _own_interest(self) -> Any:
        return ql.InterestRate(self._rate, self._count, ql.Simple, ql.Annual)

    def _engine(self, days: list[Any], line: Any, interest: Any) -> Any:
        """Return an engine whose two curves know these days."""
        dates = [self.spot_day, *days]
        far = [interest.discountFactor(self.spot_day, day) for day in dates]
        near = [
            factor * line(day.serialNumber()) / self.spot
            for factor, day in zip(far, dates, strict=True)
        ]
        made = [
            ql.YieldTermStructureHandle(ql.DiscountCurve(dates, factors, ql.Actual365Fixed()))
            for factors in (near, far)
        ]
        return ql.DiscountingFxForwardEngine(*made, ql.QuoteHandle(ql.SimpleQuote(self.spot)))


def _facts(code: str) -> tuple[object, ...]:
    """Return what QuantLib asks of a currency that it does not know by itself."""
    if hasattr(ql, f"{code}Currency"):
        return ()
    return (code, code, 0, code, "", 100, ql.Rounding(), "")


def _date(day: date) -> ql.Date:
    return ql.Date(day.day, day.month, day.year)


def _require_equal(tenant: UUID, count: int, ours: list[worth.PairValue], peer: _QuantLib) -> None:
    """Demand that every deal's value is QuantLib's to the cent, or there is no race."""
    assert sum(one.deals for one in ours) == count
    with bound(tenant, actor=house.ACTOR):
        done = valuing.revalue(at=NOW)
        assert (done.run.deals_count, done.run.missing_count) == (count, 0)
        assert done.run.unrealised_usd == sum(one.pnl_usd for one in ours)
        rows = dict(reads.valuations().filter(run=done.run).values_list("deal_id", "pnl_usd"))
        for how in (
            peer.by_formula,
            peer.by_instrument,
            peer.from_columns,
            peer.from_objects,
        ):
            for deal, key, theirs in zip(peer.deals, peer.ids, how(), strict=True):
                off = abs(float(rows[key]) - theirs)
                assert off <= 0.0051 + abs(theirs) * 1e-8, (how, deal, rows[key], theirs)
        transaction.set_rollback(True)
