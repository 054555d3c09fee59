"""Quotes, amounts and forwards: worked examples, what must always hold, and a peer."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from random import Random
from typing import Any

import pytest
import QuantLib
from hypothesis import given
from hypothesis import strategies as some

from core.errors import Invalid
from core.money import Money, smallest_unit
from fx.engine import quotes
from fx.engine.pairs import Pair, parse_pair
from fx.engine.quotes import Deposits, Fault, Limits, Points, Quote, Side
from fx.errors import QuoteRefused, RateMissing

NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
LIMITS = Limits(
    age_max=timedelta(minutes=15), ahead_max=timedelta(seconds=30), move_max=Decimal("0.05")
)
D = Decimal


def quote(pair: str, bid: str, ask: str, *, minutes_old: float = 0, source: str = "FEED") -> Quote:
    return Quote(
        pair=parse_pair(pair),
        bid=D(bid),
        ask=D(ask),
        at=NOW - timedelta(minutes=minutes_old),
        sources=(source,),
    )


def book(*found: Quote) -> dict[Pair, Quote]:
    return {one.pair: one for one in found}


EURUSD = quote("EUR/USD", "1.0868", "1.0870", minutes_old=3, source="A")
GBPUSD = quote("GBP/USD", "1.2648", "1.2650", minutes_old=5, source="B")
USDINR = quote("USD/INR", "84.9950", "85.0050", source="C")


def test_a_cross_multiplies_bid_with_bid_and_ask_with_ask() -> None:
    found = quotes.require_quote(Pair("EUR", "INR"), book(EURUSD, USDINR))
    assert (found.bid, found.ask) == (D("1.0868") * D("84.9950"), D("1.0870") * D("85.0050"))
    assert found.sources == ("A", "C")
    assert found.at == EURUSD.at


def test_a_cross_of_two_dollar_bases_divides_by_the_other_side() -> None:
    found = quotes.require_quote(Pair("GBP", "EUR"), book(EURUSD, GBPUSD))
    assert found.bid == pytest.approx(D("1.2648") / D("1.0870"), abs=D("1e-25"))
    assert found.ask == pytest.approx(D("1.2650") / D("1.0868"), abs=D("1e-25"))
    assert found.at == GBPUSD.at


def test_an_inverse_swaps_the_sides() -> None:
    found = quotes.inverted(USDINR)
    assert found.pair == Pair("INR", "USD")
    assert found.bid == D(1) / D("85.0050")
    assert found.ask == D(1) / D("84.9950")
    assert found.bid < found.ask


def test_the_way_through_the_euro_is_found_where_the_dollar_gives_none() -> None:
    found = quotes.require_quote(
        Pair("GBP", "INR"), book(quote("EUR/GBP", "0.85", "0.86"), quote("EUR/INR", "92", "93"))
    )
    assert found.bid == pytest.approx(D(92) / D("0.86"), abs=D("1e-20"))


def test_a_rate_that_is_missing_is_an_error_and_never_one() -> None:
    with pytest.raises(RateMissing, match="no fresh rate for GBP/INR"):
        quotes.require_quote(Pair("GBP", "INR"), book(EURUSD, USDINR))
    with pytest.raises(RateMissing):
        quotes.converted(Money(D(100), "GBP"), "INR", book(EURUSD))


def test_quotes_without_a_common_currency_make_no_cross() -> None:
    with pytest.raises(QuoteRefused):
        quotes.crossed(EURUSD, GBPUSD)


def test_we_buy_at_the_ask_and_sell_at_the_bid() -> None:
    assert (EURUSD.taken(Side.BUY), EURUSD.taken(Side.SELL)) == (D("1.0870"), D("1.0868"))
    assert (EURUSD.mid, EURUSD.spread_pips) == (D("1.0869"), D(2))


@pytest.mark.parametrize(
    ("found", "fault"),
    [
        (quote("EUR/USD", "0", "1.0870"), Fault.NOT_POSITIVE),
        (quote("EUR/USD", "NaN", "1.0870"), Fault.NOT_POSITIVE),
        (quote("EUR/USD", "1.0868", "Infinity"), Fault.NOT_POSITIVE),
        (quote("EUR/USD", "1.0871", "1.0870"), Fault.CROSSED),
        (quote("EUR/USD", "1.086812", "1.0870"), Fault.DIGITS),
        (quote("EUR/USD", "1.0868", "1.0870", minutes_old=15.01), Fault.STALE),
        (quote("EUR/USD", "1.0868", "1.0870", minutes_old=-0.51), Fault.FUTURE),
        (quote("EUR/USD", "1.1413", "1.1414"), Fault.MOVED),
        (quote("USD/AED", "3.6680", "3.6690"), Fault.OFF_PEG),
        (quote("USD/AED", "3.6725", "3.6770"), Fault.OFF_PEG),
    ],
)
def test_what_is_wrong_with_a_quote_has_a_name(found: Quote, fault: Fault) -> None:
    last = EURUSD if found.pair == EURUSD.pair else None
    assert [one.fault for one in quotes.faults(found, now=NOW, limits=LIMITS, last=last)] == [fault]


@pytest.mark.parametrize(
    "found",
    [
        EURUSD,
        quote("EUR/USD", "1.08681", "1.08699"),  # tenths of a pip
        quote("EUR/USD", "1.0868", "1.0868"),
        quote("EUR/USD", "1.0868", "1.0870", minutes_old=15),
        quote("EUR/USD", "1.1412", "1.1412"),
        quote("USD/AED", "3.6725", "3.6730"),
        quote("USD/AED", "3.6684", "3.6766"),  # a tenth of a percent around the peg
    ],
)
def test_a_quote_at_its_limits_is_fine(found: Quote) -> None:
    last = EURUSD if found.pair == EURUSD.pair else None
    assert quotes.faults(found, now=NOW, limits=LIMITS, last=last) == []


def test_sources_that_disagree_are_named() -> None:
    near = quote("EUR/USD", "1.0870", "1.0872", source="NEAR")
    far = quote("EUR/USD", "1.1000", "1.1002", source="FAR")
    found = quotes.disagreements([EURUSD, near, far], tolerance=D("0.005"))
    assert [(one.sources, other.sources) for one, other in found] == [(("A",), ("FAR",))]
    assert quotes.disagreements([], tolerance=D("0.005")) == []


@pytest.mark.parametrize(
    ("dealt", "pair", "rate", "other"),
    [
        ("1000000 EUR", "EUR/USD", "1.08695", "1086950.00 USD"),
        ("1000000 USD", "EUR/USD", "1.08695", "920005.52 EUR"),
        ("1000000 USD", "USD/JPY", "151.235", "151235000 JPY"),
        ("100.01 USD", "USD/JPY", "151.235", "15125 JPY"),
        ("2.50 USD", "USD/KWD", "0.3073", "0.768 KWD"),
        ("1.50 EUR", "EUR/USD", "1.01", "1.52 USD"),  # 1.515: half up, not half even
        ("2.50 EUR", "EUR/USD", "1.01", "2.53 USD"),  # 2.525: half even would give 2.52
    ],
)
def test_the_dealt_amount_is_exact_and_the_other_one_rounds_half_up(
    dealt: str, pair: str, rate: str, other: str
) -> None:
    amount, currency = dealt.split()
    found = quotes.contra(Money(D(amount), currency), parse_pair(pair), D(rate))
    assert f"{found.amount} {found.currency}" == other


def test_amounts_need_a_rate_and_a_currency_of_the_pair() -> None:
    for dealt, rate in (("GBP", "1.1"), ("EUR", "0"), ("EUR", "-1"), ("EUR", "NaN")):
        with pytest.raises(QuoteRefused):
            quotes.contra(Money(D(1), dealt), parse_pair("EUR/USD"), D(rate))


def test_a_conversion_names_its_quote() -> None:
    found, used = quotes.converted(Money(D(100), "EUR"), "INR", book(EURUSD, USDINR))
    assert used is not None
    assert used.sources == ("A", "C")
    assert found == Money((D(100) * used.mid).quantize(D("0.01")), "INR")
    assert quotes.converted(Money(D(5), "EUR"), "EUR", {}) == (Money(D(5), "EUR"), None)


def test_points_are_added_after_spot() -> None:
    found = quotes.after_spot(EURUSD, Points(bid=D(20), ask=D(22)))
    assert (found.bid, found.ask) == (D("1.0888"), D("1.0892"))


def test_points_before_spot_are_taken_off_with_their_sides_swapped() -> None:
    """Tom: bid − TN ask, ask − TN bid; cash takes ON off as well."""
    tomorrow, overnight = Points(bid=D("0.5"), ask=D("0.7")), Points(bid=D("0.4"), ask=D("0.6"))
    tom = quotes.before_spot(EURUSD, tomorrow)
    assert (tom.bid, tom.ask) == (D("1.08673"), D("1.08695"))
    cash = quotes.before_spot(EURUSD, tomorrow, overnight)
    assert (cash.bid, cash.ask) == (D("1.08667"), D("1.08691"))
    naive = quotes.after_spot(EURUSD, Points(bid=D("-0.5"), ask=D("-0.7")))
    assert naive.ask - naive.bid < EURUSD.ask - EURUSD.bid < tom.ask - tom.bid


def test_a_forward_from_deposits() -> None:
    """85 × (1 + 6 % × 90/365) / (1 + 4 % × 90/360) = 85.4035."""
    found = quotes.forward_rate(
        D("85.00"),
        parse_pair("USD/INR"),
        Deposits(base=D("0.04"), quote=D("0.06")),
        near=date(2026, 11, 24),
        far=date(2027, 2, 22),
    )
    assert found.quantize(D("0.0001")) == D("85.4035")
    points = quotes.forward_points(D("85.00"), found, parse_pair("USD/INR"))
    assert points.quantize(D("0.1")) == D("4035.0")  # 85.4035 − 85 in pips


def test_a_non_deliverable_forward_settles_in_dollars() -> None:
    notional = Money(D("1000000.00"), "USD")
    bought = quotes.ndf_settlement(notional, strike=D("85.0000"), fixing=D("86.0000"))
    assert bought == Money(D("11627.91"), "USD")
    paid = quotes.ndf_settlement(notional, strike=D("86.0000"), fixing=D("85.0000"))
    assert paid == Money(D("-11764.71"), "USD")
    with pytest.raises(QuoteRefused):
        quotes.ndf_settlement(notional, strike=D("85.0000"), fixing=D(0))


RATES = some.decimals(min_value="0.005", max_value="200", places=4)
SPREADS = some.decimals(min_value="0", max_value="0.05", places=4)


@given(bid=RATES, spread=SPREADS, other=RATES, width=SPREADS)
def test_no_cross_and_no_inverse_ever_crosses_its_sides(
    bid: Decimal, spread: Decimal, other: Decimal, width: Decimal
) -> None:
    eurusd = quote("EUR/USD", str(bid), str(bid + spread))
    gbpusd = quote("GBP/USD", str(other), str(other + width))
    found = quotes.require_quote(Pair("EUR", "GBP"), book(eurusd, gbpusd))
    back = quotes.inverted(quotes.inverted(eurusd))
    assert 0 < found.bid <= found.ask
    assert abs(back.bid - eurusd.bid) < D("1e-22")
    assert quotes.inverted(found).bid <= quotes.inverted(found).ask


@given(
    amount=some.decimals(min_value="0.01", max_value="9999999999", places=2),
    rate=RATES,
    pair=some.sampled_from(["EUR/USD", "USD/INR", "USD/JPY", "USD/KWD"]),
)
def test_the_other_amount_is_within_half_a_unit(amount: Decimal, rate: Decimal, pair: str) -> None:
    found = parse_pair(pair)
    there = quotes.contra(Money(amount, found.base), found, rate)
    assert abs(there.amount - amount * rate) <= smallest_unit(there.currency) / 2
    assert there == there.quantized()


def test_forwards_and_settlements_agree_with_a_peer_on_ten_thousand_cases() -> None:
    """QuantLib's own interest rates and forward payoff, random rates and days, to 1e-12."""
    rng, pairs = Random(7), ("EUR/USD", "GBP/USD", "USD/INR", "USD/AED", "EUR/INR")
    for _ in range(10_000):
        pair = parse_pair(rng.choice(pairs))
        spot = D(rng.randrange(5_000, 1_500_000)).scaleb(-4)
        deposits = Deposits(
            base=D(rng.randrange(-50, 1_200)).scaleb(-4),
            quote=D(rng.randrange(-50, 1_200)).scaleb(-4),
        )
        near = date(2026, 1, 1) + timedelta(days=rng.randrange(700))
        far = near + timedelta(days=rng.randrange(1, 400))
        ours = quotes.forward_rate(spot, pair, deposits, near=near, far=far)
        theirs = float(spot) * _grown(deposits.quote, pair.quote, near, far)
        theirs /= _grown(deposits.base, pair.base, near, far)
        assert float(ours) == pytest.approx(theirs, rel=1e-12)
        points = float(quotes.forward_points(spot, ours, pair))
        assert points == pytest.approx((theirs - float(spot)) / float(pair.pip), abs=1e-6)
        _compare_settlement(spot, ours)


def _grown(rate: Decimal, currency: str, near: date, far: date) -> float:
    counting = QuantLib.Actual365Fixed() if currency in {"GBP", "INR"} else QuantLib.Actual360()
    interest = QuantLib.InterestRate(float(rate), counting, QuantLib.Simple, QuantLib.Annual)
    span = [QuantLib.Date(one.day, one.month, one.year) for one in (near, far)]
    factor: float = interest.compoundFactor(*span)
    return factor


def _compare_settlement(strike: Decimal, fixing: Decimal) -> None:
    """The peer's long minus short vanilla payoff at the strike, paid at the fixing."""
    call: Any = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, float(strike))
    put: Any = QuantLib.PlainVanillaPayoff(QuantLib.Option.Put, float(strike))
    peer = 1_000_000 * (call(float(fixing)) - put(float(fixing))) / float(fixing)
    ours = quotes.ndf_settlement(Money(D(1_000_000), "USD"), strike=strike, fixing=fixing)
    assert float(ours.amount) == pytest.approx(peer, abs=0.0051)


def test_a_currency_is_three_capital_letters() -> None:
    with pytest.raises(Invalid):
        Pair("EUR", "US")
