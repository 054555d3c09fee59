"""Payout plans and recurring patterns: recorded once, published once, withdrawn when cancelled."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import pytest

from core import clock
from core.errors import DomainError, Invalid
from core.tenancy import Tenant, bound
from liquidity.errors import PatternUnknown, PlanClosed, PlanDiffers, PlanUnknown
from liquidity.models import PayoutPlan, PlanState, RecurringPattern
from liquidity.services.planning import (
    PatternIn,
    add_pattern,
    cancel_plan,
    plan_payouts,
    stop_pattern,
)
from liquidity.services.publishing import publish_expected_flows
from tests.liquidity.conftest import FRIDAY, OpenAccount
from tests.liquidity.test_forecasting import plan
from treasury.models import BankAccount, ExpectedFlow

TODAY = FRIDAY.date()
NOBODY = UUID("00000000-0000-7000-8000-000000000000")


def standing(source: str) -> list[tuple[date, Decimal]]:
    found = ExpectedFlow.objects.filter(source=source, state="EXPECTED").order_by("value_date")
    return list(found.values_list("value_date", "amount"))


def salaries(account: BankAccount, **more: Any) -> PatternIn:
    facts: dict[str, Any] = {
        "account_id": account.pk,
        "name": "Salaries",
        "amount": Decimal("-9000.00"),
        "rule": "MONTH_END",
        "adjust": "PRECEDING",
        "valid_from": TODAY,
        **more,
    }
    return PatternIn(**facts)


def test_a_planned_payout_is_expected_by_the_treasury(new_account: BankAccount) -> None:
    planned = plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY)
    assert len(planned.created) == 1
    assert standing("PAYOUT") == [(TODAY, Decimal("-40.0000"))]
    assert planned.created[0].history.count() == 1


def test_the_same_batch_again_changes_nothing(new_account: BankAccount) -> None:
    batch = [plan(new_account, TODAY, "40.00"), plan(new_account, TODAY, "50.00")]
    first = plan_payouts(plans=batch, now=FRIDAY)
    again = plan_payouts(plans=batch, now=FRIDAY + timedelta(days=3))
    assert again.created == ()
    assert {row.pk for row in again.known} == {row.pk for row in first.created}
    assert PayoutPlan.objects.count() == ExpectedFlow.objects.count() == 2


def test_publishing_twice_equals_publishing_once(new_account: BankAccount) -> None:
    plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY)
    add_pattern(pattern=salaries(new_account), now=FRIDAY)
    before = list(ExpectedFlow.objects.order_by("id").values())
    again = publish_expected_flows(account_id=new_account.pk, now=FRIDAY)
    assert list(ExpectedFlow.objects.order_by("id").values()) == before
    assert (again.payouts, again.patterns) == (1, 2)


def test_a_reference_means_one_payout_only(new_account: BankAccount) -> None:
    plan_payouts(plans=[plan(new_account, TODAY, "40.00", source_ref="F1")], now=FRIDAY)
    with pytest.raises(PlanDiffers, match="another amount"):
        plan_payouts(plans=[plan(new_account, TODAY, "41.00", source_ref="F1")], now=FRIDAY)
    assert standing("PAYOUT") == [(TODAY, Decimal("-40.0000"))]


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"amount": Decimal(0)}, "amount"),
        ({"amount": Decimal("-1.00")}, "amount"),
        ({"amount": Decimal("1.005")}, "amount"),
        ({"amount": Decimal("NaN")}, "amount"),
        ({"amount": Decimal(10) ** 16}, "amount"),
        ({"currency": "USD"}, "currency"),
        ({"value_date": TODAY - timedelta(days=1)}, "value_date"),
        ({"value_date": TODAY + timedelta(days=367)}, "value_date"),
        ({"source_ref": " "}, "source_ref"),
        ({"description": "x" * 141}, "description"),
        ({"kind": "SOME"}, "kind"),
    ],
)
def test_one_wrong_plan_refuses_the_whole_batch(
    new_account: BankAccount, more: dict[str, Any], field: str
) -> None:
    wrong = replace(plan(new_account, TODAY, "40.00"), **more)
    with pytest.raises(Invalid) as refusal:
        plan_payouts(plans=[plan(new_account, TODAY, "10.00"), wrong], now=FRIDAY)
    assert refusal.value.context["field"] == field
    assert not PayoutPlan.objects.exists()
    assert not ExpectedFlow.objects.exists()


def test_a_batch_has_limits(new_account: BankAccount) -> None:
    with pytest.raises(Invalid):
        plan_payouts(plans=[], now=FRIDAY)
    twice = [plan(new_account, TODAY, "1.00", source_ref="A")] * 2
    with pytest.raises(Invalid, match="twice"):
        plan_payouts(plans=twice, now=FRIDAY)


def test_a_closed_account_takes_no_plans(new_account: BankAccount) -> None:
    BankAccount.objects.filter(pk=new_account.pk).update(is_active=False)
    with pytest.raises(Invalid, match="closed"):
        plan_payouts(plans=[plan(new_account, TODAY, "1.00")], now=FRIDAY)


def test_today_is_the_accounts_own_day(new_account: BankAccount) -> None:
    # 20:00 UTC on Friday is Saturday in Kolkata: Friday is over there.
    evening = FRIDAY.replace(hour=20)
    with pytest.raises(Invalid):
        plan_payouts(plans=[plan(new_account, TODAY, "1.00")], now=evening)


def test_a_cancelled_plan_is_withdrawn_and_its_reference_is_spent(
    new_account: BankAccount,
) -> None:
    wish = plan(new_account, TODAY, "40.00")
    [made] = plan_payouts(plans=[wish], now=FRIDAY).created
    cancelled = cancel_plan(plan_id=made.pk, reason="recalled", now=FRIDAY)
    assert cancelled.state == PlanState.CANCELLED
    assert standing("PAYOUT") == []
    with pytest.raises(PlanClosed):
        cancel_plan(plan_id=made.pk, reason="again", now=FRIDAY)
    with pytest.raises(PlanDiffers, match="cancelled"):
        plan_payouts(plans=[wish], now=FRIDAY)


def test_a_cancellation_says_why(new_account: BankAccount) -> None:
    [made] = plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY).created
    with pytest.raises(Invalid):
        cancel_plan(plan_id=made.pk, reason="  ", now=FRIDAY)
    assert standing("PAYOUT") == [(TODAY, Decimal("-40.0000"))]


def test_a_plan_is_done_when_its_day_has_passed(new_account: BankAccount) -> None:
    [made] = plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY).created
    published = publish_expected_flows(account_id=new_account.pk, now=FRIDAY + timedelta(days=1))
    assert published.closed_plans == 1
    assert PayoutPlan.objects.get(pk=made.pk).state == PlanState.DONE
    assert standing("PAYOUT") == []


def test_a_flow_that_was_seen_on_a_statement_stays_seen(new_account: BankAccount) -> None:
    from tests.liquidity.books import book

    plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY)
    [entry] = book(new_account, [(TODAY, "-40.00")])
    ExpectedFlow.objects.update(state="MATCHED", matched_entry=entry)
    publish_expected_flows(account_id=new_account.pk, now=FRIDAY)
    assert ExpectedFlow.objects.get().state == "MATCHED"


def test_a_pattern_is_published_on_days_that_settle(new_account: BankAccount) -> None:
    add_pattern(pattern=salaries(new_account), now=FRIDAY)
    # 30 November is a Monday, 31 December a Thursday; both settle in Mumbai.
    assert standing("PATTERN") == [
        (date(2026, 11, 30), Decimal("-9000.0000")),
        (date(2026, 12, 31), Decimal("-9000.0000")),
    ]


def test_a_stopped_pattern_is_withdrawn_and_stays_in_the_past(new_account: BankAccount) -> None:
    made = add_pattern(pattern=salaries(new_account, valid_from=date(2026, 1, 1)), now=FRIDAY)
    stopped = stop_pattern(pattern_id=made.pk, now=FRIDAY)
    assert standing("PATTERN") == []
    assert stopped.valid_to == TODAY - timedelta(days=1)
    assert stop_pattern(pattern_id=made.pk, now=FRIDAY) == stopped


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"amount": Decimal(0)}, "amount"),
        ({"rule": "YEARLY"}, "rule"),
        ({"adjust": "SOMEHOW"}, "adjust"),
        ({"rule": "WEEKDAYS"}, "weekday_mask"),
        ({"weekday_mask": 1}, "weekday_mask"),
        ({"rule": "MONTH_DAY", "month_day": 32}, "month_day"),
        ({"valid_to": TODAY - timedelta(days=1)}, "valid_to"),
        ({"name": ""}, "name"),
    ],
)
def test_an_incomplete_pattern_is_refused(
    new_account: BankAccount, more: dict[str, Any], field: str
) -> None:
    with pytest.raises(Invalid) as refusal:
        add_pattern(pattern=salaries(new_account, **more), now=FRIDAY)
    assert refusal.value.context["field"] == field
    assert not RecurringPattern.objects.exists()


def test_two_patterns_of_an_account_have_two_names(new_account: BankAccount) -> None:
    add_pattern(pattern=salaries(new_account), now=FRIDAY)
    with pytest.raises(Invalid, match="that name"):
        add_pattern(pattern=salaries(new_account), now=FRIDAY)
    assert RecurringPattern.objects.count() == 1


def test_a_moved_pattern_needs_a_calendar(open_account: OpenAccount) -> None:
    yen = open_account("JPY", currency="JPY")
    wish = salaries(yen, amount=Decimal(-9000))
    with pytest.raises(DomainError, match="No calendar settles JPY"):
        add_pattern(pattern=wish, now=FRIDAY)
    assert not RecurringPattern.objects.exists()


def test_unknown_plans_and_patterns_are_not_found(tenant: Tenant) -> None:
    with pytest.raises(PlanUnknown):
        cancel_plan(plan_id=NOBODY, reason="why", now=FRIDAY)
    with pytest.raises(PatternUnknown):
        stop_pattern(pattern_id=NOBODY, now=FRIDAY)


def test_another_tenant_neither_sees_nor_cancels_a_plan(
    new_account: BankAccount, other_tenant: Tenant
) -> None:
    [made] = plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY).created
    with bound(other_tenant.id):
        assert not PayoutPlan.objects.exists()
        with pytest.raises(PlanUnknown):
            cancel_plan(plan_id=made.pk, reason="not mine", now=clock.now())
    assert standing("PAYOUT") == [(TODAY, Decimal("-40.0000"))]
