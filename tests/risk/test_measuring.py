"""What a reading says, what it leaves out, and that it never knows the day it is for."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import numpy as np
import pytest
from django.db import IntegrityError, transaction

from core import clock, policies
from core.events.models import OutboxEvent
from risk.engine.tails import Quantile, tail
from risk.models import AccountRisk, RiskRun
from risk.policies import VAR_QUANTILE
from risk.selectors import readings as reads
from risk.services.measuring import measure_account, measure_risk
from tests.liquidity.books import book
from tests.risk.conftest import (
    FRIDAY,
    TODAY,
    OpenAccount,
    amounts,
    business_days_before,
    close_yesterday,
    give_past,
)
from treasury.errors import AccountUnknown
from treasury.models import BankAccount, BankEntry, RiskReading
from treasury.policies import RATE_AGE_HOURS_MAX


def measured(account: BankAccount, **more: date) -> AccountRisk:
    """Measure, each time a second later than the time before."""
    now = clock.now() + timedelta(seconds=AccountRisk.objects.count())
    return measure_account(account_id=account.pk, now=now, **more)


def floats(flows: list[str]) -> "np.ndarray[tuple[int], np.dtype[np.float64]]":
    return np.array([float(one) for one in flows])


def test_a_reading_is_the_quantile_of_the_last_250_business_days(account: BankAccount) -> None:
    reading = measured(account)
    by_hand = tail(floats(amounts(300)[-250:]))
    assert reading.var_amount == Decimal(f"{by_hand.var:.2f}")
    assert reading.expected_shortfall == Decimal(f"{by_hand.es:.2f}")
    assert (reading.observations, reading.is_short, reading.missing) == (250, False, "")
    assert (reading.day, reading.last_day) == (TODAY, TODAY - timedelta(days=1))
    assert reading.first_day == business_days_before(TODAY, 250)[0]


def test_its_share_is_of_what_could_be_spent(account: BankAccount) -> None:
    reading = measured(account)
    assert reading.base_amount == Decimal(10_000_000)  # with the floor of 500,000 included
    assert reading.var_amount is not None
    expected = reading.var_amount * 10_000 / 10_000_000
    assert reading.var_bps == expected.quantize(Decimal("0.0001"))


def test_the_treasury_is_told_the_same(account: BankAccount) -> None:
    reading = measured(account)
    told = RiskReading.objects.get()
    assert told.account == account
    assert (told.var_amount, told.var_bps) == (reading.var_amount, reading.var_bps)
    assert (told.method, told.observations) == ("historical_hf6", 250)
    assert (told.as_of, told.observed_at) == (reading.last_day, FRIDAY)
    assert told.inputs_sha256 == reading.inputs_sha256


def test_fewer_than_a_hundred_days_are_no_figure_and_the_treasury_hears_it(
    open_account: OpenAccount,
) -> None:
    young = open_account("USD new")
    give_past(young, amounts(99))
    close_yesterday(young, "1000000.00")
    reading = measured(young)
    assert (reading.var_amount, reading.var_bps) == (None, None)
    assert (reading.missing, reading.observations) == ("TOO_FEW", 99)
    assert reading.why_missing == "Too few business days are known."
    assert RiskReading.objects.get().var_bps is None


def test_a_hundred_days_are_a_figure_that_says_how_few_they_are(open_account: OpenAccount) -> None:
    young = open_account("USD new")
    give_past(young, amounts(100))
    close_yesterday(young, "1000000.00")
    reading = measured(young)
    assert reading.var_bps is not None
    assert (reading.observations, reading.is_short) == (100, True)


def test_an_account_without_any_past_has_no_figure(open_account: OpenAccount) -> None:
    reading = measured(open_account("USD empty"))
    assert (reading.missing, reading.observations, reading.last_day) == ("TOO_FEW", 0, None)
    assert RiskReading.objects.get().as_of == TODAY - timedelta(days=1)


def test_without_a_positive_balance_there_is_an_amount_but_no_share(
    open_account: OpenAccount,
) -> None:
    drawn = open_account("USD drawn", overdraft_limit=Decimal(9_000_000))
    give_past(drawn, amounts(250))
    close_yesterday(drawn, "-20.00")
    reading = measured(drawn)
    assert reading.var_amount is not None
    assert (reading.var_bps, reading.missing) == (None, "NO_BASE")


def test_a_currency_without_a_calendar_has_no_figure(open_account: OpenAccount) -> None:
    odd = open_account("CHF somewhere", currency="CHF", number="7788990011")
    book(odd, [(TODAY - timedelta(days=back), "-5.00") for back in range(300, 0, -1)])
    assert measured(odd).missing == "NO_CALENDAR"


def quiet_account(open_account: OpenAccount) -> BankAccount:
    """Return an account of 250 business days with three flows and 10,000,000.00."""
    quiet = open_account("USD quiet")
    days = business_days_before(TODAY, 250)
    book(quiet, [(days[0], "-1.00"), (days[120], "-70000.00"), (days[200], "-90000.00")])
    close_yesterday(quiet, "10000000.00")
    return quiet


def test_days_without_flows_are_zeros(open_account: OpenAccount) -> None:
    reading = measured(quiet_account(open_account))
    # Ranks 2 and 3 of the losses are 70,000 and 1: 0.49 × 70,000 + 0.51 × 1.
    assert reading.var_amount == Decimal("34300.51")
    assert reading.observations == 250


def test_what_a_weekend_brought_counts_on_monday(open_account: OpenAccount) -> None:
    account = open_account("USD weekend")
    give_past(account, ["-1.00"] * 120, until=TODAY)
    before = measured(account)
    assert TODAY - timedelta(days=5) == date(2026, 11, 15)  # a Sunday
    book(account, [(date(2026, 11, 14), "-400.00"), (date(2026, 11, 15), "-500.00")])
    after = measured(account)
    assert after.observations == before.observations
    losses = [901.0] + [1.0] * 119
    assert after.var_amount == Decimal(f"{tail(-np.array(losses[: after.observations])).var:.2f}")


def test_days_that_nobody_reported_on_are_not_zeros(open_account: OpenAccount) -> None:
    silent = open_account("USD silent")
    until = TODAY - timedelta(days=14)
    give_past(silent, amounts(150), until=until)
    close_yesterday(silent, "1000000.00", until=until)
    reading = measured(silent)
    assert reading.last_day == business_days_before(until, 1)[0]
    assert reading.observations == 150


def test_the_day_itself_and_what_comes_later_are_unknown(account: BankAccount) -> None:
    before = measured(account)
    book(account, [(TODAY, "-9000000.00"), (TODAY + timedelta(days=3), "-9000000.00")])
    after = measured(account)
    assert (after.var_amount, after.last_day) == (before.var_amount, before.last_day)


def test_moved_by_one_day_the_result_is_another(account: BankAccount) -> None:
    """The negative control: yesterday's loss counts today, and did not yesterday."""
    yesterday = TODAY - timedelta(days=1)
    book(account, [(yesterday, "-9000000.00")])
    seen = measured(account)
    unseen = measured(account, day=yesterday)
    assert seen.var_amount != unseen.var_amount
    assert (unseen.day, unseen.last_day) == (yesterday, TODAY - timedelta(days=2))
    assert unseen.var_amount == Decimal(f"{tail(floats(amounts(300)[-251:-1])).var:.2f}")


@pytest.mark.parametrize("code", ["CAMT/ACCB/ZABA", "CAMT/ACCB/SWEP", "CAMT/ACCB/TOPG"])
def test_what_a_bank_sweeps_by_itself_is_left_out(account: BankAccount, code: str) -> None:
    before = measured(account)
    days = business_days_before(TODAY, 5)
    made = book(account, [(day, "-8000000.00") for day in days])
    assert measured(account).var_amount != before.var_amount
    BankEntry.objects.filter(pk__in=[one.pk for one in made]).update(transaction_code=code)
    assert measured(account).var_amount == before.var_amount


def test_transfers_of_our_own_that_fund_a_payout_stay(
    account: BankAccount, open_account: OpenAccount
) -> None:
    before = measured(account)
    made = book(account, [(day, "-8000000.00") for day in business_days_before(TODAY, 5)])
    BankEntry.objects.filter(pk__in=[one.pk for one in made]).update(
        counterparty=account.entity.name
    )
    assert measured(account).var_amount != before.var_amount


def test_the_codes_of_zero_balance_accounts_count_in_bai2_alone(account: BankAccount) -> None:
    before = measured(account)
    made = book(account, [(day, "-8000000.00") for day in business_days_before(TODAY, 5)])
    rows = BankEntry.objects.filter(pk__in=[one.pk for one in made])
    rows.update(transaction_code="PRTRY:575")
    assert measured(account).var_amount != before.var_amount
    rows.update(best_source="BAI2")
    assert measured(account).var_amount == before.var_amount


def test_pending_and_withdrawn_entries_are_no_flows(account: BankAccount) -> None:
    before = measured(account)
    made = book(account, [(day, "-8000000.00") for day in business_days_before(TODAY, 5)])
    rows = BankEntry.objects.filter(pk__in=[one.pk for one in made])
    rows.update(status="PDNG")
    assert measured(account).var_amount == before.var_amount
    rows.update(status="BOOK", state="WITHDRAWN")
    assert measured(account).var_amount == before.var_amount


def test_another_definition_is_a_policy_away(account: BankAccount) -> None:
    first = measured(account)
    policies.change(policy=VAR_QUANTILE, value="third_worst", actor=None, reason="the auditors'")
    second = measured(account)
    flows = floats(amounts(300)[-250:])
    assert first.quantile == "hf6"
    assert second.quantile == "third_worst"
    by_hand = tail(flows, quantile=Quantile.THIRD_WORST).var
    assert second.var_amount == Decimal(f"{by_hand:.2f}")
    assert {one.method for one in RiskReading.objects.all()} == {
        "historical_hf6",
        "historical_third_worst",
    }


def test_the_same_inputs_write_nothing_again(account: BankAccount) -> None:
    first = measure_risk(now=FRIDAY)
    again = measure_risk(now=FRIDAY + timedelta(minutes=5))
    assert (len(first.new), len(again.new)) == (1, 0)
    assert again.run == first.run
    assert (
        AccountRisk.objects.count() == RiskReading.objects.count() == RiskRun.objects.count() == 1
    )
    policies.change(policy=RATE_AGE_HOURS_MAX, value=12, actor=None, reason="no concern of ours")
    assert measure_risk(now=FRIDAY + timedelta(minutes=6)).new == frozenset()


def test_a_pass_measures_all_accounts_as_each_alone(
    account: BankAccount, open_account: OpenAccount
) -> None:
    others = [open_account(f"USD {name}") for name in ("one", "two", "three")]
    for number, other in enumerate(others):
        give_past(other, amounts(250 if number else 130, seed=number + 2))
        close_yesterday(other, "5000000.00")
    done = measure_risk(now=FRIDAY)
    assert done.run.accounts_count == done.run.measured_count == 4
    for number, other in enumerate(others):
        alone = tail(floats(amounts(250 if number else 130, seed=number + 2))).var
        (found,) = [one for one in done.readings if one.account_id == other.pk]
        assert found.var_amount == Decimal(f"{alone:.2f}")


def test_yesterdays_forecast_is_held_against_what_was_booked(account: BankAccount) -> None:
    yesterday = TODAY - timedelta(days=1)
    first = measured(account, day=yesterday)
    assert first.var_amount is not None
    second = measured(account)
    assert (second.tested_day, second.tested_var) == (yesterday, first.var_amount)
    assert second.tested_flow == Decimal(amounts(300)[-1])
    assert second.is_exceeded is False


def test_a_loss_beyond_the_forecast_is_an_exceedance(account: BankAccount) -> None:
    yesterday = TODAY - timedelta(days=1)
    measured(account, day=yesterday)
    book(account, [(yesterday, "-500000.00")])
    reading = measured(account)
    assert reading.is_exceeded is True
    assert reading.tested_flow == Decimal(amounts(300)[-1]) - 500_000


def test_the_first_reading_of_a_day_is_its_forecast(account: BankAccount) -> None:
    """A reading taken again later that day, with other money on the account, tests nothing."""
    yesterday = TODAY - timedelta(days=1)
    first = measured(account, day=yesterday)
    days = business_days_before(yesterday, 3)
    book(account, [(day, "-7000000.00") for day in days])
    later = measured(account, day=yesterday)
    assert later.var_amount != first.var_amount
    assert measured(account).tested_var == first.var_amount


def test_the_backtest_stands_beside_the_figure(account: BankAccount) -> None:
    found = measured(account).backtest
    flows = floats(amounts(300))
    exceeded = [-flows[day] > tail(flows[max(0, day - 250) : day]).var for day in range(100, 300)]
    assert (found.days, found.exceedances) == (200, sum(exceeded))
    assert found.expected == Decimal("2.0000")
    assert found.zone in ("GREEN", "YELLOW")
    assert (found.last_day, found.first_day) == (
        TODAY - timedelta(days=1),
        business_days_before(TODAY, 200)[0],
    )


def test_just_enough_days_for_a_figure_are_none_for_a_backtest(open_account: OpenAccount) -> None:
    young = open_account("USD new")
    give_past(young, amounts(100))
    close_yesterday(young, "1000000.00")
    reading = reads.reading(measured(young).pk)
    assert reading.var_amount is not None
    assert not hasattr(reading, "backtest")


def test_a_reading_of_a_past_day_stays_in_this_room(account: BankAccount) -> None:
    measured(account, day=TODAY - timedelta(days=30))
    assert RiskReading.objects.count() == 0
    measured(account, day=TODAY + timedelta(days=30))  # a day ahead is today
    assert RiskReading.objects.get().as_of == TODAY - timedelta(days=1)


def test_a_past_day_measured_later_is_not_the_newest(account: BankAccount) -> None:
    today = measured(account)
    past = measured(account, day=TODAY - timedelta(days=30))
    found = reads.newest_of(account.pk)
    assert found == today
    assert list(reads.newest()) == [today]
    assert measured(account, day=TODAY - timedelta(days=30)) == past
    assert measured(account) == today


def test_an_unknown_account_is_refused(account: BankAccount) -> None:
    with pytest.raises(AccountUnknown):
        measure_account(account_id=account.entity_id, now=FRIDAY)


def alerts() -> list[OutboxEvent]:
    return [
        one
        for one in OutboxEvent.objects.filter(topic="risk.alert").order_by("id")
        if one.payload["kind"] == "var_over_limit"
    ]


def test_passing_the_limit_is_told_once(open_account: OpenAccount) -> None:
    """The limit is ten basis points; 34,300.51 of ten millions are 34.3."""
    account = quiet_account(open_account)
    reading = measured(account)
    assert (reading.limit_bps, reading.var_bps) == (Decimal(10), Decimal("34.3005"))
    assert reading.is_over_limit
    (alert,) = alerts()
    assert alert.payload["subject_id"] == str(account.pk)
    book(account, [(TODAY - timedelta(days=1), "-3.00")])
    assert measured(account).is_over_limit
    assert len(alerts()) == 1


def test_below_the_limit_nobody_is_told(open_account: OpenAccount) -> None:
    calm = open_account("USD calm")
    give_past(calm, ["-1.00"] * 250)
    close_yesterday(calm, "1000000.00")
    assert measured(calm).is_over_limit is False
    assert alerts() == []


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE risk_accountrisk SET var_bps = 1",
        "DELETE FROM risk_accountrisk",
        "UPDATE risk_backtest SET zone = 'GREEN'",
        "DELETE FROM risk_riskrun",
    ],
)
def test_nobody_changes_a_reading(account: BankAccount, attack: str) -> None:
    from django.db import connection
    from django.db.utils import ProgrammingError

    measure_risk(now=FRIDAY)
    with pytest.raises(ProgrammingError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


BROKEN: dict[str, dict[str, Any]] = {
    "account_risk_knows_only_earlier_days": {"last_day": TODAY},
    "account_risk_says_why_nothing": {"var_bps": None},
    "account_risk_share_has_its_parts": {"base_amount": Decimal(0)},
    "account_risk_losses_are_not_negative": {"var_amount": Decimal(-1)},
    "account_risk_test_is_whole": {"tested_day": TODAY - timedelta(days=1)},
    "account_risk_exceeded_means_lost_more": {
        "tested_day": TODAY - timedelta(days=1),
        "tested_var": Decimal(5),
        "tested_flow": Decimal(-5),
        "is_exceeded": True,
    },
    "account_risk_window_in_range": {"observations": 251},
    "account_risk_digest_form": {"inputs_sha256": "A" * 64},
}


@pytest.mark.parametrize("name", BROKEN)
def test_the_database_refuses_what_cannot_be(account: BankAccount, name: str) -> None:
    reading = measured(account)
    facts = {
        field.attname: getattr(reading, field.attname)
        for field in AccountRisk._meta.local_concrete_fields
        if field.name != "id"
    }
    AccountRisk.objects.create(**facts)
    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        AccountRisk.objects.create(**{**facts, **BROKEN[name]})
