"""Routes: which line a payment takes, and when it may take another one."""

from datetime import UTC, datetime, time
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from django.db import IntegrityError, connection, transaction

from core.errors import Invalid
from core.tenancy import bound
from integrations import selectors, services
from integrations.engine.health import Sample, gathered, picture
from integrations.engine.routes import Sender, Way, ways_for
from integrations.engine.timetable import Timetable, is_due, is_open
from integrations.errors import ConnectionUnknown
from integrations.models import BankConnection, LineNote, LineState, Message
from integrations.services import lines
from tests.integrations.room.conftest import (
    DEBTOR_IBAN,
    House,
    MakeHouse,
    SandboxBank,
    folder_line,
    http_line,
    later,
    order,
)

NOBODY = "http://127.0.0.1:9"


def way(connection: str, *, account: str = "", rail: str = "", priority: int = 10) -> Way:
    return Way(account=account, rail=rail, home="home", connection=connection, priority=priority)


def names(ways: list[Way], *, account: str = DEBTOR_IBAN, rail: str = "T2") -> list[str]:
    return [one.connection for one in ways_for(ways, account=account, rail=rail)]


def test_the_smallest_priority_comes_first() -> None:
    assert names([way("b", priority=20), way("a", priority=10)]) == ["a", "b"]


def test_a_closer_route_wins_and_others_are_no_fall_back_for_it() -> None:
    ways = [
        way("all"),
        way("rail", rail="T2"),
        way("account", account="3000"),
        way("other", rail="CHAPS"),
    ]
    assert names(ways) == ["account"]
    assert names(ways[:2]) == ["rail"]
    assert names([way("long", account="013000"), way("short", account="3000")]) == ["long"]
    assert names(ways, account="GB00", rail="RTGS_IN") == ["all"]
    assert names([way("other", rail="CHAPS")]) == []


def test_lines_are_asked_in_their_own_hours() -> None:
    office = Timetable(
        zone="Asia/Kolkata",
        weekdays="12345",
        opens_at=time(9),
        closes_at=time(17),
        poll_seconds=300,
    )
    monday = datetime(2026, 11, 23, 4, 0, tzinfo=UTC)  # 09:30 in Kolkata
    assert is_open(office, now=monday)
    assert not is_open(office, now=monday.replace(hour=12))
    assert not is_open(office, now=monday.replace(day=22))
    assert is_due(office, asked_at=None, now=monday)
    assert not is_due(office, asked_at=monday, now=monday.replace(minute=4))
    assert is_due(office, asked_at=monday, now=monday.replace(minute=5))


def test_hours_may_reach_past_midnight() -> None:
    night = Timetable(weekdays="5", opens_at=time(22), closes_at=time(6))
    friday = datetime(2026, 11, 27, 23, 0, tzinfo=UTC)
    assert is_open(night, now=friday)
    assert is_open(night, now=friday.replace(day=28, hour=5))
    assert not is_open(night, now=friday.replace(day=28, hour=6))
    assert not is_open(night, now=friday.replace(hour=5))
    assert not is_open(night, now=friday.replace(day=28, hour=23))


def test_the_picture_shows_calls_failures_and_latency() -> None:
    at = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
    samples = [
        Sample(at=at, ok=9, failed=1, latency_ms_sum=100, latency_ms_max=40),
        Sample(at=at.replace(minute=5), ok=10, latency_ms_sum=1_000, latency_ms_max=400),
        Sample(at=at.replace(day=1), ok=5),
    ]
    spans = gathered(samples, until=at.replace(minute=40), minutes=30, count=3)
    assert [(one.at.minute, one.ok, one.failed) for one in spans] == [
        (30, 0, 0),
        (0, 19, 1),
        (30, 0, 0),
    ]
    assert spans[1].latency_ms == 55
    bars = picture(spans)
    assert [bar.failed_height for bar in bars] == [0, 1, 0]
    assert bars[1].ok_height + bars[1].failed_height <= 28


# With rows


@pytest.fixture
def routed(house: MakeHouse, bank: SandboxBank) -> House:
    """A home line where nobody listens, and a route that falls back to the bank's own address."""
    home = house(http_line(NOBODY, code="home", circuit_failures_max=1))
    with bound(home.tenant, actor="system:test"):
        services.save_connection(wish=http_line(bank.url, code="spare"))
        services.save_route(wish=services.RouteIn(home="home", connection="home", priority=1))
        services.save_route(wish=services.RouteIn(home="home", connection="spare", priority=2))
    return home


def line_of(house: House, message: Message) -> str:
    return str(house.message(message).connection.code)


def test_what_certainly_did_not_leave_falls_back(routed: House, bank: SandboxBank) -> None:
    message = routed.queue()
    assert routed.dispatch().postponed == 1
    assert line_of(routed, message) == "home"
    with later(seconds=4):
        assert routed.dispatch().sent == 1
    found = routed.message(message)
    assert (found.connection.code, found.state) == ("spare", "SENT")
    assert found.routed_from_id is not None
    assert bank.attempts(message.reference) == 1
    with bound(routed.tenant, actor="system:test"):
        assert LineNote.objects.filter(kind="REROUTED", connection__code="home").exists()


def test_the_next_payment_takes_the_usable_line_at_once(routed: House) -> None:
    routed.queue()
    routed.dispatch()
    second = routed.queue()
    assert line_of(routed, second) == "spare"


def test_the_same_order_again_is_the_same_message_after_a_fall_back(routed: House) -> None:
    wish = order()
    first = routed.queue(wish)
    routed.dispatch()
    with later(seconds=4):
        routed.dispatch()
    assert routed.queue(wish).pk == first.pk


def test_a_line_that_is_switched_off_gives_its_payments_away(routed: House) -> None:
    message = routed.queue()
    with bound(routed.tenant, actor="system:test"):
        BankConnection.objects.filter(code="home").update(is_active=False)
    assert routed.dispatch().sent == 1
    assert line_of(routed, message) == "spare"


def test_a_bank_that_times_out_after_accepting_never_causes_a_fall_back(
    house: MakeHouse, bank: SandboxBank, tmp_path: Path
) -> None:
    """The home line takes the order and says nothing; its circuit opens; the spare line waits."""
    home = house(http_line(bank.url, code="home", circuit_failures_max=1))
    with bound(home.tenant, actor="system:test"):
        services.save_connection(wish=folder_line(tmp_path / "spare", code="spare"))
        services.save_route(wish=services.RouteIn(home="home", connection="home", priority=1))
        services.save_route(wish=services.RouteIn(home="home", connection="spare", priority=2))
    bank.fault(kind="accept_then_timeout", count=1)
    message = home.queue()
    assert home.dispatch().unknown == 1
    with bound(home.tenant, actor="system:test"):
        assert LineState.objects.get(connection__code="home").is_open
    for seconds in (3, 10, 29):
        with later(seconds=seconds):
            assert home.dispatch().total == 0
    assert (line_of(home, message), home.state(message)) == ("home", "UNKNOWN")
    assert not (tmp_path / "spare").exists()
    with later(seconds=90):
        assert home.enquire().found == 1
    assert bank.attempts(message.reference) == 1


@pytest.mark.parametrize("state", ["SENDING", "UNKNOWN", "SENT"])
def test_the_database_refuses_another_line_for_what_may_have_left(
    routed: House, state: str
) -> None:
    message = routed.queue()
    edges = {"SENDING": ["SENDING"], "UNKNOWN": ["SENDING", "UNKNOWN"], "SENT": ["SENDING", "SENT"]}
    with bound(routed.tenant, actor="system:test"):
        for step in edges[state]:
            _set_state(message, step)
        with pytest.raises(IntegrityError, match="queued"), transaction.atomic():
            _move(message, "spare")


def test_the_database_lets_a_queued_payment_go_by_a_route_only(routed: House) -> None:
    message = routed.queue()
    with bound(routed.tenant, actor="system:test"):
        services.save_connection(wish=http_line(NOBODY, code="elsewhere"))
        with pytest.raises(IntegrityError, match="no route"), transaction.atomic():
            _move(message, "elsewhere")
        other = BankConnection.objects.get(code="elsewhere")
        rows = Message.objects.filter(pk=message.pk)
        with pytest.raises(IntegrityError, match="meant for"), transaction.atomic():
            rows.update(connection=other, routed_from=other)
        _move(message, "spare")
    assert line_of(routed, message) == "spare"


def _move(message: Message, code: str) -> None:
    target = BankConnection.objects.get(code=code)
    home = BankConnection.objects.get(code="home")
    Message.objects.filter(pk=message.pk).update(connection=target, routed_from=home)


def _set_state(message: Message, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_message SET state = %s, fence = fence + 1, reason = 'x',"
            " sent_at = now(), locked_until = now() WHERE id = %s",
            [state, message.pk],
        )


def test_routes_over_closed_lines_only_are_said_in_words(routed: House) -> None:
    with bound(routed.tenant, actor="system:test"):
        BankConnection.objects.update(is_active=False)
    with pytest.raises(ConnectionUnknown, match="closed line"):
        routed.queue()


@pytest.mark.parametrize("changes", [{"rail": "PIGEON"}, {"account": "12"}, {"account": "12-45"}])
def test_a_route_that_no_payment_could_take_is_refused(
    routed: House, changes: dict[str, Any]
) -> None:
    with bound(routed.tenant, actor="system:test"), pytest.raises(Invalid):
        services.save_route(wish=services.RouteIn(home="home", connection="spare", **changes))


def test_calls_are_counted_with_their_latency(routed: House) -> None:
    routed.queue()
    routed.dispatch()
    with bound(routed.tenant, actor="system:test"):
        shown = {one.code: one for one in selectors.connectivity()}
        assert shown["home"].failed_count == 1
        assert sum(bar.sample.failed for bar in shown["home"].bars) == 1


def test_a_line_with_a_pause_is_not_asked_before_it_is_over(
    house: MakeHouse, tmp_path: Path
) -> None:
    home = house(folder_line(tmp_path, poll_seconds=60))
    (tmp_path / "inbound").mkdir()
    home.collect()
    (tmp_path / "inbound" / "a.txt").write_bytes(b"something")
    assert home.collect().set_aside == 0
    with later(seconds=61):
        assert home.collect().set_aside == 1


def test_a_line_rests_after_as_many_failures_as_it_says(house: MakeHouse) -> None:
    home: House = house(http_line(NOBODY, circuit_failures_max=2, circuit_open_seconds=600))
    tenant: UUID = home.tenant
    with bound(tenant, actor="system:test"):
        line = BankConnection.objects.get()
        lines.record_failure(connection=line, reason="one")
        assert not LineState.objects.get().is_open
        lines.record_failure(connection=line, reason="two")
        state = LineState.objects.get()
        assert state.circuit_open_until is not None
        assert state.last_error_at is not None
        assert (state.circuit_open_until - state.last_error_at).total_seconds() == 600


def test_accounts_and_rails_without_a_way_are_named(routed: House) -> None:
    account = Sender(label="EUR Operating", number_end="3000", connection="home", currency="EUR")
    nowhere = Sender(label="No line", number_end="1111", connection="", currency="EUR")
    with bound(routed.tenant, actor="system:test"):
        assert selectors.route_gaps([account]) == []
        assert "T2" in {gap.rail for gap in selectors.route_gaps([nowhere])}
        services.save_route(wish=services.RouteIn(home="home", connection="spare", rail="T2"))
        BankConnection.objects.filter(code="spare").update(is_active=False)
        gaps = selectors.route_gaps([account])
    assert [(gap.label, gap.rail) for gap in gaps] == [("EUR Operating …3000", "T2")]
    assert "switched off" in gaps[0].reason
