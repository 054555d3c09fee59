"""Forecasts against the database: need, shortfall, events, staleness, repeats."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from core import policies
from core.errors import Invalid
from core.events.models import OutboxEvent
from core.tenancy import Tenant, bound
from liquidity import selectors
from liquidity.models import Forecast, ForecastLine, ForecastRun
from liquidity.policies import NEED_QUANTILE, PLAN_RULE
from liquidity.services.forecasting import run_daily_forecast, run_forecast
from liquidity.services.planning import PatternIn, PlanIn, add_pattern, plan_payouts
from tests.liquidity.books import book, state_balance, weekly_outflows
from tests.liquidity.conftest import BY_WEEKDAY, FRIDAY, OpenAccount
from treasury.models import BankAccount, ExpectedFlow

TODAY = FRIDAY.date()


def events(topic: str) -> list[dict[str, Any]]:
    found = OutboxEvent.objects.filter(topic=topic).order_by("id")
    return [row.payload for row in found]


def plan(account: BankAccount, day: date, amount: str, **more: Any) -> PlanIn:
    facts: dict[str, Any] = {
        "account_id": account.pk,
        "currency": account.currency,
        "value_date": day,
        "amount": Decimal(amount),
        "description": "Payout file",
        "source_ref": f"FILE-{day}-{amount}",
        **more,
    }
    return PlanIn(**facts)


def test_a_friday_must_hold_the_payouts_of_its_weekend(account: BankAccount) -> None:
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    # Friday 1,400 + Saturday 1,500 + Sunday 1,600; 5,000 less a floor of 500 is there.
    assert (made.need_days, made.need_until) == (3, date(2026, 11, 22))
    assert made.required == Decimal("4500.00")
    assert made.available == Decimal("4500.00")
    assert made.shortfall == 0


def test_a_monday_before_a_holiday_must_hold_two_days(account: BankAccount) -> None:
    monday = FRIDAY + timedelta(days=3)
    made = run_forecast(account_id=account.pk, now=monday)
    # 24 November 2026 is a bank holiday in Mumbai: payouts run on, funding does not.
    assert (made.need_days, made.need_until) == (2, date(2026, 11, 24))
    assert made.required == Decimal("2100.00")


def test_what_is_missing_is_announced_with_the_agreed_keys(account: BankAccount) -> None:
    state_balance(account, "4000.00", as_of=FRIDAY - timedelta(minutes=5), code="ITAV")
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    assert made.shortfall == Decimal("1000.00")
    assert events("forecast.rda.shortfall") == [
        {
            "forecast_id": str(made.pk),
            "currency": "INR",
            "date": "2026-11-22",
            "required": "4500.00",
            "available": "3500.00",
            "shortfall": "1000.00",
            "account_id": str(account.pk),
        }
    ]


def test_a_covered_need_announces_nothing(account: BankAccount) -> None:
    run_forecast(account_id=account.pk, now=FRIDAY)
    assert events("forecast.rda.shortfall") == []


def test_the_same_inputs_write_and_announce_nothing_again(account: BankAccount) -> None:
    state_balance(account, "4000.00", as_of=FRIDAY - timedelta(minutes=5), code="ITAV")
    first = run_forecast(account_id=account.pk, now=FRIDAY)
    again = run_forecast(account_id=account.pk, now=FRIDAY + timedelta(minutes=15))
    assert again == first
    assert Forecast.objects.count() == 1
    assert len(events("forecast.rda.shortfall")) == 1


def test_a_new_balance_makes_a_new_forecast(account: BankAccount) -> None:
    first = run_forecast(account_id=account.pk, now=FRIDAY)
    state_balance(account, "1000.00", as_of=FRIDAY - timedelta(minutes=1), code="ITAV")
    second = run_forecast(account_id=account.pk, now=FRIDAY)
    assert second != first
    assert second.shortfall == Decimal("4000.00")


def test_what_was_booked_today_is_not_expected_again(account: BankAccount) -> None:
    book(account, [(TODAY, "-900.00")])
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    today = selectors.lines(made.pk)[0]
    assert today.expected_out == Decimal("500.00")
    # The booking left the available amount as well: need and money fall together.
    assert (made.required, made.available) == (Decimal("3600.00"), Decimal("3600.00"))


def test_a_regular_plan_replaces_the_usual_outflow_of_its_day(account: BankAccount) -> None:
    saturday = TODAY + timedelta(days=1)
    plan_payouts(plans=[plan(account, saturday, "5000.00")], now=FRIDAY)
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    line = selectors.lines(made.pk)[1]
    assert (line.known_out, line.expected_out) == (Decimal("5000.00"), 0)
    assert made.required == Decimal("8000.00")


def test_where_plans_come_in_parts_they_count_up_to_the_usual_outflow(
    account: BankAccount,
) -> None:
    policies.change(policy=PLAN_RULE, value="LARGER", actor=None, reason="files come in parts")
    saturday = TODAY + timedelta(days=1)
    plan_payouts(plans=[plan(account, saturday, "600.00")], now=FRIDAY)
    line = selectors.lines(run_forecast(account_id=account.pk, now=FRIDAY).pk)[1]
    assert (line.known_out, line.expected_out) == (Decimal("600.00"), Decimal("900.00"))


def test_an_extra_plan_comes_on_top(account: BankAccount) -> None:
    saturday = TODAY + timedelta(days=1)
    plan_payouts(plans=[plan(account, saturday, "700.00", kind="EXTRA")], now=FRIDAY)
    line = selectors.lines(run_forecast(account_id=account.pk, now=FRIDAY).pk)[1]
    assert (line.known_out, line.expected_out) == (Decimal("700.00"), Decimal("1500.00"))


def test_a_pattern_is_taken_out_of_the_past_and_put_where_it_falls_due(
    account: BankAccount,
) -> None:
    # Every Wednesday 200.00 of the usual 1,200.00 are rent.
    rent = PatternIn(
        account_id=account.pk,
        name="Rent",
        amount=Decimal("-200.00"),
        rule="WEEKDAYS",
        weekday_mask=0b0000100,
        adjust="NONE",
        valid_from=date(2026, 1, 1),
    )
    add_pattern(pattern=rent, now=FRIDAY)
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    wednesday = selectors.lines(made.pk).get(day=date(2026, 11, 25))
    assert (wednesday.known_out, wednesday.expected_out) == (Decimal("200.00"), Decimal("1000.00"))


def test_the_upper_bound_can_be_demanded(account: BankAccount) -> None:
    noisy = [(TODAY - timedelta(days=back), "-300.00") for back in range(1, 120, 3)]
    book(account, noisy)
    point = run_forecast(account_id=account.pk, now=FRIDAY)
    policies.change(policy=NEED_QUANTILE, value="p90", actor=None, reason="year end")
    upper = run_forecast(account_id=account.pk, now=FRIDAY)
    assert upper.need_basis == "p90"
    assert upper.required > point.required


def test_an_account_without_a_past_shows_what_is_known_and_no_bounds(
    new_account: BankAccount,
) -> None:
    state_balance(new_account, "100.00", as_of=FRIDAY, code="ITAV")
    plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY)
    made = run_forecast(account_id=new_account.pk, now=FRIDAY)
    assert made.model == "known-flows-only"
    assert made.required == Decimal("40.00")
    assert {line.p10 for line in selectors.lines(made.pk)} == {None}


def test_an_old_balance_is_flagged_told_and_does_not_hide_the_shortfall(
    open_account: OpenAccount,
) -> None:
    old = open_account("INR old")
    book(old, weekly_outflows(TODAY, days=60, by_weekday=BY_WEEKDAY))
    state_balance(old, "100.00", as_of=FRIDAY - timedelta(hours=31))
    made = run_forecast(account_id=old.pk, now=FRIDAY)
    assert made.is_stale_input
    assert len(events("forecast.rda.shortfall")) == 1
    [alert] = events("risk.alert")
    assert alert["kind"] == "forecast_on_stale_balance"
    assert alert["severity"] == "high"


def test_a_person_is_told_of_an_old_balance_once_a_day(open_account: OpenAccount) -> None:
    old = open_account("INR old")
    book(old, weekly_outflows(TODAY, days=60, by_weekday=BY_WEEKDAY))
    state_balance(old, "100.00", as_of=FRIDAY - timedelta(hours=31))
    run_forecast(account_id=old.pk, now=FRIDAY)
    book(old, [(TODAY, "-10.00")])
    run_forecast(account_id=old.pk, now=FRIDAY)
    assert len(events("risk.alert")) == 1
    run_forecast(account_id=old.pk, now=FRIDAY + timedelta(days=1))
    assert len(events("risk.alert")) == 2


def test_a_fresh_balance_is_not_flagged(account: BankAccount) -> None:
    assert not run_forecast(account_id=account.pk, now=FRIDAY).is_stale_input
    assert events("risk.alert") == []


def test_days_nobody_reported_on_are_not_days_without_flows(open_account: OpenAccount) -> None:
    silent = open_account("INR silent")
    book(silent, weekly_outflows(TODAY - timedelta(days=9), days=60, by_weekday=BY_WEEKDAY))
    state_balance(silent, "100.00", as_of=datetime(2026, 11, 10, 18, 30, tzinfo=UTC))
    made = run_forecast(account_id=silent.pk, now=FRIDAY)
    assert made.history_days == 60
    assert selectors.lines(made.pk)[0].expected_out == Decimal("1400.00")


def test_the_daily_run_tells_all_lines_by_currency_and_day(
    account: BankAccount, open_account: OpenAccount
) -> None:
    second = open_account("INR second")
    book(second, weekly_outflows(TODAY, days=60, by_weekday=["10.00"] * 7))
    state_balance(second, "1000.00", as_of=datetime(2026, 11, 19, 18, 30, tzinfo=UTC))
    done = run_daily_forecast(now=FRIDAY)
    [ready] = events("forecast.daily.ready")
    assert ready["forecast_id"] == str(done.run.pk)
    assert (ready["as_of"], ready["horizon_days"]) == ("2026-11-20T03:30:00Z", 14)
    assert len(ready["lines"]) == 14
    first = ready["lines"][0]
    assert set(first) == {"currency", "date", "inflow", "outflow", "p10", "p90"}
    assert Decimal(first["outflow"]) == Decimal("1410.00")
    assert Decimal(first["p10"]) <= Decimal("-1410.00") <= Decimal(first["p90"])


def test_the_largest_shortfall_of_a_currency_is_told_first(open_account: OpenAccount) -> None:
    for label, amount in (("A", "100.00"), ("B", "900.00"), ("C", "500.00")):
        made = open_account(f"INR {label}")
        state_balance(made, "0.00", as_of=FRIDAY, code="ITAV")
        plan_payouts(plans=[plan(made, TODAY, amount)], now=FRIDAY)
    run_daily_forecast(now=FRIDAY)
    told = [row["required"] for row in events("forecast.rda.shortfall")]
    assert [Decimal(amount) for amount in told] == [900, 500, 100]


def test_a_run_with_nothing_new_is_the_last_run(account: BankAccount) -> None:
    first = run_daily_forecast(now=FRIDAY)
    again = run_daily_forecast(now=FRIDAY + timedelta(minutes=15))
    assert (again.run, again.announced) == (first.run, False)
    assert ForecastRun.objects.count() == 1
    assert len(events("forecast.daily.ready")) == 1


def test_an_account_that_cannot_be_forecast_does_not_stop_the_others(
    account: BankAccount, open_account: OpenAccount
) -> None:
    lost = open_account("JPY without a calendar", currency="JPY")
    run_daily_forecast(now=FRIDAY)
    done = run_daily_forecast(now=FRIDAY + timedelta(minutes=15))
    assert [one.account_id for one in done.forecasts] == [account.pk]
    assert [row["code"] for row in done.run.refusals] == ["calendar_unknown"]
    told = [row for row in events("risk.alert") if row["kind"] == "forecast_impossible"]
    assert [row["subject_id"] for row in told] == [str(lost.pk)]


def test_a_closed_account_is_not_forecast(account: BankAccount) -> None:
    BankAccount.objects.filter(pk=account.pk).update(is_active=False)
    assert run_daily_forecast(now=FRIDAY).forecasts == ()


@pytest.mark.parametrize("days", [0, 93])
def test_a_horizon_has_limits(account: BankAccount, days: int) -> None:
    with pytest.raises(Invalid):
        run_daily_forecast(now=FRIDAY, horizon_days=days)
    assert not Forecast.objects.exists()


def test_lines_close_where_the_next_day_opens(account: BankAccount) -> None:
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    running = made.opening
    for line in selectors.lines(made.pk):
        running += line.net
        assert line.closing == running
        assert line.closing_p10 is not None
        assert line.closing_p90 is not None
        assert line.closing_p10 <= line.closing <= line.closing_p90


def test_own_money_on_its_way_is_not_counted_twice(account: BankAccount) -> None:
    for day, amount in ((TODAY, "300.00"), (TODAY + timedelta(days=2), "50.00")):
        ExpectedFlow.objects.create(
            account=account,
            source="TRANSFER",
            source_ref=f"T{amount}",
            amount=Decimal(amount),
            value_date=day,
            description="funding",
            created_at=FRIDAY,
        )
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    assert made.available == Decimal("4800.00")
    known = {line.day: line.known_in for line in selectors.lines(made.pk) if line.known_in}
    assert known == {TODAY + timedelta(days=2): Decimal("50.00")}


def test_another_tenant_sees_no_forecast(account: BankAccount, other_tenant: Tenant) -> None:
    made = run_forecast(account_id=account.pk, now=FRIDAY)
    with bound(other_tenant.id):
        assert not Forecast.objects.exists()
        assert not ForecastLine.objects.exists()
        assert selectors.latest_forecasts() == []
    assert selectors.latest_forecasts() == [made]
