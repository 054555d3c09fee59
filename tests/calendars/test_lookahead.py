"""The holiday lookahead: three days, weekday closures only, once a day."""

from datetime import date
from typing import Any

import pytest

from calendars import services
from calendars.errors import CalendarCoverageError
from calendars.models import LookaheadRun
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant


def published() -> list[dict[str, Any]]:
    rows = OutboxEvent.objects.filter(topic="ops.holiday.lookahead").order_by("id")
    return [row.payload for row in rows]


def test_before_thanksgiving_both_closures_are_named(installed: Tenant) -> None:
    services.publish_holiday_lookahead(today=date(2026, 11, 23))
    (event,) = published()
    assert event["generated_for"] == "2026-11-23"
    assert event["days"] == [
        {
            "calendar": "MUMBAI_FX",
            "currency": "INR",
            "date": "2026-11-24",
            "name": "Guru Nanak's Birthday",
            "status": "PROVISIONAL",
        },
        {
            "calendar": "FED",
            "currency": "USD",
            "date": "2026-11-26",
            "name": "Thanksgiving Day",
            "status": "PROVISIONAL",
        },
    ]
    assert event["next_open"]["MUMBAI_FX"] == "2026-11-25"
    assert event["funding_gap_days"] == {"USD": 1, "GBP": 1, "EUR": 1, "INR": 2, "AED": 1}


def test_at_christmas_the_gap_is_as_long_as_money_stands_still(installed: Tenant) -> None:
    services.publish_holiday_lookahead(today=date(2026, 12, 24))
    (event,) = published()
    assert event["funding_gap_days"] == {"USD": 4, "GBP": 5, "EUR": 4, "INR": 4, "AED": 1}
    assert event["next_open"]["UK_EW"] == "2026-12-29"
    assert [row["calendar"] for row in event["days"]] == ["FED", "MUMBAI_FX", "TARGET", "UK_EW"]
    assert {row["date"] for row in event["days"]} == {"2026-12-25"}  # no weekend days


def test_a_quiet_week_publishes_an_empty_list(installed: Tenant) -> None:
    run = services.publish_holiday_lookahead(today=date(2026, 11, 16))
    assert run.closures == 0
    assert published()[0]["days"] == []


def test_a_day_is_published_once(installed: Tenant) -> None:
    first = services.publish_holiday_lookahead(today=date(2026, 11, 23))
    again = services.publish_holiday_lookahead(today=date(2026, 11, 23))
    assert again.pk == first.pk
    assert len(published()) == 1
    services.publish_holiday_lookahead(today=date(2026, 11, 24))
    assert len(published()) == 2


def test_a_cancelled_holiday_is_not_news(installed: Tenant, keeper: User) -> None:
    services.cancel_holiday(
        calendar="MUMBAI_FX", day=date(2026, 11, 24), actor=keeper, reason="Moved"
    )
    services.publish_holiday_lookahead(today=date(2026, 11, 23))
    assert [row["calendar"] for row in published()[0]["days"]] == ["FED"]


def test_at_the_end_of_the_data_it_refuses_to_promise_open_days(installed: Tenant) -> None:
    with pytest.raises(CalendarCoverageError):
        services.publish_holiday_lookahead(today=date(2028, 12, 30))
    assert not LookaheadRun.objects.exists()
