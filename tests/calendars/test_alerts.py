"""Window alerts: exactly one per rail, date, kind and revision."""

import threading
import time as wall
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import connection, connections

from calendars import registry, selectors, services
from calendars.engine.rails import WindowKind
from calendars.models import WindowAlert
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.calendars.conftest import approve, override

TOPIC = "ops.window.closing"
CLOSING = datetime(2026, 11, 24, 17, 40, tzinfo=UTC)  # CHAPS on a Tuesday in winter
MINUTE = timedelta(minutes=1)


def published() -> list[dict[str, Any]]:
    return [row.payload for row in OutboxEvent.objects.filter(topic=TOPIC).order_by("id")]


def of(rail: str) -> list[dict[str, Any]]:
    return [payload for payload in published() if payload["rail"] == rail]


def test_the_alert_comes_thirty_minutes_before_and_not_earlier(installed: Tenant) -> None:
    services.raise_window_alerts(now=CLOSING - 30 * MINUTE - timedelta(seconds=1))
    assert of("CHAPS") == []
    services.raise_window_alerts(now=CLOSING - 30 * MINUTE)
    assert of("CHAPS") == [
        {
            "rail": "CHAPS",
            "currency": "GBP",
            "kind": "CUSTOMER",
            "business_date": "2026-11-24",
            "cutoff_utc": "2026-11-24T17:40:00Z",
            "cutoff_local": "2026-11-24T17:40:00+00:00",
            "minutes_left": 30,
            "pending_count": 0,
            "pending_usd": "0.00",
            "revision": 1,
            "priority": "low",
        }
    ]


def test_the_worker_may_wake_every_minute_and_still_alerts_once(installed: Tenant) -> None:
    for back in range(35, -5, -1):
        services.raise_window_alerts(now=CLOSING - back * MINUTE)
    assert len(of("CHAPS")) == 1


def test_a_worker_that_wakes_late_says_what_is_left(installed: Tenant) -> None:
    services.raise_window_alerts(now=CLOSING - 7 * MINUTE - timedelta(seconds=20))
    assert [event["minutes_left"] for event in of("CHAPS")] == [7]


def test_at_the_cutoff_it_is_too_late_for_an_alert(installed: Tenant) -> None:
    services.raise_window_alerts(now=CLOSING)
    assert of("CHAPS") == []


def test_holidays_and_weekends_are_silent(installed: Tenant) -> None:
    for day in (date(2026, 12, 28), date(2026, 11, 28)):
        now = datetime.combine(day, time(17, 30), UTC)
        services.raise_window_alerts(now=now)
    assert of("CHAPS") == []


def test_the_local_time_carries_its_offset(installed: Tenant) -> None:
    services.raise_window_alerts(now=datetime(2026, 7, 15, 22, 30, tzinfo=UTC))
    (event,) = of("FEDWIRE")
    assert event["cutoff_utc"] == "2026-07-15T22:45:00Z"
    assert event["cutoff_local"] == "2026-07-15T18:45:00-04:00"


@pytest.fixture
def three_waiting() -> Iterator[list[registry.PendingQuestion]]:
    asked: list[registry.PendingQuestion] = []

    def count(question: registry.PendingQuestion) -> registry.PendingTotals:
        asked.append(question)
        return registry.PendingTotals(count=3, usd_total=Decimal("1250000.00"))

    registry.register_pending_counter(count, name="test")
    yield asked
    registry.forget_pending_counter(name="test")


def test_the_alert_says_what_still_waits(
    installed: Tenant, three_waiting: list[registry.PendingQuestion]
) -> None:
    services.raise_window_alerts(now=CLOSING - 10 * MINUTE)
    (event,) = of("CHAPS")
    assert (event["pending_count"], event["pending_usd"]) == (3, "1250000.00")
    assert event["priority"] == "high"
    asked = registry.PendingQuestion(rail="CHAPS", currency="GBP", business_date=date(2026, 11, 24))
    assert asked in three_waiting


def _move(to: time, keeper: User, second_keeper: User) -> None:
    asked = services.OverrideRequest(
        rail="CHAPS",
        business_date=date(2026, 11, 24),
        kind=WindowKind.CUSTOMER,
        local_time=to,
        reason="Extension announced",
    )
    entered = override(asked, keeper)
    approve(entered, second_keeper)


def test_a_cutoff_moved_after_the_alert_is_announced_anew(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    services.raise_window_alerts(now=CLOSING - 20 * MINUTE)
    _move(time(19, 0), keeper, second_keeper)
    services.raise_window_alerts(now=CLOSING - 10 * MINUTE)  # the new one is still far away
    assert [event["revision"] for event in of("CHAPS")] == [1]
    for back in (29, 15, 1):
        services.raise_window_alerts(now=datetime(2026, 11, 24, 19, 0, tzinfo=UTC) - back * MINUTE)
    assert [(event["revision"], event["minutes_left"]) for event in of("CHAPS")] == [
        (1, 20),
        (2, 29),
    ]


def test_a_cutoff_moved_before_the_alert_is_announced_once(
    installed: Tenant, keeper: User, second_keeper: User
) -> None:
    _move(time(19, 0), keeper, second_keeper)
    services.raise_window_alerts(now=CLOSING - 20 * MINUTE)
    services.raise_window_alerts(now=datetime(2026, 11, 24, 18, 45, tzinfo=UTC))
    assert [event["revision"] for event in of("CHAPS")] == [1]


def test_a_rail_without_calendar_data_does_not_silence_the_others(installed: Tenant) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE calendars_calendar SET coverage_end = '2026-06-30' WHERE code = 'UK_EW'"
        )
    raised = services.raise_window_alerts(now=datetime(2026, 11, 24, 15, 45, tzinfo=UTC))
    assert {alert.rail.code for alert in raised} == {"T2"}
    quiet = services.raise_window_alerts(now=CLOSING - 10 * MINUTE)
    assert {alert.rail.code for alert in quiet} == {"RTGS_IN"}  # it has no calendar to miss


@pytest.mark.parametrize(
    "changed",
    [date(2026, 3, 29), date(2027, 11, 7)],
)
def test_across_a_clock_change_each_rail_and_day_has_one_alert(
    installed: Tenant, changed: date
) -> None:
    start = datetime.combine(changed - timedelta(days=1), time(0, 0), UTC)
    moments = [start + 15 * MINUTE * step for step in range(3 * 24 * 4)]
    for now in moments:
        services.raise_window_alerts(now=now)
    seen = Counter(WindowAlert.objects.values_list("rail__code", "rail__currency", "business_date"))
    assert set(seen.values()) == {1}
    last = moments[-1]
    expected = {
        (record.code, record.currency, day)
        for _, record in selectors.all_rails()
        if record.cutoff_kind
        for day in (changed + timedelta(days=offset) for offset in range(-3, 4))
        if _cutoff_within(record.code, record.currency, day, start, last)
    }
    assert set(seen) == expected
    assert len(published()) == len(expected)


def _cutoff_within(code: str, currency: str, day: date, start: datetime, last: datetime) -> bool:
    record = selectors.rail_data(code, currency)
    if record.calendar and not selectors.calendar_data(record.calendar).is_open(day):
        return False
    cutoff = selectors.cutoff_for(rail=code, currency=currency, day=day)
    assert cutoff is not None
    return start < cutoff and cutoff - 30 * MINUTE <= last


# --- two workers -----------------------------------------------------------------------------

DEADLINE_SECONDS = 20


class Worker(threading.Thread):
    """Raises alerts in its own connection and keeps the transaction open until told."""

    def __init__(self, tenant: UUID, *, hold: bool) -> None:
        super().__init__(daemon=True)
        self.tenant, self.hold = tenant, hold
        self.written, self.release = threading.Event(), threading.Event()
        self.raised = 0
        self.error: BaseException | None = None
        self.in_time = False

    def run(self) -> None:
        try:
            with bound(self.tenant, actor="system:test"):
                alerts = services.raise_window_alerts(now=CLOSING - 10 * MINUTE)
                self.raised = sum(alert.rail.code == "CHAPS" for alert in alerts)
                self.written.set()
                self.in_time = not self.hold or self.release.wait(DEADLINE_SECONDS)
        except BaseException as error:  # noqa: BLE001 - handed to the test
            self.error = error
        finally:
            self.written.set()
            connections.close_all()


def _is_blocked(owner: psycopg.Connection[Any]) -> bool:
    row = owner.execute("SELECT count(*) FROM pg_locks WHERE NOT granted").fetchone()
    return bool(row and row[0])


def _race(tenant: UUID, owner: psycopg.Connection[Any]) -> int:
    """Let two workers raise the same alert, the first committing only after the second tried."""
    first, second = Worker(tenant, hold=True), Worker(tenant, hold=False)
    first.start()
    assert first.written.wait(DEADLINE_SECONDS)
    second.start()
    deadline = wall.monotonic() + DEADLINE_SECONDS
    while not second.written.is_set() and not _is_blocked(owner):
        assert wall.monotonic() < deadline
        second.written.wait(0.01)
    first.release.set()
    for worker in (first, second):
        worker.join(DEADLINE_SECONDS)
        assert worker.error is None
        assert worker.in_time
    return first.raised + second.raised


@pytest.fixture
def committed_calendars(committed_tenant: UUID) -> UUID:
    with bound(committed_tenant, actor="system:test"):
        services.install_reference_calendars(years=(2026,))
        services.install_rails()
    return committed_tenant


@pytest.fixture
def without_the_unique_key(
    committed_calendars: UUID, owner_connection: psycopg.Connection[Any]
) -> Iterator[UUID]:
    owner_connection.execute("ALTER TABLE calendars_windowalert DROP CONSTRAINT window_alert_once")
    yield committed_calendars
    owner_connection.execute("TRUNCATE calendars_windowalert")
    owner_connection.execute(
        "ALTER TABLE calendars_windowalert ADD CONSTRAINT window_alert_once"
        " UNIQUE (tenant_id, rail_id, business_date, kind, revision)"
    )


def test_without_the_unique_key_two_workers_alert_twice(
    without_the_unique_key: UUID, owner_connection: psycopg.Connection[Any]
) -> None:
    # The race is real: both workers look before either has committed.
    assert _race(without_the_unique_key, owner_connection) == 2
    with bound(without_the_unique_key):
        assert len(of("CHAPS")) == 2


def test_with_the_unique_key_the_slower_worker_stays_silent(
    committed_calendars: UUID, owner_connection: psycopg.Connection[Any]
) -> None:
    assert _race(committed_calendars, owner_connection) == 1
    with bound(committed_calendars):
        assert len(of("CHAPS")) == 1
        assert WindowAlert.objects.filter(rail__code="CHAPS").count() == 1
