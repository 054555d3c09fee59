"""Curves and values: worked examples, invariants, and QuantLib on generated cases."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as st

from fx.engine import curves
from fx.engine.curves import (
    Curve,
    Interest,
    MidLine,
    Pillar,
    curve_of,
    in_order,
    middle,
    outright,
    points_on,
)
from fx.engine.hours import open_time
from fx.engine.pairs import Pair, parse_pair
from fx.engine.quotes import ONE, Points, Quote, Side, year_days
from fx.engine.valuation import Moved, Open, Priced, moved_by, worth_of
from fx.errors import CurveEnds, CurveMissing, InterestMissing, TenorUnknown
from tests.fx.centres import centres

D = Decimal
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
FRIDAY = date(2026, 11, 20)
SPOT = date(2026, 11, 24)  # EUR/USD: two days, the weekend between


def points(bid: str, ask: str = "") -> Points:
    return Points(bid=D(bid), ask=D(ask or bid))


def quote(bid: str, ask: str = "", *, pair: str = "EUR/USD") -> Quote:
    return Quote(pair=parse_pair(pair), bid=D(bid), ask=D(ask or bid), at=AT)


EURO = curve_of(
    centres("EUR/USD"),
    FRIDAY,
    {
        "ON": points("0.3", "0.6"),
        "TN": points("0.4", "0.5"),
        "1W": points("3", "4"),
        "1M": points("14", "15"),
    },
)


def test_pillars_count_from_spot_of_the_trading_day() -> None:
    assert [(one.tenor, one.day) for one in EURO.pillars] == [
        ("ON", FRIDAY),
        ("TN", date(2026, 11, 23)),
        ("SPOT", SPOT),
        ("1W", date(2026, 12, 1)),
        ("1M", date(2026, 12, 24)),
    ]


def test_the_line_of_middles_is_the_middle_of_the_outrights_on_every_date() -> None:
    spot = quote("1.08691", "1.08714")
    line = MidLine(EURO, spot)
    days = [FRIDAY + timedelta(days=offset) for offset in range(35)]
    assert days[-1] == EURO.last
    for day in days:
        assert line.on(day) == middle(outright(EURO, spot, day)), day
    with pytest.raises(CurveEnds):
        line.on(EURO.last + timedelta(days=1))
    with pytest.raises(CurveMissing):
        line.on(FRIDAY - timedelta(days=1))


def test_between_pillars_points_are_linear_in_days_and_nought_at_spot() -> None:
    assert points_on(EURO, SPOT) == points("0")
    assert points_on(EURO, date(2026, 12, 1)) == points("3", "4")
    # Ten of the twenty-three days from the week to the month: 3 + 11 · 10/23.
    found = points_on(EURO, date(2026, 12, 11))
    assert found.bid.quantize(D("1E-10")) == (3 + D(110) / 23).quantize(D("1E-10"))
    assert points_on(EURO, date(2026, 11, 25)).bid == pytest.approx(D(3) / 7)


def test_before_spot_points_are_taken_off_with_their_sides_changed() -> None:
    """TN is 0.4/0.5: tomorrow is bid 0.5 below the spot bid, asked 0.4 below the spot ask."""
    spot = quote("1.0869", "1.0871")
    tom = outright(EURO, spot, date(2026, 11, 23))
    assert (tom.bid, tom.ask) == (D("1.08685"), D("1.08706"))
    cash = outright(EURO, spot, FRIDAY)
    assert (cash.bid, cash.ask) == (D("1.08679"), D("1.08703"))
    assert tom.ask - tom.bid > spot.ask - spot.bid


def test_a_pair_of_one_day_has_no_tn() -> None:
    curve = curve_of(centres("USD/CAD"), date(2026, 11, 18), {"ON": points("1", "2")})
    assert [one.tenor for one in curve.pillars] == ["ON", "SPOT"]


def test_nothing_is_extrapolated() -> None:
    with pytest.raises(CurveEnds, match="the points end on 2026-12-24"):
        points_on(EURO, date(2026, 12, 25))
    short = curve_of(centres("EUR/USD"), FRIDAY, {"1M": points("14")})
    with pytest.raises(CurveMissing, match="no ON or TN points"):
        points_on(short, FRIDAY)
    with pytest.raises(TenorUnknown):
        curves.require_tenor("SOON")


def test_of_two_tenors_on_one_date_the_first_counts() -> None:
    curve = curve_of(centres("EUR/USD"), FRIDAY, {"1W": points("3"), "7D": points("9")})
    assert points_on(curve, date(2026, 12, 1)) == points("3")


def test_tenors_are_read_from_the_shortest_on() -> None:
    assert in_order(["1Y", "1M", "ON", "2W", "SN", "TN"]) == ["ON", "TN", "SN", "2W", "1M", "1Y"]


def flat(currency: str, rate: str, *, spot: date = SPOT, days: int = 400) -> Interest:
    return Interest(currency=currency, spot=spot, pillars=((spot + timedelta(days), D(rate)),))


def test_parity_of_ninety_days() -> None:
    """85 × (1 + 6 % × 90/365) / (1 + 4 % × 90/360) = 85.4035."""
    spot, day = quote("85.00", pair="USD/INR"), SPOT + timedelta(days=90)
    found = curves.at_parity(spot, flat("USD", "0.04"), flat("INR", "0.06"), day)
    assert middle(found).quantize(D("0.0001")) == D("85.4035")


def test_a_discount_counts_from_spot_on_the_currencys_own_year() -> None:
    day = SPOT + timedelta(days=73)
    assert curves.discount(flat("INR", "0.05"), day) == (1 / D("1.01")).quantize(D("1E-16"))
    assert curves.discount(flat("INR", "0.05"), SPOT) == ONE
    assert curves.discount(flat("USD", "0.05"), day) == pytest.approx(1 / (1 + D("3.65") / 360))
    with pytest.raises(InterestMissing, match="No interest of INR"):
        curves.discount(Interest(currency="INR", spot=SPOT, pillars=()), day)
    with pytest.raises(CurveEnds):
        curves.discount(flat("INR", "0.05", days=30), day)


@pytest.mark.parametrize(
    ("since", "until", "hours"),
    [
        ("2026-11-20T10:00:00Z", "2026-11-20T11:00:00Z", 1.0),
        ("2026-11-20T21:00:00Z", "2026-11-22T23:00:00Z", 2.0),  # Friday 16:00 to Sunday 18:00
        ("2026-11-21T10:00:00Z", "2026-11-22T10:00:00Z", 0.0),
        ("2026-03-06T21:00:00Z", "2026-03-08T22:00:00Z", 2.0),  # clocks go on in New York
        ("2026-11-13T12:00:00Z", "2026-11-23T12:00:00Z", 240 - 96.0),
        ("2026-11-20T11:00:00Z", "2026-11-20T10:00:00Z", 0.0),
    ],
)
def test_weekends_age_no_price(since: str, until: str, hours: float) -> None:
    found = open_time(datetime.fromisoformat(since), datetime.fromisoformat(until))
    assert found == timedelta(hours=hours)


def deal(
    side: str = "BUY", *, strike: str = "85", ndf: bool = False, amount: str = "1000000"
) -> Open:
    return Open(side=Side(side), is_ndf=ndf, amount=D(amount), strike=D(strike), quote="INR")


def priced(forward: str, *, spot: str = "85", discount: str = "1", usd: str = "1") -> Priced:
    return Priced(spot=D(spot), forward=D(forward), discount=D(discount), usd_rate=D(usd))


def test_an_ndf_pays_its_difference_in_dollars() -> None:
    """One million dollars bought at 85 and fixed at 86 bring 11,627.91 dollars."""
    found = worth_of(deal(ndf=True), priced("86"))
    assert (found.usd, found.quote) == (D("11627.91"), D("1000000.00"))
    assert worth_of(deal("SELL", ndf=True), priced("86")).usd == D("-11627.91")


def test_a_deliverable_gain_is_discounted_and_changed_at_spot() -> None:
    """1,000,000 · (86 − 85) · 0.99 rupees at 1/85."""
    found = worth_of(deal(), priced("86", discount="0.99", usd="0.0117647058823529"))
    assert (found.quote, found.usd) == (D("990000.00"), D("11647.06"))


RATES = st.decimals("0.0001", "9999", places=10)
FACTORS = st.decimals("0.0001", "1.5", places=16)
MARKETS = st.builds(Priced, spot=RATES, forward=RATES, discount=FACTORS, usd_rate=FACTORS)
DEALS = st.builds(
    Open,
    side=st.sampled_from(list(Side)),
    is_ndf=st.booleans(),
    amount=st.decimals("0.01", "5000000", places=2),
    strike=RATES,
    quote=st.sampled_from(["INR", "USD", "JPY", "KWD"]),
)


@given(DEALS, MARKETS)
def test_who_sells_loses_what_who_buys_gains(bought: Open, market: Priced) -> None:
    sides = {Side.BUY: Side.SELL, Side.SELL: Side.BUY}
    sold = Open(
        side=sides[bought.side],
        is_ndf=bought.is_ndf,
        amount=bought.amount,
        strike=bought.strike,
        quote=bought.quote,
    )
    assert worth_of(sold, market).usd == -worth_of(bought, market).usd


@given(DEALS, MARKETS, MARKETS)
def test_the_steps_of_a_change_add_up_to_it(held: Open, before: Priced, after: Priced) -> None:
    if after.spot + before.forward - before.spot <= 0:
        return
    moved = moved_by(held, before, after)
    change = worth_of(held, after).usd - worth_of(held, before).usd
    assert moved.rate + moved.carry == change
    assert moved_by(held, before, before) == Moved(rate=D("0.00"), carry=D("0.00"))


CURVES = 60
CASES = 120  # dates a curve


def _date(day: date) -> Any:
    return QuantLib.Date(day.day, day.month, day.year)


def test_forwards_discounts_and_values_are_quantlibs() -> None:
    """7,200 generated forwards, discount factors and values, all within a cent and 1e-9."""
    random, seen = Random(20), 0
    for _ in range(CURVES):
        pair = parse_pair(random.choice(["EUR/USD", "GBP/USD", "USD/INR", "USD/AED", "USD/JPY"]))
        spot = D(random.randrange(10_000, 1_000_000)) / 10_000
        days = sorted(random.sample(range(1, 400), 8))
        ours = _curve(pair, [(day, random.randrange(-2_000, 2_000)) for day in days])
        rate = D(random.randrange(-50, 900)) / 10_000
        money = flat(pair.quote, f"{rate}")
        count = QuantLib.Actual365Fixed() if year_days(pair.quote) == 365 else QuantLib.Actual360()
        theirs = QuantLib.InterestRate(float(rate), count, QuantLib.Simple, QuantLib.Annual)
        line = QuantLib.LinearInterpolation(
            [float(one.day.toordinal()) for one in ours.pillars],
            [float(spot + one.points.bid * pair.pip) for one in ours.pillars],
        )
        for _ in range(CASES):
            day = SPOT + timedelta(days=random.randrange(days[-1] + 1))
            held = deal(
                random.choice(["BUY", "SELL"]),
                strike=f"{spot * D(random.randrange(9_000, 11_000)) / 10_000:.4f}",
                amount=f"{random.randrange(1, 500_000_000)}e-2",
            )
            forward = middle(outright(ours, quote(f"{spot}", pair=str(pair)), day))
            factor = curves.discount(money, day)
            assert float(forward) == pytest.approx(line(float(day.toordinal())), rel=1e-9)
            peer = theirs.discountFactor(_date(SPOT), _date(day))
            assert float(factor) == pytest.approx(peer, rel=1e-12)
            sign = 1 if held.side is Side.BUY else -1
            gained = sign * float(held.amount) * (line(float(day.toordinal())) - float(held.strike))
            value = worth_of(held, priced(f"{forward}", discount=f"{factor}")).quote
            assert float(value) == pytest.approx(gained * peer, rel=1e-6, abs=0.0051)
            seen += 1
    assert seen == CURVES * CASES


def _curve(pair: Pair, given_points: list[tuple[int, int]]) -> Curve:
    pillars = [Pillar(tenor="SPOT", day=SPOT, points=points("0"))]
    pillars += [
        Pillar(tenor=f"{days}D", day=SPOT + timedelta(days=days), points=points(f"{pips}"))
        for days, pips in given_points
    ]
    return Curve(centres=centres(str(pair)), spot=SPOT, pillars=tuple(pillars))
