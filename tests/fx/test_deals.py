"""The life of a deal: every step, who may take it, and every refusal with its words."""

from collections.abc import Callable
from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.contrib.auth.models import Group
from django.db import connection, transaction

from approvals.errors import SelfApprovalRefused
from approvals.services import expire_due as expire_requests
from core import clock, policies
from core.errors import DomainError, Forbidden, Invalid
from core.events.models import OutboxEvent
from core.money import Money
from core.tenancy import bound
from fx import guards
from fx.engine.quotes import Side
from fx.errors import DealExpired, DealRefused, DealStateRefused, NotTheDealer, RateMissing
from fx.models import Counterparty, Deal, DealState, RateSource, SettlementInstruction
from fx.policies import MAX_SINGLE_DEAL_USD
from fx.selectors import deals as reads
from fx.selectors import rates as rate_reads
from fx.services import dealing, deals
from fx.services.rates import KEEPERS
from tests.conftest import make_user
from tests.fx.conftest import NOW, Quoted
from tests.fx.dealing import Desk
from treasury.models import Beneficiary
from treasury.services import beneficiaries

D = Decimal


def state_of(deal: Deal) -> str:
    return str(Deal.objects.get(pk=deal.pk).state)


def rules(error: DealRefused) -> list[str]:
    return [one["rule"] for one in error.context["findings"]]


def test_the_machine_is_what_the_database_guards() -> None:
    moves: Callable[[], Any] = getattr(Deal(), "get_all_state_transitions")  # noqa: B009
    declared = {(str(one.source), str(one.target)) for one in moves()}
    assert declared == set(guards.EDGES)


def test_a_deal_from_draft_to_confirmation(desk: Desk) -> None:
    deal = desk.captured()
    assert (deal.reference, deal.state, deal.period) == ("FXD-000001", "DRAFT", "SPOT")
    assert (deal.value_date, deal.trade_date) == (date(2026, 11, 25), date(2026, 11, 20))
    assert (deal.base_amount, deal.quote_amount) == (D("1000000.00"), D("85000000.00"))
    assert deal.expires_at.isoformat() == "2026-11-20T17:00:00-05:00"
    deal = deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)
    assert (deal.usd_equivalent, deal.mid_rate, deal.mid_source) == (D("1000000.00"), D(85), "FEED")
    deal = desk.decide(deal)
    assert deal.state == "APPROVED"
    deal = desk.execute(deal, "85.0010")
    assert (deal.state, deal.rate) == ("EXECUTED", D("85.0010"))
    assert (deal.base_amount, deal.quote_amount) == (D("1000000.00"), D("85001000.00"))
    kept = dealing.confirm_deal(deal_id=deal.pk, stated=desk.stated(deal), actor=desk.back_office)
    assert kept.matches
    assert state_of(deal) == "CONFIRMED"
    told = OutboxEvent.objects.filter(topic="fx.deal.instruction").order_by("id")
    assert [row.payload["state"] for row in told] == [
        "SUBMITTED", "APPROVED", "EXECUTED", "CONFIRMED",
    ]  # fmt: skip
    assert told[2].payload["buy_amount"] == "85001000.00"


def test_dealing_the_quote_side_leaves_it_exact(desk: Desk) -> None:
    deal = desk.executed(dealt="85000000.00 INR", at="85.0100")
    assert (deal.quote_amount, deal.base_amount) == (D("85000000.00"), D("999882.37"))
    assert deal.usd_equivalent == D("999882.37")


def test_cash_tom_and_forwards(desk: Desk) -> None:
    cash = desk.captured(tenor="CASH", dealt="1000.00 USD")
    assert (cash.value_date, cash.period) == (date(2026, 11, 20), "CASH")
    month = desk.captured(tenor="1M", rate="85.2000", dealt="1000.00 USD")
    assert (month.value_date, month.period) == (date(2026, 12, 28), "FORWARD")
    broken = desk.captured(value_date=date(2026, 12, 9), dealt="1000.00 USD")
    assert broken.period == "FORWARD"


def test_a_non_deliverable_forward_is_fixed_and_pays_nobody(desk: Desk) -> None:
    deal = desk.captured(kind="NDF", tenor="1M", rate="85.2000")
    assert (deal.instruction, deal.fixing_date) == (None, date(2026, 12, 23))
    with pytest.raises(Invalid, match="EUR/USD is dealt deliverable only"):
        desk.captured(kind="NDF", pair="EUR/USD", rate="1.0870")


# --- what is refused while it is captured --------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "field", "words"),
    [
        ({"dealt": "0.00 USD"}, "amount", "positive"),
        ({"dealt": "1.001 USD"}, "amount", "minor units"),
        ({"rate": "0"}, "limit_rate", "positive number"),
        ({"rate": "85.000001"}, "limit_rate", "at most 5 decimals"),
        ({"why": "  "}, "why", "Say why"),
        ({"value_date": date(2026, 11, 26)}, "value_date", "Thanksgiving"),
        ({"value_date": date(2026, 11, 24)}, "value_date", "Guru Nanak"),
        ({"value_date": date(2026, 11, 19)}, "value_date", "before the trade date"),
        ({"tenor": "soon"}, "tenor", "tenor like CASH"),
        ({"kind": "SWAP"}, "kind", "deliverable or an NDF"),
        ({"pair": "INR/USD", "rate": "0.0118"}, "pair", "The market writes USD/INR"),
        ({"dealt": "100.00 EUR"}, "dealt_currency", "EUR is not in USD/INR"),
        ({"dealt": "0.01 INR"}, "amount", "would be nothing"),
    ],
)
def test_what_cannot_be_a_deal_is_refused_by_field(
    desk: Desk, wish: dict[str, Any], field: str, words: str
) -> None:
    with pytest.raises(Invalid, match=words) as caught:
        desk.captured(**wish)
    assert caught.value.context["field"] == field
    assert not Deal.objects.exists()


def test_accounts_are_ours_and_of_the_right_currency(desk: Desk) -> None:
    with pytest.raises(Invalid, match="account of ours in USD"):
        desk.captured(pay_account=desk.accounts["INR"].pk)
    with pytest.raises(Invalid, match="account of ours in INR"):
        desk.captured(receive_account=desk.accounts["EUR"].pk)


def test_nobody_but_dealers_deals(desk: Desk) -> None:
    feed = make_user("feed", "integration", is_service=True)  # it brings the rates
    for person in (desk.checker, desk.back_office, make_user("maker", "treasury_maker"), feed):
        with pytest.raises(Forbidden, match="role dealer"):
            deals.capture_deal(draft=desk.wish(), maker=person)
    assert not set(deals.MAKERS) & set(KEEPERS)


# --- every rule at submission --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("wish", "allowed"),
    [
        ({"dealt": "5000000.00 USD"}, True),
        ({"dealt": "5000000.01 USD"}, False),
        ({"pair": "EUR/USD", "dealt": "4600000.00 EUR", "rate": "1.0870"}, False),
        ({"pair": "GBP/USD", "dealt": "3950000.00 GBP", "rate": "1.2650"}, True),
        ({"pair": "EUR/GBP", "dealt": "4599816.00 EUR", "rate": "0.85927"}, True),
        ({"pair": "EUR/GBP", "dealt": "4599816.01 EUR", "rate": "0.85927"}, False),
    ],
)
def test_the_largest_single_deal(desk: Desk, wish: dict[str, Any], allowed: bool) -> None:
    """4,599,816 EUR at 1.0870 are 4,999,999.992 USD; a cent more of them is too much."""
    if allowed:
        assert desk.submitted(**wish).state == "SUBMITTED"
        return
    with pytest.raises(DealRefused, match=r"the limit is 5,000,000\.00 USD") as caught:
        desk.submitted(**wish)
    assert rules(caught.value) == ["LIMIT_DEAL"]
    assert state_of(Deal.objects.get()) == "DRAFT"


def test_without_a_fresh_rate_nothing_is_submitted(desk: Desk) -> None:
    deal = desk.captured()
    with clock.frozen(NOW + timedelta(minutes=15)), pytest.raises(DealRefused) as caught:
        deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)
    assert rules(caught.value) == ["RATE_MISSING"]
    assert "no fresh rate for USD/INR" in caught.value.message


def test_limits_of_the_counterparty(desk: Desk) -> None:
    Counterparty.objects.update(day_usd_max=D(2_500_000), settlement_usd_max=D(1_500_000))
    desk.submitted()
    with pytest.raises(DealRefused) as caught:
        desk.submitted()
    assert rules(caught.value) == ["LIMIT_SETTLEMENT"]
    assert "What settles with the counterparty on 2026-11-25" in caught.value.message
    desk.submitted(tenor="CASH")
    with pytest.raises(DealRefused, match="Today's deals with the counterparty") as caught:
        desk.submitted(tenor="1W")
    assert rules(caught.value) == ["LIMIT_DAY"]
    assert desk.submitted(tenor="1W", dealt="500000.00 USD").state == "SUBMITTED"


def test_what_was_given_up_does_not_count(desk: Desk) -> None:
    Counterparty.objects.update(day_usd_max=D(1_000_000))
    first = desk.submitted()
    deals.cancel_deal(deal_id=first.pk, actor=desk.dealer, reason="Wrong side")
    assert desk.submitted().state == "SUBMITTED"


def test_the_longest_tenor(desk: Desk) -> None:
    Counterparty.objects.update(tenor_days_max=30)
    with pytest.raises(DealRefused, match="at most 30 are allowed") as caught:
        desk.submitted(tenor="1M", rate="85.2000")
    assert rules(caught.value) == ["LIMIT_TENOR"]


def test_a_rate_off_the_market(desk: Desk) -> None:
    assert desk.submitted(rate="84.1500").state == "SUBMITTED"
    with pytest.raises(DealRefused, match="off the market") as caught:
        desk.submitted(rate="84.1400")
    assert rules(caught.value) == ["OFF_MARKET"]


def test_a_counterparty_that_is_closed(desk: Desk) -> None:
    deal = desk.captured()
    Counterparty.objects.update(is_active=False)
    with pytest.raises(DealRefused, match="not dealt with any more") as caught:
        deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)
    assert rules(caught.value) == ["COUNTERPARTY"]
    with pytest.raises(DomainError, match="no such active counterparty"):
        desk.captured()


def test_where_the_counterparty_is_paid_must_be_known_and_verified(desk: Desk) -> None:
    deal = desk.captured()
    account = Beneficiary.objects.get(currency="USD")
    beneficiaries.block_beneficiary(
        beneficiary_id=account.pk, actor=make_user("stop", "treasury_manager")
    )
    with pytest.raises(DealRefused, match="not verified, or blocked") as caught:
        deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)
    assert rules(caught.value) == ["SSI"]
    SettlementInstruction.objects.filter(currency="USD").update(is_active=False)
    with pytest.raises(DealRefused, match="Nobody wrote down where Dealing Bank receives USD"):
        deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)
    with pytest.raises(Invalid, match="Nobody wrote down where Dealing Bank receives USD"):
        desk.captured()


def test_several_rules_are_named_at_once(desk: Desk) -> None:
    with pytest.raises(DealRefused) as caught:
        desk.submitted(dealt="6000000.00 USD", rate="80.0000")
    assert rules(caught.value) == ["LIMIT_DEAL", "OFF_MARKET"]


def test_two_deals_just_below_the_limit_are_shown_to_the_checker(desk: Desk) -> None:
    desk.submitted(dealt="4900000.00 USD")
    second = desk.submitted(dealt="4800000.00 USD")
    assert OutboxEvent.objects.filter(payload__kind="fx_structuring").count() == 1
    with pytest.raises(DomainError, match=r"[Aa]cknowledge"):
        desk_decides_blindly(desk, second)
    assert desk.decide(second).state == "APPROVED"


def desk_decides_blindly(desk: Desk, deal: Deal) -> None:
    from approvals import selectors as approval_reads
    from approvals import services as approvals
    from tests.approvals.stepping import shown

    with bound(desk.tenant.id, actor=desk.checker.pk):
        request = approval_reads.request_of(
            subject_type="fx.deal", subject_id=deal.pk, subject_version=deal.version
        )
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=desk.checker,
            outcome="APPROVE",
            content_hash=request.content_hash,
            version=request.subject_version,
            evidence=shown(desk.checker, request.content_hash),
        )


# --- checkers ------------------------------------------------------------------------------------


def test_the_dealer_does_not_approve_their_own_deal(desk: Desk) -> None:
    both = make_user("both", "dealer", "treasury_checker")
    deal = deals.capture_deal(draft=desk.wish(), maker=both)
    deals.submit_deal(deal_id=deal.pk, actor=both)
    with pytest.raises(SelfApprovalRefused):
        desk.decide(deal, by=both)


def test_a_rejected_deal_is_over(desk: Desk) -> None:
    deal = desk.decide(desk.submitted(), "REJECT")
    assert (deal.state, deal.closing_reason) == ("REJECTED", "Too early.")
    with pytest.raises(DealStateRefused, match="is rejected"):
        desk.execute(deal, "85.0000")


def test_a_recalled_deal_is_a_new_version_without_approvals(desk: Desk) -> None:
    deal = desk.submitted()
    with pytest.raises(NotTheDealer):
        deals.recall_deal(deal_id=deal.pk, actor=make_user("dealer-two", "dealer"))
    deal = deals.recall_deal(deal_id=deal.pk, actor=desk.dealer)
    assert (deal.state, deal.version) == ("DRAFT", 2)
    deals.change_draft(deal_id=deal.pk, draft=desk.wish(dealt="900000.00 USD"), actor=desk.dealer)
    again = desk.decide(deals.submit_deal(deal_id=deal.pk, actor=desk.dealer))
    assert (again.state, again.base_amount, again.version) == ("APPROVED", D("900000.00"), 2)


def test_changes_asked_for_give_it_back_to_its_dealer(desk: Desk) -> None:
    deal = desk.decide(desk.submitted(), "CHANGES")
    assert (deal.state, deal.version) == ("DRAFT", 2)


def test_what_was_submitted_cannot_be_changed(desk: Desk) -> None:
    deal = desk.submitted()
    with pytest.raises(DealStateRefused, match="waits for approval"):
        deals.change_draft(deal_id=deal.pk, draft=desk.wish(), actor=desk.dealer)
    with pytest.raises(DealStateRefused):
        deals.submit_deal(deal_id=deal.pk, actor=desk.dealer)


# --- dealing -------------------------------------------------------------------------------------


def test_only_what_is_approved_is_dealt(desk: Desk) -> None:
    deal = desk.submitted()
    with pytest.raises(DealStateRefused, match="waits for approval"):
        desk.execute(deal, "85.0000")
    deal = desk.decide(deal)
    with pytest.raises(Forbidden):
        dealing.execute_deal(
            deal_id=deal.pk, rate=D(85), counterparty_reference="X", actor=desk.checker
        )
    with pytest.raises(Invalid, match="reference"):
        dealing.execute_deal(
            deal_id=deal.pk, rate=D(85), counterparty_reference=" ", actor=desk.dealer
        )
    for rate in ("0", "NaN", "85.000001"):
        with pytest.raises(Invalid):
            desk.execute(deal, rate)


def test_a_rate_worse_than_approved_is_not_dealt(desk: Desk) -> None:
    deal = desk.approved()
    with pytest.raises(DealRefused, match=r"worse than the approved 85 by more than 0.10 %"):
        desk.execute(deal, "84.9149")
    assert desk.execute(deal, "84.9150").state == "EXECUTED"


def test_the_limit_is_asked_again_when_it_is_dealt(desk: Desk) -> None:
    """Approved at 4,995,600 dollars; at the rate that is dealt it is 5,000,200."""
    deal = desk.approved(pair="EUR/USD", side="BUY", dealt="4600000.00 EUR", rate="1.0860")
    with pytest.raises(DealRefused, match=r"5,000,200\.00 USD") as caught:
        desk.execute(deal, "1.0870")
    assert rules(caught.value) == ["LIMIT_DEAL"]
    assert state_of(deal) == "APPROVED"


def test_the_rate_must_be_fresh_when_it_is_dealt(desk: Desk) -> None:
    deal = desk.approved()
    RateSource.objects.update(is_active=False)
    with pytest.raises(DealRefused) as caught:
        desk.execute(deal, "85.0000")
    assert rules(caught.value) == ["RATE_MISSING"]


def test_a_tighter_limit_holds_for_what_was_approved_before(desk: Desk) -> None:
    deal = desk.approved()
    policies.write_version(
        policy=MAX_SINGLE_DEAL_USD, value=D(999_999), actor=None, reason="a test"
    )
    with pytest.raises(DealRefused):
        desk.execute(deal, "85.0000")


def test_a_deal_ends_with_its_trading_day(desk: Desk) -> None:
    deal, waiting, draft = desk.approved(), desk.submitted(), desk.captured()
    evening = NOW.replace(hour=22)  # 17:00 in New York
    with clock.frozen(evening - timedelta(seconds=1)):
        assert dealing.expire_due(now=clock.now()) == []
    with clock.frozen(evening):
        with pytest.raises(DealExpired, match="ended at 17:00 in New York"):
            desk.execute(deal, "85.0000")
        with pytest.raises(DealExpired):
            deals.submit_deal(deal_id=draft.pk, actor=desk.dealer)
        assert dealing.expire_due(now=clock.now()) == [deal.pk]
        expire_requests(now=clock.now())
        assert (state_of(deal), state_of(waiting), state_of(draft)) == (
            "EXPIRED", "EXPIRED", "DRAFT",
        )  # fmt: skip


def test_what_was_dealt_is_not_cancelled(desk: Desk) -> None:
    deal = desk.executed()
    with pytest.raises(DealStateRefused, match="closed out by an offsetting one"):
        deals.cancel_deal(deal_id=deal.pk, actor=desk.dealer, reason="Oops")


def test_drafts_and_approved_deals_are_cancelled_with_a_reason(desk: Desk) -> None:
    draft, approved = desk.captured(), desk.approved()
    with pytest.raises(Invalid, match="Say why"):
        deals.cancel_deal(deal_id=draft.pk, actor=desk.dealer, reason=" ")
    for deal in (draft, approved):
        done = deals.cancel_deal(deal_id=deal.pk, actor=desk.dealer, reason="No need")
        assert (done.state, done.closing_reason) == ("CANCELLED", "No need")


# --- confirmation --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "other",
    [
        {"rate": D("85.0001")},
        {"base_amount": D("1000000.01")},
        {"quote_amount": D("84999999.99")},
        {"value_date": date(2026, 11, 27)},
        {"side": "BUY"},
        {"pair": "EUR/INR"},
        {"counterparty_reference": "CP-2"},
    ],
)
def test_a_confirmation_that_differs_rings_and_confirms_nothing(
    desk: Desk, other: dict[str, Any]
) -> None:
    deal = desk.executed()
    kept = dealing.confirm_deal(
        deal_id=deal.pk, stated=desk.stated(deal, **other), actor=desk.back_office
    )
    assert not kept.matches
    assert kept.differences[0].startswith(f"{next(iter(other))}: ")
    assert state_of(deal) == "EXECUTED"
    assert OutboxEvent.objects.filter(payload__kind="fx_confirmation_mismatch").exists()


def test_who_dealt_does_not_confirm(desk: Desk) -> None:
    deal = desk.executed()
    with pytest.raises(Forbidden, match="role back_office"):
        dealing.confirm_deal(deal_id=deal.pk, stated=desk.stated(deal), actor=desk.dealer)
    desk.dealer.groups.set([Group.objects.get(name="back_office")])  # moved to another chair
    with pytest.raises(Forbidden, match="did not deal it"):
        dealing.confirm_deal(deal_id=deal.pk, stated=desk.stated(deal), actor=desk.dealer)


def test_a_failed_deal_is_taken_up_again(desk: Desk) -> None:
    deal = desk.executed()
    with pytest.raises(Forbidden):
        dealing.fail_deal(deal_id=deal.pk, reason="x", actor=desk.dealer)
    with pytest.raises(Invalid):
        dealing.fail_deal(deal_id=deal.pk, reason="", actor=desk.back_office)
    dealing.fail_deal(deal_id=deal.pk, reason="No funds arrived", actor=desk.back_office)
    assert state_of(deal) == "FAILED"
    dealing.confirm_deal(deal_id=deal.pk, stated=desk.stated(deal), actor=desk.back_office)
    assert state_of(deal) == "CONFIRMED"


# --- the database has the last word --------------------------------------------------------------


def sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


SUBMIT = "UPDATE fx_deal SET state = 'SUBMITTED', usd_equivalent = %s WHERE id = %s"


def test_an_honest_forward_at_the_edge_of_the_market_passes_the_guard(desk: Desk) -> None:
    """A year ahead, five percent below spot: what interest may do, and the guard must let be."""
    deal = desk.submitted(
        pair="EUR/USD", side="SELL", tenor="1Y", dealt="1000000.00 EUR", rate="1.0260"
    )
    assert desk.execute(desk.decide(deal), "1.0255").state == "EXECUTED"


DEALT = (
    "UPDATE fx_deal SET state = 'EXECUTED', rate = %s, quote_amount = %s, usd_equivalent = %s,"
    " executed_at = now(), executed_by_id = maker_id, counterparty_reference = 'x' WHERE id = %s"
)


def test_headroom_says_what_a_deal_would_leave(desk: Desk, quoted: Quoted) -> None:
    Counterparty.objects.update(day_usd_max=D(3_000_000))
    desk.submitted()
    made = desk.captured(dealt="2500000.00 USD")
    terms = reads.terms_of(made, rate=made.limit_rate, spot_trade=NOW)
    desk.bank.refresh_from_db()
    found = reads.headroom(desk.bank, terms, reads.market_for(terms.pair, now=NOW))
    assert (found.worth, found.deal_left) == (D("2500000.00"), D("2500000.00"))
    assert (found.day_left, found.settlement_left) == (D("-500000.00"), None)
    assert terms.side is Side.SELL
    assert terms.base == Money(D("2500000.00"), "USD")
    with pytest.raises(RateMissing):
        rate_reads.quote_for(terms.pair, now=NOW + timedelta(hours=1))
    assert made.state == DealState.DRAFT
