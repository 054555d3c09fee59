"""Deciding about holidays and windows: who may, what follows, what is refused."""

from datetime import UTC, date, datetime, time, timedelta
from typing import Any
from uuid import uuid4

import pytest

from calendars import selectors, services
from calendars.engine.days import HolidayKind, HolidayStatus
from calendars.engine.rails import WindowKind
from calendars.errors import (
    CalendarCoverageError,
    CalendarUnknown,
    HolidayStateRefused,
    HolidayUnknown,
    LibraryCoverageError,
    OverrideRefused,
    RailAmbiguous,
    RailUnknown,
    SameHandRefused,
)
from calendars.models import BankCutoff, Calendar, Holiday, Rail, RailWindow
from calendars.rail_book import RAILS
from core.audit.models import AuditEntry
from core.errors import Forbidden, Invalid, NotFound
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.calendars.conftest import approve, override
from tests.conftest import MakeUser

GURU_NANAK = date(2026, 11, 24)
TUESDAY = date(2026, 11, 24)


def events(topic: str) -> list[dict[str, Any]]:
    return [row.payload for row in OutboxEvent.objects.filter(topic=topic).order_by("id")]


# --- installing ------------------------------------------------------------------------------


def test_installing_brings_six_calendars_and_every_rail(installed: Tenant) -> None:
    assert {row.code for row in Calendar.objects.all()} == {
        "FED",
        "UK_EW",
        "TARGET",
        "MUMBAI_BANK",
        "MUMBAI_FX",
        "UAE",
    }
    assert Rail.objects.count() == len(RAILS)
    assert RailWindow.objects.count() == sum(len(rail.windows) for rail in RAILS)
    assert not Holiday.objects.exclude(status=HolidayStatus.PROVISIONAL).exists()


def test_what_was_stored_is_what_the_book_says(installed: Tenant) -> None:
    for rail in RAILS:
        stored = selectors.rail_data(rail.code, rail.currency)
        assert set(stored.windows) == set(rail.windows)
        assert (stored.tz, stored.calendar, stored.sla_minutes, stored.settlement_days) == (
            rail.tz,
            rail.calendar,
            rail.sla_minutes,
            rail.settlement_days,
        )


def test_installing_again_changes_nothing(installed: Tenant, keeper: User) -> None:
    services.cancel_holiday(
        calendar="MUMBAI_FX", day=GURU_NANAK, actor=keeper, reason="Moved by the state"
    )
    before = list(Holiday.objects.order_by("id").values())
    report = services.install_reference_calendars(years=(2026, 2027, 2028))
    assert (report.holidays_added, services.install_rails()) == (0, 0)
    assert list(Holiday.objects.order_by("id").values()) == before


def test_a_further_year_widens_the_coverage(installed: Tenant) -> None:
    with pytest.raises(CalendarCoverageError):
        selectors.calendar_data("FED").is_open(date(2029, 1, 2))
    services.install_reference_calendars(years=(2029,))
    assert selectors.calendar_data("FED").is_open(date(2029, 1, 2))
    assert not selectors.calendar_data("FED").is_open(date(2029, 1, 1))


@pytest.mark.parametrize("years", [(2031,), (2029, 2031), ()])
def test_years_with_a_hole_are_refused(installed: Tenant, years: tuple[int, ...]) -> None:
    with pytest.raises(Invalid):
        services.install_reference_calendars(years=years)
    assert selectors.calendar_data("FED").coverage_end == date(2028, 12, 31)


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_years_beyond_the_library_are_refused(tenant: Tenant) -> None:
    with pytest.raises(LibraryCoverageError):
        services.install_reference_calendars(years=(2035, 2036))


def test_rails_need_their_calendars_first(tenant: Tenant) -> None:
    with pytest.raises(CalendarUnknown):
        services.install_rails()
    assert not Rail.objects.exists()


# --- holidays --------------------------------------------------------------------------------


def test_confirming_keeps_the_day_closed_and_tells_the_house(
    installed: Tenant, keeper: User
) -> None:
    holiday = services.confirm_holiday(calendar="MUMBAI_FX", day=GURU_NANAK, actor=keeper)
    assert (holiday.status, holiday.decided_by) == (HolidayStatus.CONFIRMED, keeper)
    assert not selectors.calendar_data("MUMBAI_FX").is_tentative(GURU_NANAK)
    assert events("calendars.holiday.changed") == [
        {
            "calendar": "MUMBAI_FX",
            "currency": "INR",
            "date": "2026-11-24",
            "name": "Guru Nanak's Birthday",
            "change": "confirmed",
            "status": "CONFIRMED",
            "is_business_day": False,
        }
    ]


def test_the_database_writes_down_who_decided(installed: Tenant, keeper: User) -> None:
    with bound(installed.pk, actor=keeper.pk):
        holiday = services.confirm_holiday(calendar="MUMBAI_FX", day=GURU_NANAK, actor=keeper)
    entry = AuditEntry.objects.filter(
        table_name="calendars_holiday", row_id=str(holiday.pk), action="UPDATE"
    ).get()
    assert entry.actor == str(keeper.pk)
    assert entry.before is not None
    assert entry.after is not None
    assert (entry.before["status"], entry.after["status"]) == ("PROVISIONAL", "CONFIRMED")


def test_cancelling_opens_the_day_at_once(installed: Tenant, keeper: User) -> None:
    now = datetime(2026, 11, 23, 10, 0, tzinfo=UTC)
    assert selectors.value_date_for(rail="INR_DESK", now=now) == date(2026, 11, 25)
    services.cancel_holiday(calendar="MUMBAI_FX", day=GURU_NANAK, actor=keeper, reason="Moved")
    assert selectors.value_date_for(rail="INR_DESK", now=now) == GURU_NANAK
    (event,) = events("calendars.holiday.changed")
    assert (event["change"], event["is_business_day"]) == ("cancelled", True)


def test_a_closure_declared_by_hand_counts_at_once(installed: Tenant, keeper: User) -> None:
    closure = services.Closure(calendar="UK_EW", day=TUESDAY, name="Day of mourning")
    holiday = services.declare_closure(closure=closure, actor=keeper)
    assert (holiday.kind, holiday.status) == (HolidayKind.ADHOC, HolidayStatus.PROVISIONAL)
    now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    status = selectors.rail_status(rail="CHAPS", now=now)
    assert not status.is_open
    assert status.reason_detail == "Day of mourning"
    assert status.value_date == date(2026, 11, 25)


def test_a_half_day_shortens_the_rail(installed: Tenant, keeper: User) -> None:
    closure = services.Closure(
        calendar="UK_EW", day=TUESDAY, name="Early close", half_day_close=time(12, 0)
    )
    services.declare_closure(closure=closure, actor=keeper)
    cutoff = selectors.cutoff_for(rail="CHAPS", day=TUESDAY)
    assert cutoff == datetime(2026, 11, 24, 12, 0, tzinfo=UTC)


def test_who_declared_a_closure_neither_confirms_nor_cancels_it(
    installed: Tenant, keeper: User, second_keeper: User, user_with: MakeUser
) -> None:
    closure = services.Closure(calendar="UK_EW", day=TUESDAY, name="Day of mourning")
    services.declare_closure(closure=closure, actor=keeper)
    twin = user_with("static_data", name="twin", person_number=keeper.person_number)
    for same_person in (keeper, twin):
        with pytest.raises(SameHandRefused):
            services.confirm_holiday(calendar="UK_EW", day=TUESDAY, actor=same_person)
        with pytest.raises(SameHandRefused):
            services.cancel_holiday(
                calendar="UK_EW", day=TUESDAY, actor=same_person, reason="Mistake"
            )
    services.confirm_holiday(calendar="UK_EW", day=TUESDAY, actor=second_keeper)


def test_a_confirmed_day_is_not_cancelled_by_who_confirmed_it(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    services.confirm_holiday(calendar="UAE", day=date(2026, 12, 2), actor=keeper)
    asked: dict[str, Any] = {
        "calendar": "UAE",
        "day": date(2026, 12, 2),
        "reason": "Cabinet moved it",
    }
    with pytest.raises(SameHandRefused):
        services.cancel_holiday(**asked, actor=keeper)
    cancelled = services.cancel_holiday(**asked, actor=second_keeper)
    assert cancelled.status == HolidayStatus.CANCELLED


def test_a_cancelled_day_can_be_declared_again(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    services.cancel_holiday(calendar="UAE", day=date(2026, 12, 2), actor=keeper, reason="Moved")
    closure = services.Closure(calendar="UAE", day=date(2026, 12, 2), name="Moved back")
    services.declare_closure(closure=closure, actor=second_keeper)
    row = Holiday.objects.get(calendar__code="UAE", date=date(2026, 12, 2))
    assert (row.name, row.status, row.decided_by) == ("Moved back", "PROVISIONAL", None)
    assert list(row.history.values_list("status", flat=True))[:2] == [
        "PROVISIONAL",
        "CANCELLED",
    ]


def test_steps_out_of_turn_are_refused_and_change_nothing(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    services.confirm_holiday(calendar="UAE", day=date(2026, 12, 2), actor=keeper)
    before = len(events("calendars.holiday.changed"))
    with pytest.raises(HolidayStateRefused):
        services.confirm_holiday(calendar="UAE", day=date(2026, 12, 2), actor=second_keeper)
    with pytest.raises(HolidayUnknown):
        services.confirm_holiday(calendar="UAE", day=date(2026, 12, 7), actor=keeper)
    with pytest.raises(Invalid):
        services.cancel_holiday(calendar="UAE", day=date(2026, 12, 3), actor=keeper, reason="   ")
    with pytest.raises(HolidayStateRefused):
        services.declare_closure(
            closure=services.Closure(calendar="UAE", day=date(2026, 12, 3), name="Again"),
            actor=keeper,
        )
    with pytest.raises(Invalid):
        services.declare_closure(
            closure=services.Closure(calendar="UAE", day=date(2026, 12, 8), name=" "),
            actor=keeper,
        )
    with pytest.raises(CalendarCoverageError):
        services.declare_closure(
            closure=services.Closure(calendar="UAE", day=date(2031, 1, 8), name="Far"),
            actor=keeper,
        )
    with pytest.raises(CalendarUnknown):
        services.declare_closure(
            closure=services.Closure(calendar="MARS", day=TUESDAY, name="Dust"), actor=keeper
        )
    assert len(events("calendars.holiday.changed")) == before


def test_other_roles_change_nothing(installed: Tenant, maker: User) -> None:
    closure = services.Closure(calendar="UK_EW", day=TUESDAY, name="Day off")
    asked = services.OverrideRequest(
        rail="CHAPS",
        business_date=TUESDAY,
        kind=WindowKind.CUSTOMER,
        local_time=time(19, 0),
        reason="Incident",
    )
    with pytest.raises(Forbidden):
        services.declare_closure(closure=closure, actor=maker)
    with pytest.raises(Forbidden):
        services.confirm_holiday(calendar="UAE", day=date(2026, 12, 2), actor=maker)
    with pytest.raises(Forbidden):
        services.cancel_holiday(
            calendar="UAE", day=date(2026, 12, 2), actor=maker, reason="Why not"
        )
    with pytest.raises(Forbidden):
        override(asked, maker)
    assert not OutboxEvent.objects.filter(topic__startswith="calendars.").exists()


# --- windows ---------------------------------------------------------------------------------


def extension(to: time | None = time(19, 0), **more: Any) -> services.OverrideRequest:
    return services.OverrideRequest(
        rail="T2",
        business_date=TUESDAY,
        kind=WindowKind.CUSTOMER,
        local_time=to,
        reason="Operator announced a delayed closing",
        **more,
    )


def test_an_override_waits_for_the_second_person(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    entered = override(extension(), keeper)
    assert selectors.cutoff_for(rail="T2", day=TUESDAY) == datetime(2026, 11, 24, 16, tzinfo=UTC)
    with pytest.raises(SameHandRefused):
        approve(entered, keeper)
    approve(entered, second_keeper)
    assert selectors.cutoff_for(rail="T2", day=TUESDAY) == datetime(2026, 11, 24, 18, tzinfo=UTC)
    assert events("calendars.window.changed") == [
        {
            "rail": "T2",
            "currency": "EUR",
            "business_date": "2026-11-24",
            "kind": "CUSTOMER",
            "local_time": "19:00:00",
        }
    ]


def test_the_latest_approved_revision_counts(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    first = override(extension(), keeper)
    second = override(extension(time(20, 0)), keeper)
    third = override(extension(time(21, 0)), keeper)
    assert [first.revision, second.revision, third.revision] == [1, 2, 3]
    approve(second, second_keeper)
    assert selectors.cutoff_for(rail="T2", day=TUESDAY) == datetime(2026, 11, 24, 19, tzinfo=UTC)
    with pytest.raises(OverrideRefused):
        approve(first, second_keeper)
    with pytest.raises(OverrideRefused):
        approve(second, second_keeper)


def test_an_override_can_close_the_rail_for_the_day(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    entered = override(extension(None), keeper)
    approve(entered, second_keeper)
    now = datetime(2026, 11, 24, 9, 0, tzinfo=UTC)
    assert selectors.value_date_for(rail="T2", now=now) == date(2026, 11, 25)


def test_an_override_needs_a_reason_a_rail_and_to_exist(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    blank = services.OverrideRequest(
        rail="T2",
        business_date=TUESDAY,
        kind=WindowKind.CUSTOMER,
        local_time=None,
        reason=" ",
    )
    with pytest.raises(Invalid):
        override(blank, keeper)
    with pytest.raises(NotFound), bound(installed.pk, actor=second_keeper.pk):
        services.approve_override(override_id=uuid4(), actor=second_keeper)


def test_a_rail_with_several_currencies_wants_one_named(installed: Tenant) -> None:
    now = datetime(2026, 11, 25, 12, 0, tzinfo=UTC)
    with pytest.raises(RailAmbiguous) as refusal:
        selectors.rail_status(rail="SWIFT_GPI", now=now)
    assert refusal.value.context["currencies"] == ["AED", "GBP", "USD"]
    with pytest.raises(RailUnknown):
        selectors.rail_status(rail="SWIFT_GPI", now=now, currency="JPY")
    with pytest.raises(RailUnknown):
        selectors.rail_data("PIGEON")
    dirham = selectors.rail_status(rail="SWIFT_GPI", now=now, currency="AED")
    assert dirham.value_date == date(2026, 11, 26)  # after 13:00 in Dubai
    dollar = selectors.rail_status(rail="SWIFT_GPI", now=now, currency="USD")
    assert dollar.value_date == date(2026, 11, 25)


def test_a_bank_cutoff_replaces_the_one_before(installed: Tenant, keeper: User) -> None:
    first = services.BankCutoffIn(
        rail="CHAPS",
        bank="barcgb22",
        local_time=time(16, 0),
        tz="Europe/London",
        effective_from=date(2026, 1, 1),
    )
    services.set_bank_cutoff(cutoff=first)
    later = services.BankCutoffIn(
        rail="CHAPS",
        bank="BARCGB22",
        local_time=time(15, 0),
        tz="Europe/London",
        effective_from=date(2026, 12, 1),
    )
    services.set_bank_cutoff(cutoff=later, actor=keeper)
    services.set_bank_cutoff(cutoff=later, actor=keeper)
    assert BankCutoff.objects.count() == 2
    at = [
        selectors.cutoff_for(rail="CHAPS", day=day, bank="BARCGB22")
        for day in (date(2026, 11, 30), date(2026, 12, 1))
    ]
    assert at == [
        datetime(2026, 11, 30, 16, 0, tzinfo=UTC),
        datetime(2026, 12, 1, 15, 0, tzinfo=UTC),
    ]
    now = datetime(2026, 12, 1, 15, 0, tzinfo=UTC)
    assert selectors.value_date_for(rail="CHAPS", now=now, bank="BARCGB22") == date(2026, 12, 2)
    assert selectors.value_date_for(rail="CHAPS", now=now) == date(2026, 12, 1)


def test_a_changed_weekend_starts_on_its_day(installed: Tenant, keeper: User) -> None:
    friday_saturday = services.WeekendIn(
        calendar="UAE", closed_weekdays=0b0110000, effective_from=date(2027, 7, 1)
    )
    services.change_weekend(weekend=friday_saturday, actor=keeper)
    uae = selectors.calendar_data("UAE")
    assert uae.is_open(date(2027, 6, 25))
    assert not uae.is_open(date(2027, 6, 27))
    assert not uae.is_open(date(2027, 7, 2))
    assert uae.is_open(date(2027, 7, 4))
    with pytest.raises(Invalid):
        services.change_weekend(weekend=friday_saturday, actor=keeper)


# --- reads -----------------------------------------------------------------------------------


def test_joint_days_and_settlement_calendars(installed: Tenant) -> None:
    assert selectors.is_joint_business_day(["FED", "TARGET"], date(2026, 12, 28))
    assert not selectors.is_joint_business_day(["FED", "UK_EW"], date(2026, 12, 28))
    with pytest.raises(CalendarUnknown):
        selectors.is_joint_business_day(["FED", "MARS"], date(2026, 12, 28))
    codes = {c: selectors.settlement_calendar(c).code for c in ("USD", "GBP", "EUR", "INR", "AED")}
    assert codes == {
        "USD": "FED",
        "GBP": "UK_EW",
        "EUR": "TARGET",
        "INR": "MUMBAI_FX",
        "AED": "UAE",
    }
    with pytest.raises(CalendarUnknown):
        selectors.settlement_calendar("JPY")


def test_a_payment_can_ask_for_further_centres_and_a_lead(installed: Tenant) -> None:
    now = datetime(2026, 12, 24, 23, 45, tzinfo=UTC)
    asked: dict[str, Any] = {"rail": "FEDWIRE", "now": now}
    assert selectors.value_date_for(**asked) == date(2026, 12, 28)
    assert selectors.value_date_for(**asked, also=["UK_EW"]) == date(2026, 12, 29)
    lead = timedelta(minutes=30)
    assert selectors.latest_landing(
        rail="FEDWIRE", need_by=date(2026, 11, 27), lead=lead
    ) == datetime(2026, 11, 27, 23, 15, tzinfo=UTC)


def test_listing_the_windows_takes_a_fixed_number_of_queries(
    installed: Tenant, django_assert_max_num_queries: Any
) -> None:
    with django_assert_max_num_queries(8):
        found = selectors.all_rail_statuses(datetime(2026, 11, 24, 12, 0, tzinfo=UTC))
    assert len(found) == len(RAILS)


def test_another_tenant_sees_none_of_it(installed: Tenant, other_tenant: Tenant) -> None:
    with bound(other_tenant.id):
        assert not Holiday.objects.exists()
        with pytest.raises(RailUnknown):
            selectors.rail_data("FEDWIRE")
        services.install_reference_calendars(years=(2026,))
        assert Calendar.objects.count() == 6
    assert Calendar.objects.count() == 6
