"""Every rule of a deal is refused with words of its own, when it is submitted and when dealt."""

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import clock, policies
from core.money import Money
from fx import policies as knobs
from fx.engine import quotes
from fx.engine.exposure import cap_of, exposure_of, is_breach
from fx.engine.limits import Rule, worth_in_usd
from fx.engine.pairs import parse_pair
from fx.errors import DealRefused
from fx.models import Counterparty, Deal, SettlementInstruction
from fx.selectors import reforecast
from fx.services import deals
from tests.fx.centres import calendars
from tests.fx.conftest import NOW, Quoted
from tests.fx.dealing import Desk
from tests.treasury.movement.conftest import put_balance
from treasury.engine.prefunding import local_day
from treasury.services import flows

D = Decimal
Break = Callable[[Desk, Quoted], None]


def policy(name: str, value: str) -> Break:
    def change(desk: Desk, quoted: Quoted) -> None:
        del desk, quoted
        policies.write_version(
            policy=policies.named(name), value=value, actor=None, reason="a test"
        )

    return change


def party(**columns: Any) -> Break:
    def change(desk: Desk, quoted: Quoted) -> None:
        del desk, quoted
        Counterparty.objects.update(**columns)

    return change


def no_instruction(desk: Desk, quoted: Quoted) -> None:
    del desk, quoted
    SettlementInstruction.objects.filter(currency="USD").update(is_active=False)


def market_moves(desk: Desk, quoted: Quoted) -> None:
    del desk
    quoted("USD/INR", "86.0000", minutes_old=0)


# What breaks each rule: the deal, what changes before the step, and what the refusal says.
WISH: dict[str, Any] = {"dealt": "1000000.00 USD"}
BROKEN: list[tuple[Rule, dict[str, Any], Break, str]] = [
    (Rule.PAIR, WISH, policy("FX_CURRENCIES", "USD,EUR"), "INR is not dealt here."),
    (
        Rule.LIMIT_DEAL, WISH, policy("MAX_SINGLE_DEAL_USD", "999999.99"),
        "One deal would be 1,000,000.00 USD: the limit is 999,999.99 USD, 0.01 USD less.",
    ),
    (
        Rule.LIMIT_DAY, WISH, party(day_usd_max=D("999999.99")),
        "Today's deals with the counterparty would be 1,000,000.00 USD: the limit is 999,999.99",
    ),
    (
        Rule.LIMIT_SETTLEMENT, WISH, party(settlement_usd_max=D("999999.99")),
        "What settles with the counterparty on 2026-11-25 would be 1,000,000.00 USD",
    ),
    (
        Rule.LIMIT_TENOR, WISH, party(tenor_days_max=4),
        "It settles in 5 days: at most 4 are allowed.",
    ),
    (Rule.OFF_MARKET, WISH, market_moves, "85 lies 1.16 % off the market (86.0000)"),
    (Rule.COUNTERPARTY, WISH, party(is_active=False), "Dealing Bank is not dealt with any more."),
    (Rule.SSI, WISH, no_instruction, "Nobody wrote down where Dealing Bank receives USD."),
]  # fmt: skip
# At these very values the same deal passes.
ALLOWED: list[tuple[str, Break]] = [
    ("LIMIT_DEAL", policy("MAX_SINGLE_DEAL_USD", "1000000")),
    ("LIMIT_DAY", party(day_usd_max=D(1_000_000))),
    ("LIMIT_SETTLEMENT", party(settlement_usd_max=D(1_000_000))),
    ("LIMIT_TENOR", party(tenor_days_max=5)),
]
# Rules with a scene of their own below.
ELSEWHERE = {Rule.RATE_MISSING, Rule.VALUE_DATE, Rule.SLIPPAGE, Rule.UNHEDGING}


def test_no_rule_is_without_a_refusal() -> None:
    assert {rule for rule, *_ in BROKEN} | ELSEWHERE == set(Rule)


def refused(step: Callable[[], object]) -> tuple[list[str], str]:
    with pytest.raises(DealRefused) as caught:
        step()
    return [one["rule"] for one in caught.value.context["findings"]], caught.value.message


@pytest.mark.parametrize(("rule", "wish", "change", "words"), BROKEN, ids=lambda v: str(v)[:20])
def test_a_broken_rule_is_named_at_submission_and_at_execution(
    desk: Desk, quoted: Quoted, rule: Rule, wish: dict[str, Any], change: Break, words: str
) -> None:
    draft, approved = desk.captured(**wish), desk.approved(**wish)
    change(desk, quoted)
    dealt = refused(lambda: desk.execute(approved, "85.0000"))
    assert rule in dealt[0]
    assert words in dealt[1]
    asked = refused(lambda: deals.submit_deal(deal_id=draft.pk, actor=desk.dealer))
    assert rule in asked[0]
    assert {row.state for row in Deal.objects.all()} == {"DRAFT", "APPROVED"}  # nothing changed


@pytest.mark.parametrize(("name", "change"), ALLOWED, ids=lambda v: str(v)[:20])
def test_exactly_at_a_limit_is_allowed(
    desk: Desk, quoted: Quoted, name: str, change: Break
) -> None:
    change(desk, quoted)
    assert desk.executed(**WISH).state == "EXECUTED"


def test_a_rate_that_is_missing_closes_the_door(desk: Desk) -> None:
    draft, approved = desk.captured(), desk.approved()
    with clock.frozen(NOW + timedelta(minutes=30)):
        for step in (
            lambda: desk.execute(approved, "85.0000"),
            lambda: deals.submit_deal(deal_id=draft.pk, actor=desk.dealer),
        ):
            rules, words = refused(step)
            assert rules == [Rule.RATE_MISSING]
            assert "There is no fresh rate for USD/INR" in words


def test_a_value_date_that_was_good_when_it_was_captured(desk: Desk, quoted: Quoted) -> None:
    """Cash of Friday cannot be submitted on Monday: its day is over."""
    draft = desk.captured(tenor="CASH")
    Deal.objects.filter(pk=draft.pk).update(expires_at=NOW + timedelta(days=9))
    with clock.frozen(datetime(2026, 11, 23, 10, tzinfo=UTC)):
        quoted("USD/INR", "85.0000")
        rules, words = refused(lambda: deals.submit_deal(deal_id=draft.pk, actor=desk.dealer))
    assert rules == [Rule.VALUE_DATE]
    assert "2026-11-20 lies before the trade date 2026-11-23" in words


@pytest.mark.parametrize(("rate", "passes"), [("84.9150", True), ("84.9149", False)])
def test_a_worse_rate_than_approved_is_slippage(desk: Desk, rate: str, passes: bool) -> None:
    """A tenth of a percent is 0.085: exactly that much worse is allowed."""
    approved = desk.approved()
    if passes:
        assert desk.execute(approved, rate).state == "EXECUTED"
        return
    rules, words = refused(lambda: desk.execute(approved, rate))
    assert rules == [Rule.SLIPPAGE]
    assert "84.9149 is worse than the approved 85 by more than 0.10 %" in words


def test_what_is_open_above_its_cap_is_not_sold(desk: Desk) -> None:
    put_balance(desk.accounts["INR"], "0.00")
    sells = desk.approved(side="BUY")
    flows.put_expected_flow(
        flow=flows.FlowIn(
            account_id=desk.accounts["INR"].pk,
            source="PAYOUT",
            source_ref="P1",
            amount=D(-100_000_000),
            value_date=date(2026, 11, 20),
            description="Payouts",
        )
    )
    rules, words = refused(lambda: desk.execute(sells, "85.0000"))
    assert rules == [Rule.UNHEDGING]
    assert "INR is open above its cap (100.00 % of the need): none of it is sold now." in words


# --- the figures that everybody quotes -----------------------------------------------------------


@pytest.mark.parametrize(
    ("pair", "dealt", "rate", "worth", "passes"),
    [
        ("USD/INR", "5000000.00 USD", "85.0000", "5000000.00", True),
        ("USD/INR", "5000000.01 USD", "85.0000", "5000000.01", False),
        ("EUR/USD", "4600000.00 EUR", "1.0870", "5000200.00", False),
        ("GBP/USD", "3950000.00 GBP", "1.2650", "4996750.00", True),
    ],
)
def test_five_million_dollars_and_not_a_cent_more(
    pair: str, dealt: str, rate: str, worth: str, passes: bool
) -> None:
    amount, currency = dealt.split()
    base = Money(D(amount), currency)
    quote = quotes.contra(base, parse_pair(pair), D(rate))
    found = worth_in_usd(base, quote, None)
    assert found == D(worth)
    assert (found <= knobs.MAX_SINGLE_DEAL_USD.default) is passes


@pytest.mark.parametrize(
    ("hedged", "at", "breach"),
    [
        ("56", "08:30:00", False),
        ("55.99", "08:30:00", True),
        ("55.99", "08:29:59", False),
    ],
)
def test_thirty_percent_at_two_o_clock_in_mumbai(hedged: str, at: str, breach: bool) -> None:
    found = exposure_of(required=D(100), prefunded=D(20), hedged=D(hedged))
    now = datetime.fromisoformat(f"2026-11-25T{at}+00:00")
    assert is_breach(found, cap_of("INR", calendars()["INR"], now), limit=D("0.30")) is breach


@pytest.mark.parametrize(
    ("at", "day"),
    [
        ("2026-11-24T18:29:59Z", 24),
        ("2026-11-24T18:30:00Z", 25),
        ("2026-11-24T01:00:00Z", 24),
        ("2026-11-24T17:00:00Z", 24),
    ],
)
def test_a_day_of_the_rupee_ends_at_midnight_in_mumbai(at: str, day: int) -> None:
    """One prefunding, one reckoning and one trigger of a kind belong to the same local day."""
    instant = datetime.fromisoformat(at)
    assert local_day(currency="INR", occurred_at=instant) == date(2026, 11, day)
    assert reforecast.local("INR", instant).date() == date(2026, 11, day)
