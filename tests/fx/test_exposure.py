"""Exposure: strictly above thirty percent after 14:00 in Mumbai is told once, and never dealt."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from core import clock, policies
from core.events.models import OutboxEvent
from core.tenancy import Tenant
from fx import tasks
from fx.engine.exposure import Denominator, cap_of, exposure_of, is_breach, is_overhedged
from fx.engine.pairs import parse_pair
from fx.errors import DealRefused
from fx.models import Deal, ExposureAlarm
from fx.policies import FX_CURRENCIES
from fx.selectors import exposure as reads
from fx.services.exposing import watch_exposure
from fx.services.rates import Origin, RateIn, record_rates
from fx.services.sources import FEED
from tests.fx.centres import calendars
from tests.fx.conftest import NOW
from tests.fx.dealing import Desk
from tests.fx.test_deals_delivery import machine
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.test_batching import put_entry
from treasury.services import flows

D = Decimal
LIMIT = D("0.30")
MUMBAI = calendars()["INR"]
TUESDAY = date(2026, 11, 17)
AT_TWO = datetime(2026, 11, 17, 8, 30, tzinfo=UTC)  # 14:00 in Mumbai


def exposed(hedged: str, *, required: str = "100", prefunded: str = "20") -> Any:
    return exposure_of(required=D(required), prefunded=D(prefunded), hedged=D(hedged))


def test_exactly_thirty_percent_is_allowed() -> None:
    found = exposed("56")
    assert (found.open, found.share) == (D(24), D("0.30"))
    cap = cap_of("INR", MUMBAI, AT_TWO)
    assert not is_breach(found, cap, limit=LIMIT)
    assert is_breach(exposed("55.99"), cap, limit=LIMIT)


def test_the_cap_arms_at_two_in_mumbai() -> None:
    before = cap_of("INR", MUMBAI, AT_TWO - timedelta(seconds=1))
    assert not before.is_armed
    assert not is_breach(exposed("0"), before, limit=LIMIT)
    at = cap_of("INR", MUMBAI, AT_TWO)
    assert (at.is_armed, at.at) == (True, AT_TWO)
    assert (at.day, at.until) == (TUESDAY, TUESDAY)


def test_every_currency_has_its_own_two_o_clock() -> None:
    caps = {
        code: cap_of(code, calendars()[code], AT_TWO).at.astimezone(UTC).hour
        for code in ("INR", "AED", "GBP", "EUR")
    }
    assert caps == {"INR": 8, "AED": 10, "GBP": 14, "EUR": 14}


def test_friday_covers_the_weekend_and_a_holiday_is_covered_before() -> None:
    friday = cap_of("INR", MUMBAI, datetime(2026, 11, 20, 9, 0, tzinfo=UTC))
    assert (friday.day, friday.until) == (date(2026, 11, 20), date(2026, 11, 22))
    monday = cap_of("INR", MUMBAI, datetime(2026, 11, 23, 9, 0, tzinfo=UTC))
    assert monday.until == date(2026, 11, 24)  # Guru Nanak's birthday
    holiday = cap_of("INR", MUMBAI, datetime(2026, 11, 24, 3, 0, tzinfo=UTC))
    assert (holiday.day, holiday.is_armed) == (date(2026, 11, 23), True)


@pytest.mark.parametrize(
    ("required", "prefunded", "hedged", "share", "over"),
    [
        ("100", "100", "0", "0", "0"),
        ("100", "150", "0", "0", "0"),
        ("0", "0", "0", "0", "0"),
        ("100", "-50", "0", "1", "0"),  # overdrawn adds to the need
        ("100", "20", "88", "0", "0.1"),
        ("100", "20", "-20", "1.25", "0"),  # sold instead of bought
    ],
)
def test_shares(required: str, prefunded: str, hedged: str, share: str, over: str) -> None:
    found = exposed(hedged, required=required, prefunded=prefunded)
    assert (found.share, found.over) == (D(share), D(over))


def test_bought_too_much_is_an_alarm_of_its_own() -> None:
    assert not is_overhedged(exposed("88"), limit=D("0.10"))
    assert is_overhedged(exposed("88.01"), limit=D("0.10"))


def test_the_whole_need_may_be_the_measure() -> None:
    found = exposure_of(
        required=D(100), prefunded=D(20), hedged=D(50), denominator=Denominator.GROSS_REQUIRED
    )
    assert found.share == D("0.30")


@scene
def needy(desk: Desk) -> Desk:
    """A hundred million rupees are needed over the weekend, twenty are there."""
    policies.write_version(policy=FX_CURRENCIES, value="USD,INR", actor=None, reason="a test")
    put_balance(desk.accounts["INR"], "20000000.00")
    for number, day in enumerate((20, 22, 23)):
        flows.put_expected_flow(
            flow=flows.FlowIn(
                account_id=desk.accounts["INR"].pk,
                source="PAYOUT",
                source_ref=f"P{number}",
                amount=D("-50000000.00"),
                value_date=date(2026, 11, day),
                description="Payouts",
            )
        )
    return desk


def prices_of_last_week() -> None:
    rate = RateIn(
        row=1,
        pair=parse_pair("USD/INR"),
        bid=D("84.9950"),
        ask=D("85.0050"),
        as_of=clock.now() - timedelta(minutes=1),
    )
    record_rates(
        origin=Origin(source=FEED, name="then", data=b"then", received_from="test"), rates=[rate]
    )


def test_need_money_and_hedges_come_together(needy: Desk) -> None:
    [found] = reads.board(now=NOW)
    assert (found.exposure.required, found.exposure.prefunded) == (D(100_000_000), D(20_000_000))
    assert (found.exposure.share, found.is_breached, found.is_stale) == (D(1), True, False)
    needy.executed(dealt="56000000.00 INR", tenor="CASH")
    [found] = reads.board(now=NOW)
    assert (found.exposure.hedged, found.exposure.share) == (D(56_000_000), D("0.3"))
    assert not found.is_breached
    needy.executed(dealt="10000000.00 INR")  # spot: Wednesday is too late
    assert reads.of_currency("INR", now=NOW).exposure.hedged == D(56_000_000)


def test_what_was_delivered_before_is_money_and_no_hedge(needy: Desk) -> None:
    """Bought last week, arrived, paid out since: nothing of it covers this weekend."""
    with clock.frozen(NOW - timedelta(days=7)):
        prices_of_last_week()
        needy.executed(dealt="56000000.00 INR", tenor="CASH")
        found = reads.of_currency("INR", now=clock.now())
        assert found.exposure.hedged == D(56_000_000)
    found = reads.of_currency("INR", now=NOW)
    assert (found.exposure.hedged, found.exposure.share) == (D(0), D(1))
    assert found.is_breached


def test_on_its_day_a_deal_counts_until_the_bank_has_booked_it(needy: Desk) -> None:
    ours = needy.accounts["INR"]
    needy.executed(dealt="30000000.00 INR", tenor="CASH")
    needy.executed(dealt="30000000.00 INR", tenor="CASH")
    assert reads.of_currency("INR", now=NOW).exposure.hedged == D(60_000_000)
    put_entry(ours, "29999999.00", "BOOK", announced=False)
    put_entry(ours, "-30000000.00", "BOOK", announced=False)
    put_entry(ours, "30000000.00", "PDNG", announced=False)
    assert reads.of_currency("INR", now=NOW).exposure.hedged == D(60_000_000)
    put_entry(ours, "30000000.00", "BOOK", announced=False)
    assert reads.of_currency("INR", now=NOW).exposure.hedged == D(30_000_000)
    put_entry(ours, "30000000.00", "BOOK", announced=False)
    assert reads.of_currency("INR", now=NOW).exposure.hedged == D(0)


def test_a_breach_is_told_once_a_day(needy: Desk) -> None:
    [alarm] = watch_exposure(now=NOW)
    assert (alarm.kind, alarm.currency, alarm.day) == ("BREACH", "INR", date(2026, 11, 20))
    assert watch_exposure(now=NOW + timedelta(minutes=1)) == []
    [event] = OutboxEvent.objects.filter(topic="fx.exposure.breach")
    assert event.payload["open"] == "80000000.0000"
    assert event.payload["cap_time_utc"] == "2026-11-20T08:30:00Z"
    assert not Deal.objects.exists()


def test_before_two_it_is_a_warning_only(needy: Desk) -> None:
    with clock.frozen(NOW.replace(hour=8, minute=29, second=59)):
        found = reads.of_currency("INR", now=clock.now())
        assert (found.is_warned, found.is_breached) == (True, False)
        assert watch_exposure(now=clock.now()) == []


def test_too_much_bought_is_told(needy: Desk) -> None:
    needy.executed(dealt="89000000.00 INR", tenor="CASH")
    [alarm] = watch_exposure(now=NOW)
    assert (alarm.kind, alarm.share) == ("OVERHEDGED", D("0.112500"))
    assert not OutboxEvent.objects.filter(topic="fx.exposure.breach").exists()


def test_exposure_over_the_api_and_on_the_desk(needy: Desk) -> None:
    watch_exposure(now=NOW)
    [row] = machine(needy.back_office).get(reverse("exposure")).json()
    assert (row["currency"], row["pct"], row["limit_pct"]) == ("INR", "1.000000", "0.30")
    assert (row["cap_armed"], row["breached"]) == (True, True)
    assert row["cap_time_utc"] == "2026-11-20T08:30:00Z"
    page = client_of(needy.back_office).get(reverse("fx:exposure")).content.decode()
    assert "100.00 %" in page
    assert "Above the cap" in page


def test_without_a_need_there_is_nothing_to_show(house: Tenant, user_with: Any) -> None:
    client = client_of(user_with("auditor", name="auditor"))
    page = client.get(reverse("fx:exposure")).content.decode()
    assert page.count("Within the cap") == 4
    tasks.watch()
    assert not ExposureAlarm.objects.exists()


def test_alarms_are_kept(needy: Desk) -> None:
    watch_exposure(now=NOW)
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM fx_exposurealarm")


def test_what_is_open_above_the_cap_is_not_sold(needy: Desk) -> None:
    with pytest.raises(DealRefused, match="INR is open above its cap") as caught:
        needy.submitted(side="BUY")
    assert [one["rule"] for one in caught.value.context["findings"]] == ["UNHEDGING"]
    assert needy.submitted(side="SELL").state == "SUBMITTED"
