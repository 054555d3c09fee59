"""What the database refuses, whoever asks."""

from datetime import UTC, date, datetime, time
from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction

from calendars.engine.days import HolidayStatus
from calendars.models import (
    BankCutoff,
    Calendar,
    Holiday,
    Rail,
    RailWindow,
    RailWindowOverride,
    WeekendRule,
    WindowAlert,
)
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.scenes import scene

NOON = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
DAY = date(2026, 11, 24)


def refuses(constraint: str, model: Any, /, **fields: Any) -> bool:
    with pytest.raises(IntegrityError) as refusal, transaction.atomic():
        model.objects.create(**fields)
    return constraint in str(refusal.value)


@scene
def chaps(installed: Tenant) -> Rail:
    return Rail.objects.get(code="CHAPS")


@scene
def london(installed: Tenant) -> Calendar:
    return Calendar.objects.get(code="UK_EW")


def window(rail: Rail, **more: Any) -> dict[str, Any]:
    return {
        "rail": rail,
        "kind": "CUSTOMER",
        "local_time": time(16, 0),
        "weekday_mask": 0b0000001,
        "effective_from": date(2027, 1, 1),
        **more,
    }


def test_two_windows_of_one_kind_never_share_a_day(chaps: Rail) -> None:
    assert refuses("rail_window_no_overlap", RailWindow, **window(chaps))
    # Negative control: on weekdays the book does not use, the same row is welcome.
    RailWindow.objects.create(**window(chaps, weekday_mask=0b1100000))


def test_windows_may_follow_each_other_without_a_gap(chaps: Rail) -> None:
    current = RailWindow.objects.get(rail=chaps, kind="OPEN")
    current.effective_to = date(2027, 9, 1)
    current.save()
    earlier = window(chaps, kind="OPEN", local_time=time(1, 30), weekday_mask=0b0011111)
    RailWindow.objects.create(**{**earlier, "effective_from": date(2027, 9, 1)})
    assert refuses(
        "rail_window_no_overlap", RailWindow, **{**earlier, "effective_from": date(2027, 8, 31)}
    )


def test_windows_are_well_formed(chaps: Rail) -> None:
    assert refuses("rail_window_kind_known", RailWindow, **window(chaps, kind="LUNCH"))
    assert refuses("rail_window_mask_valid", RailWindow, **window(chaps, weekday_mask=128))
    assert refuses(
        "rail_window_only_opens_the_day_before", RailWindow, **window(chaps, day_offset=-1)
    )
    assert refuses(
        "rail_window_period_ordered",
        RailWindow,
        **window(chaps, weekday_mask=0b1000000, effective_to=date(2027, 1, 1)),
    )


def test_weekends_of_one_calendar_do_not_overlap(london: Calendar) -> None:
    assert refuses(
        "weekend_rule_no_overlap",
        WeekendRule,
        calendar=london,
        closed_weekdays=1,
        effective_from=DAY,
    )
    assert refuses(
        "weekend_rule_alternate_valid",
        WeekendRule,
        calendar=london,
        closed_weekdays=1,
        alternate_weekday=5,
        effective_from=date(1990, 1, 1),
        effective_to=date(1991, 1, 1),
    )


def test_a_day_is_named_once_and_decided_by_somebody(
    london: Calendar, keeper: User, second_keeper: User
) -> None:
    row: dict[str, Any] = {
        "calendar": london,
        "date": DAY,
        "name": "Moon day",
        "kind": "ADHOC",
        "source": "test",
    }
    assert refuses("holiday_decided_by_somebody", Holiday, **row, status="CONFIRMED")
    assert refuses("holiday_decided_by_somebody", Holiday, **row, status="PERHAPS")
    assert refuses("holiday_kind_known", Holiday, **{**row, "kind": "PARTY"})
    assert refuses(
        "holiday_declarer_does_not_decide",
        Holiday,
        **row,
        status=HolidayStatus.CONFIRMED,
        declared_by=keeper,
        decided_by=keeper,
        decided_at=NOON,
    )
    Holiday.objects.create(
        **row,
        status=HolidayStatus.CONFIRMED,
        declared_by=keeper,
        decided_by=second_keeper,
        decided_at=NOON,
    )
    assert refuses("holiday_day_once", Holiday, **row)


def test_an_override_has_a_reason_and_waits_for_its_second_person(
    chaps: Rail, keeper: User, tenant: Tenant
) -> None:
    row: dict[str, Any] = {
        "rail": chaps,
        "business_date": DAY,
        "kind": "CUSTOMER",
        "revision": 1,
        "entered_by": keeper,
        "entered_at": NOON,
    }
    with bound(tenant.pk, actor=keeper.pk):
        assert refuses(
            "waits for its second person",
            RailWindowOverride,
            **row,
            reason="Incident",
            approved_by=keeper,
            approved_at=NOON,
        )
        assert refuses("window_override_has_a_reason", RailWindowOverride, **row, reason="")


def test_a_bank_has_one_cutoff_at_a_time(chaps: Rail) -> None:
    row: dict[str, Any] = {
        "rail": chaps,
        "bank": "BARCGB22",
        "local_time": time(16, 0),
        "tz": "Europe/London",
        "effective_from": DAY,
    }
    BankCutoff.objects.create(**row)
    assert refuses(
        "bank_cutoff_no_overlap", BankCutoff, **{**row, "effective_from": date(2027, 1, 1)}
    )
    assert refuses("bank_cutoff_is_a_cutoff", BankCutoff, **{**row, "kind": "OPEN"})


def test_one_currency_settles_by_one_calendar(installed: Tenant) -> None:
    row: dict[str, Any] = {
        "code": "LONDON2",
        "name": "Second opinion",
        "tz": "Europe/London",
        "currency": "GBP",
        "is_settlement": True,
        "coverage_start": DAY,
        "coverage_end": DAY,
    }
    assert refuses("calendar_one_settlement_per_currency", Calendar, **row)
    assert refuses(
        "calendar_coverage_ordered",
        Calendar,
        **{**row, "is_settlement": False, "coverage_end": date(2026, 1, 1)},
    )


def test_an_alert_exists_once_and_before_its_cutoff(chaps: Rail) -> None:
    row: dict[str, Any] = {
        "rail": chaps,
        "business_date": DAY,
        "kind": "CUSTOMER",
        "revision": 1,
        "cutoff_at": NOON,
        "raised_at": datetime(2026, 11, 24, 11, 45, tzinfo=UTC),
        "minutes_left": 15,
        "pending_count": 0,
        "pending_usd": 0,
    }
    WindowAlert.objects.create(**row)
    assert refuses("window_alert_once", WindowAlert, **row)
    assert refuses(
        "window_alert_before_cutoff", WindowAlert, **{**row, "revision": 2, "raised_at": NOON}
    )


def _point_into(calendar: Calendar, tenant: Tenant) -> None:
    with bound(tenant.id):
        WeekendRule.objects.create(calendar_id=calendar.pk, closed_weekdays=96, effective_from=DAY)
        with connection.cursor() as cursor:
            cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")


def test_a_row_never_points_into_another_tenant(london: Calendar, other_tenant: Tenant) -> None:
    with pytest.raises(IntegrityError) as refusal:
        _point_into(london, other_tenant)
    assert "same_tenant" in str(refusal.value)
