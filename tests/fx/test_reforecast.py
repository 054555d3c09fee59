"""A forecast that is stale is made anew: at ten percent and at one, once, and not too often."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import DatabaseError, connection, transaction
from django.urls import reverse

from core import clock, policies
from core.errors import Forbidden, Invalid
from core.events import Envelope
from core.events.bus import handler_for
from core.events.models import OutboxEvent
from core.ids import uuid7
from fx.engine.reforecasting import Day, bucket_of, deviation_of, due_at, moved
from fx.errors import ReforecastTooSoon
from fx.models import ForecastBasis, ReforecastReason, ReforecastTrigger
from fx.policies import FX_CURRENCIES
from fx.selectors import reforecast as reads
from fx.services import reforecasting
from fx.services.reforecasting import Cause, trigger, watch_forecasts
from liquidity.models import Forecast, ForecastRun
from tests.conftest import make_user
from tests.fx.conftest import NOW, Quoted
from tests.fx.dealing import Desk
from tests.fx.test_deals_delivery import machine, post
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.test_batching import put_entry

D = Decimal
TODAY = date(2026, 11, 20)
HALF_HOUR = timedelta(minutes=30)


@pytest.mark.parametrize(
    ("actual", "is_late", "share"),
    [
        ("109.99", False, "0.0999"),
        ("110", False, "0.1"),
        ("111", False, "0.11"),
        ("0", False, "0"),  # in the morning little has gone out, and that means nothing
        ("90", True, "0.1"),
        ("90.01", True, "0.0999"),
    ],
)
def test_how_far_a_day_runs_off(actual: str, is_late: bool, share: str) -> None:
    assert deviation_of(Day(expected=D(100), actual=D(actual), is_late=is_late)) == D(share)


def test_without_a_forecast_outflow_there_is_no_share() -> None:
    assert deviation_of(Day(expected=D(0), actual=D(100), is_late=True)) is None


def test_rates_half_hours_and_cool_downs() -> None:
    assert moved(then=D(85), now=D("85.85")) == D("0.01")
    assert moved(then=D(85), now=D("84.15")) == D("0.01")
    assert (bucket_of(datetime(2026, 1, 1, 0, 29, tzinfo=UTC), 30), bucket_of(
        datetime(2026, 1, 1, 23, 30, tzinfo=UTC), 30)) == (0, 47)  # fmt: skip
    assert due_at(now=NOW, last_fired=None, cool_down=HALF_HOUR) == NOW
    assert due_at(now=NOW, last_fired=NOW, cool_down=HALF_HOUR) == NOW + HALF_HOUR
    assert due_at(now=NOW, last_fired=NOW - HALF_HOUR, cool_down=HALF_HOUR) == NOW


def told(topic: str, consumer: str, payload: dict[str, Any]) -> None:
    """Hand an event to a consumer as the bus does."""
    handler = handler_for(topic, consumer)
    assert handler is not None
    handler(
        Envelope(
            event_id=uuid7(), type=topic, version=1, tenant=uuid4(), occurred_at=clock.now(),
            correlation_id=uuid7(), causation_id=None, producer="test", payload=payload,
        )
    )  # fmt: skip


def forecast(outflow: str = "100000000.00", currency: str = "INR") -> ForecastBasis:
    """Announce a forecast as liquidity does, with lines that are no matter of today."""
    as_of = clock.now().isoformat().replace("+00:00", "Z")
    line = {"inflow": "0.00", "p10": None, "p90": None}
    told(
        "forecast.daily.ready",
        "fx.reforecast",
        {
            "forecast_id": str(uuid7()), "as_of": as_of, "horizon_days": 14,
            "lines": [
                line | {"currency": currency, "date": "2026-11-19", "outflow": "7.00"},
                line | {"currency": currency, "date": "2026-11-20", "outflow": outflow},
                line | {"currency": "JPY", "date": "2026-11-20", "outflow": "9"},
            ],
        },
    )  # fmt: skip
    return ForecastBasis.objects.latest("id")


@pytest.fixture
def rupees(desk: Desk) -> Desk:
    """A hundred million rupees were forecast to go out today."""
    policies.write_version(policy=FX_CURRENCIES, value="USD,INR", actor=None, reason="a test")
    put_balance(desk.accounts["INR"], "20000000.00")
    forecast()
    return desk


def fired() -> list[tuple[str, str, str, str]]:
    rows = OutboxEvent.objects.filter(topic="fx.reforecast.trigger").order_by("id")
    keys = ("currency", "reason", "old", "new")
    assert all(set(row.payload) == {*keys, "as_of"} for row in rows)
    return [tuple(row.payload[key] for key in keys) for row in rows]


def test_a_forecast_is_kept_with_how_things_stood(rupees: Desk) -> None:
    [basis] = ForecastBasis.objects.all()
    assert (basis.currency, basis.day, basis.outflow) == ("INR", TODAY, D(100_000_000))
    assert (basis.booked, basis.rate, basis.prefunded) == (D(0), D(85), D(20_000_000))
    with pytest.raises(DatabaseError, match="permission denied"), transaction.atomic():
        _sql("UPDATE fx_forecastbasis SET outflow = 1")


@pytest.mark.parametrize(("out", "count"), [("109999999.99", 0), ("110000000.00", 1)])
def test_ten_percent_more_than_forecast_asks_once(rupees: Desk, out: str, count: int) -> None:
    put_entry(rupees.accounts["INR"], f"-{out}", "BOOK", announced=False)
    assert len(watch_forecasts(now=NOW)) == count
    if count:
        assert fired() == [("INR", "DEVIATION", "100000000.00", "110000000.00")]
        assert watch_forecasts(now=NOW) == []
        assert watch_forecasts(now=NOW + timedelta(minutes=1)) == []


@pytest.mark.parametrize(("rate", "count"), [("85.8400", 0), ("85.8500", 1), ("84.1500", 1)])
def test_one_percent_off_the_forecasts_rate_asks(
    rupees: Desk, quoted: Quoted, rate: str, count: int
) -> None:
    quoted("USD/INR", rate, minutes_old=0)
    assert len(watch_forecasts(now=NOW)) == count
    if count:
        assert fired() == [("INR", "RATE_MOVE", "85", rate.rstrip("0"))]


def cause(reason: ReforecastReason = ReforecastReason.HOLIDAY) -> Cause:
    return Cause(reason=reason, old="1", new="2", words="a test")


def test_the_cool_down_makes_wait_and_then_one_forecast_answers_all(rupees: Desk) -> None:
    first = trigger(currency="INR", cause=cause(), now=NOW)
    assert first is not None
    assert first.fired_at == NOW
    assert trigger(currency="INR", cause=cause(), now=NOW) is None  # the same half hour
    soon = NOW + timedelta(minutes=1)
    for reason in (ReforecastReason.DEAL_FAILED, ReforecastReason.RATE_MOVE):
        waits = trigger(currency="INR", cause=cause(reason), now=soon)
        assert waits is not None
        assert (waits.fired_at, waits.due_at) == (None, NOW + HALF_HOUR)
    other = trigger(currency="EUR", cause=cause(), now=soon)
    assert other is not None
    assert other.fired_at == soon  # each currency cools down by itself
    assert reforecasting.fire_due(now=NOW + HALF_HOUR - timedelta(seconds=1)) == []
    [late] = reforecasting.fire_due(now=NOW + HALF_HOUR)
    assert late.reason == "DEAL_FAILED"
    assert not ReforecastTrigger.objects.filter(fired_at=None).exists()
    assert [one[1] for one in fired()] == ["HOLIDAY", "HOLIDAY", "DEAL_FAILED"]


def test_a_failed_deal_asks_and_a_draft_that_is_given_up_does_not(rupees: Desk) -> None:
    facts = {
        "state": "CANCELLED", "from_state": "DRAFT", "reference": "FXD-1", "reason": "no",
        "buy_currency": "INR", "buy_amount": "85000000.00", "sell_currency": "USD",
        "sell_amount": "1000000.00",
    }  # fmt: skip
    told("fx.deal.instruction", "fx.reforecast", facts)
    told("fx.deal.instruction", "fx.reforecast", facts | {"state": "EXECUTED"})
    assert fired() == []
    told("fx.deal.instruction", "fx.reforecast", facts | {"from_state": "APPROVED"})
    assert fired() == [("INR", "DEAL_FAILED", "85000000.00", "0")]


def test_a_changed_holiday_asks(rupees: Desk) -> None:
    facts = {
        "calendar": "IN", "currency": "INR", "date": "2026-11-24", "name": "Guru Nanak",
        "change": "declared", "status": "CONFIRMED", "is_business_day": False,
    }  # fmt: skip
    told("calendars.holiday.changed", "fx.reforecast", facts)
    told("calendars.holiday.changed", "fx.reforecast", facts | {"currency": "JPY"})
    assert fired() == [("INR", "HOLIDAY", "open", "closed")]


def test_a_person_asks_with_a_reason_and_not_within_the_cool_down(rupees: Desk) -> None:
    facts: dict[str, Any] = {"currency": "INR", "now": NOW}
    with pytest.raises(Forbidden, match="dealer or treasury_maker"):
        reforecasting.ask(words="why", actor=rupees.checker, **facts)
    with pytest.raises(Invalid, match="Say why"):
        reforecasting.ask(words=" ", actor=rupees.dealer, **facts)
    with pytest.raises(Invalid, match="JPY is not dealt here"):
        reforecasting.ask(words="why", actor=rupees.dealer, currency="JPY", now=NOW)
    made = reforecasting.ask(words="A partner told us", actor=rupees.dealer, **facts)
    assert (made.asked_by, made.words) == (rupees.dealer, "A partner told us")
    with pytest.raises(ReforecastTooSoon, match="may be again at 10:30 UTC"):
        reforecasting.ask(words="again", actor=make_user("maker", "treasury_maker"), **facts)
    assert ReforecastTrigger.objects.count() == 1


def test_liquidity_forecasts_the_currency_anew_and_that_is_the_new_basis(rupees: Desk) -> None:
    told("fx.reforecast.trigger", "liquidity.forecast", {"currency": "INR", "reason": "MANUAL"})
    [run] = ForecastRun.objects.all()
    assert (run.currency, run.reason, run.accounts_count) == ("INR", "MANUAL", 1)
    assert [one.currency for one in Forecast.objects.all()] == ["INR"]
    [event] = OutboxEvent.objects.filter(topic="forecast.daily.ready")
    assert {line["currency"] for line in event.payload["lines"]} == {"INR"}
    told("forecast.daily.ready", "fx.reforecast", event.payload)
    basis = reads.newest_basis("INR")
    assert basis is not None
    assert str(basis.forecast) == str(run.pk)


def _sql(statement: str, *values: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)


def test_the_database_fires_once_and_keeps_what_was_noticed(rupees: Desk) -> None:
    trigger(currency="INR", cause=cause(), now=NOW)
    waits = trigger(currency="INR", cause=cause(ReforecastReason.DEAL_FAILED), now=NOW)
    assert waits is not None
    for change, words in (
        ("new = 'x', fired_at = due_at", "nothing else of it changes"),
        ("fired_at = due_at - interval '1 second'", "reforecast_fired_when_due"),
        ("asked_by_id = NULL", "fires once"),
    ):
        with pytest.raises(DatabaseError, match=words), transaction.atomic():
            _sql(f"UPDATE fx_reforecasttrigger SET {change} WHERE id = %s", waits.pk)
    _sql("UPDATE fx_reforecasttrigger SET fired_at = due_at WHERE id = %s", waits.pk)
    with pytest.raises(DatabaseError, match="fires once"), transaction.atomic():
        _sql("UPDATE fx_reforecasttrigger SET fired_at = due_at WHERE id = %s", waits.pk)
    with pytest.raises(DatabaseError, match="never deleted"), transaction.atomic():
        _sql("DELETE FROM fx_reforecasttrigger WHERE id = %s", waits.pk)


def test_the_page_shows_before_and_after_and_asks(rupees: Desk) -> None:
    client = client_of(rupees.dealer)
    page = client.get(reverse("fx:reforecast")).content.decode()
    for words in ("Open exposure", "as a forecast made now", "100,000,000.00", "Ask for one"):
        assert words in page
    assert "Ask for one" not in client_of(rupees.checker).get(
        reverse("fx:reforecast")).content.decode()  # fmt: skip
    client.post(reverse("fx:reforecast-fire"), {"currency": "INR", "reason": "A partner told us"})
    assert fired()[0][:2] == ("INR", "MANUAL")
    again = client.post(
        reverse("fx:reforecast-fire"), {"currency": "INR", "reason": "again"}, follow=True
    )
    assert "was forecast anew a moment ago" in again.content.decode()


def test_reforecasts_over_the_api(rupees: Desk) -> None:
    client = machine(rupees.dealer)
    looks = {one["currency"]: one for one in client.get(reverse("fx-reforecast-preview")).json()}
    assert (looks["INR"]["forecast_outflow"], looks["INR"]["forecast_rate"]) == (
        "100000000.0000", "85",
    )  # fmt: skip
    made = post(client, "fx-reforecast", {"currency": "INR", "reason": "A partner told us"})
    assert (made.status_code, made.json()["reason"]) == (201, "MANUAL")
    soon = post(client, "fx-reforecast", {"currency": "INR", "reason": "again"}, key="2")
    assert (soon.status_code, soon.json()["code"]) == (409, "fx_reforecast_too_soon")
    listed = client.get(reverse("fx-reforecast"), {"currency": "INR"}).json()["results"]
    assert [one["words"] for one in listed] == ["A partner told us"]
    denied = post(machine(rupees.checker), "fx-reforecast", {"currency": "INR", "reason": "x"})
    assert denied.status_code == 403
