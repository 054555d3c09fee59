"""The rules of a deal: exactly at a limit is allowed, a cent more is not."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from core.money import Money
from fx.engine.limits import (
    Allowed,
    Market,
    Rule,
    Standing,
    Terms,
    breaches,
    looks_split,
    slipped,
    worth_in_usd,
)
from fx.engine.pairs import parse_pair
from fx.engine.quotes import Quote, Side, contra

D = Decimal
AT = datetime(2026, 11, 20, 10, tzinfo=UTC)
NOTHING = Standing(day_usd=D(0), settlement_usd=D(0))
ALLOWED = Allowed(
    currencies=("USD", "EUR", "GBP", "AED", "INR"),
    deal_usd=D(5_000_000),
    day_usd=None,
    settlement_usd=None,
    tenor_days=370,
    off_market=D("0.01"),
    forward_a_year=D("0.05"),
)


def terms(pair: str, dealt: str, rate: str, *, value: date = date(2026, 11, 24)) -> Terms:
    found = parse_pair(pair)
    amount, currency = dealt.split()
    known = Money(D(amount), currency)
    other = contra(known, found, D(rate))
    base, quote = (known, other) if currency == found.base else (other, known)
    return Terms(
        pair=found,
        side=Side.BUY,
        base=base,
        quote=quote,
        rate=D(rate),
        trade=date(2026, 11, 20),
        spot=date(2026, 11, 24),
        value=value,
    )


def market(deal: Terms, mid: str = "", usd: str | None = None) -> Market:
    rate = D(mid) if mid else deal.rate
    quote = Quote(pair=deal.pair, bid=rate, ask=rate, at=AT, sources=("FEED",))
    return Market(quote=quote, usd_per_base=D(usd) if usd else D(1))


def rules(deal: Terms, found: Market | None = None, **allowed: Any) -> list[Rule]:
    limits = replace(ALLOWED, **allowed)
    return [one.rule for one in breaches(deal, found or market(deal), NOTHING, limits)]


@pytest.mark.parametrize(
    ("pair", "dealt", "rate", "broken"),
    [
        ("USD/INR", "5000000.00 USD", "85.0000", []),
        ("USD/INR", "5000000.01 USD", "85.0000", [Rule.LIMIT_DEAL]),
        ("EUR/USD", "4600000 EUR", "1.0870", [Rule.LIMIT_DEAL]),  # 5,000,200
        ("GBP/USD", "3950000 GBP", "1.2650", []),  # 4,996,750
        ("EUR/USD", "5000000.00 USD", "1.0870", []),
        ("EUR/USD", "5000000.01 USD", "1.0870", [Rule.LIMIT_DEAL]),
    ],
)
def test_five_million_dollars_may_be_dealt(
    pair: str, dealt: str, rate: str, broken: list[Rule]
) -> None:
    assert rules(terms(pair, dealt, rate)) == broken


def test_a_cross_is_worth_its_base_in_dollars_rounded_up() -> None:
    deal = terms("EUR/GBP", "4600000.01 EUR", "0.8600")
    assert worth_in_usd(deal.base, deal.quote, D("1.08695652")) == D("5000000.0029")
    assert rules(deal, market(deal, usd="1.08695652")) == [Rule.LIMIT_DEAL]
    exact = terms("EUR/GBP", "4600000.00 EUR", "0.8600")
    assert rules(exact, market(exact, usd="1.0869565217")) == []


def test_without_a_rate_nothing_is_assumed() -> None:
    deal = terms("EUR/GBP", "1000 EUR", "0.8600")
    blind = Market(quote=None, usd_per_base=None)
    assert rules(deal, blind) == [Rule.RATE_MISSING, Rule.RATE_MISSING]
    assert worth_in_usd(deal.base, deal.quote, None) is None


def test_limits_of_a_counterparty_count_what_else_was_dealt() -> None:
    deal = terms("USD/INR", "1000000 USD", "85.0000")
    standing = Standing(day_usd=D(4_000_000), settlement_usd=D(6_000_000))
    at_limit = replace(ALLOWED, day_usd=D(5_000_000), settlement_usd=D(7_000_000))
    assert breaches(deal, market(deal), standing, at_limit) == []
    below = replace(ALLOWED, day_usd=D("4999999.99"), settlement_usd=D("6999999.99"))
    found = breaches(deal, market(deal), standing, below)
    assert [one.rule for one in found] == [Rule.LIMIT_DAY, Rule.LIMIT_SETTLEMENT]
    assert "would be 5,000,000.00 USD: the limit is 4,999,999.99 USD, 0.01 USD" in found[0].words


def test_tenor_and_currencies() -> None:
    deal = terms("USD/INR", "1000 USD", "85.0000", value=date(2027, 11, 25))
    assert rules(deal) == []
    assert rules(deal, tenor_days=369) == [Rule.LIMIT_TENOR]
    assert rules(deal, currencies=("USD", "EUR")) == [Rule.PAIR]


@pytest.mark.parametrize(
    ("rate", "value", "broken"),
    [
        ("85.8500", date(2026, 11, 24), []),  # exactly one percent
        ("85.8501", date(2026, 11, 24), [Rule.OFF_MARKET]),
        ("84.1499", date(2026, 11, 24), [Rule.OFF_MARKET]),
        ("89.2500", date(2027, 9, 12), []),  # 292 days: another four percent
        ("90.2500", date(2027, 9, 12), [Rule.OFF_MARKET]),
    ],
)
def test_a_rate_off_the_market_is_refused(rate: str, value: date, broken: list[Rule]) -> None:
    deal = terms("USD/INR", "1000 USD", rate, value=value)
    assert rules(deal, market(deal, "85.0000")) == broken


@pytest.mark.parametrize(
    ("side", "executed", "is_worse"),
    [
        (Side.BUY, "85.0850", False),
        (Side.BUY, "85.0851", True),
        (Side.BUY, "80.0000", False),
        (Side.SELL, "84.9150", False),
        (Side.SELL, "84.9149", True),
        (Side.SELL, "90.0000", False),
    ],
)
def test_a_worse_rate_than_approved_is_refused(side: Side, executed: str, is_worse: bool) -> None:
    found = slipped(side, approved=D("85.0000"), executed=D(executed), tolerance=D("0.001"))
    assert (found is not None) is is_worse


@pytest.mark.parametrize(
    ("worth", "others", "split"),
    [
        ("4900000", ["4800000"], True),
        ("4750000", ["4750000"], True),
        ("4749999.99", ["4900000"], False),
        ("4900000", [], False),
        ("4900000", ["1000"], False),
    ],
)
def test_two_deals_just_below_the_limit_look_split(
    worth: str, others: list[str], split: bool
) -> None:
    found = looks_split(D(worth), [D(one) for one in others], limit=D(5_000_000), within=D("0.05"))
    assert found is split
