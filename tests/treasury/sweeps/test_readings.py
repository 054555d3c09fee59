"""Readings of risk: handed down once, never changed, and silent when old."""

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from core import clock
from core.errors import Invalid
from core.tenancy import Tenant
from tests.treasury.movement.conftest import NEAR_YEARS, House, build_house
from treasury.errors import AccountUnknown
from treasury.models import RiskReading
from treasury.selectors.readings import latest_reading
from treasury.services.readings import ReadingIn, record_risk_reading

NOW = datetime(2026, 11, 17, 15, 0, tzinfo=UTC)
HOUR = timedelta(hours=1)


@pytest.fixture
def house(tenant: Tenant, tmp_path: Path) -> Any:
    with clock.frozen(NOW):
        yield build_house(tmp_path, years=NEAR_YEARS)


def measured(house: House, **more: Any) -> ReadingIn:
    facts: dict[str, Any] = {
        "account_id": house.usd.pk,
        "as_of": date(2026, 11, 16),
        "observed_at": NOW,
        "method": "historical_hf6",
        "confidence": Decimal("0.99"),
        "observations": 250,
        "var_amount": Decimal("800.00"),
        "expected_shortfall": Decimal("950.00"),
        "base_amount": Decimal("1000000.00"),
        "base_kind": "available",
        "var_bps": Decimal(8),
        "inputs_sha256": "a" * 64,
        **more,
    }
    return ReadingIn(**facts)


def test_the_newest_reading_is_told_while_it_is_fresh(house: House) -> None:
    record_risk_reading(reading=measured(house, observed_at=NOW - HOUR, inputs_sha256="b" * 64))
    newest = record_risk_reading(reading=measured(house))
    assert latest_reading(house.usd, NOW, HOUR) == newest
    assert latest_reading(house.usd, NOW + HOUR, HOUR) == newest
    assert latest_reading(house.usd, NOW + HOUR + timedelta(seconds=1), HOUR) is None
    assert latest_reading(house.usd_far, NOW, HOUR) is None


def test_a_past_moment_does_not_see_what_came_later(house: House) -> None:
    record_risk_reading(reading=measured(house))
    assert latest_reading(house.usd, NOW - timedelta(seconds=1), HOUR) is None


def test_the_same_measurement_again_changes_nothing_and_another_one_is_refused(
    house: House,
) -> None:
    first = record_risk_reading(reading=measured(house))
    assert record_risk_reading(reading=measured(house)) == first
    with pytest.raises(Invalid):
        record_risk_reading(reading=measured(house, inputs_sha256="c" * 64))
    assert RiskReading.objects.count() == 1


def test_too_little_history_is_a_reading_without_a_number(house: House) -> None:
    few = measured(house, observations=99, var_amount=None, expected_shortfall=None, var_bps=None)
    assert record_risk_reading(reading=few).var_bps is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("var_amount", Decimal(-1)),
        ("var_bps", Decimal("NaN")),
        ("expected_shortfall", Decimal("Infinity")),
        ("confidence", Decimal(1)),
        ("base_amount", Decimal(0)),
        ("inputs_sha256", "A" * 64),
        ("observed_at", datetime(2026, 11, 17, 15, 0)),  # noqa: DTZ001 - the naive one is refused
    ],
)
def test_what_cannot_be_measured_is_refused(house: House, field: str, value: Any) -> None:
    with pytest.raises(Invalid) as refused:
        record_risk_reading(reading=replace(measured(house), **{field: value}))
    assert refused.value.context["field"] in (field, "var_bps")
    assert not RiskReading.objects.exists()


def test_an_account_of_somebody_else_is_unknown(house: House) -> None:
    with pytest.raises(AccountUnknown):
        record_risk_reading(reading=measured(house, account_id=house.usd.tenant_id))


@pytest.mark.parametrize(
    "attack", ["UPDATE treasury_riskreading SET var_bps = 1", "DELETE FROM treasury_riskreading"]
)
def test_a_reading_is_never_changed(house: House, attack: str) -> None:
    record_risk_reading(reading=measured(house))
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(attack)


def test_the_trigger_refuses_the_owner_too(
    owner_connection: psycopg.Connection[Any], tenant: Tenant
) -> None:
    """The grant alone would let the migrating role through; the trigger is there and enabled."""
    found = owner_connection.execute(
        "SELECT tgenabled FROM pg_trigger WHERE tgrelid = 'treasury_riskreading'::regclass"
        " AND tgname = 'append_only'"
    ).fetchall()
    assert found == [("O",)]


@pytest.mark.parametrize(
    "broken",
    [
        {"confidence": Decimal(1)},
        {"base_amount": None},
        {"var_bps": Decimal(-1)},
        {"inputs_sha256": "short"},
    ],
)
def test_the_database_refuses_it_too(house: House, broken: dict[str, Any]) -> None:
    facts = {name: getattr(measured(house), name) for name in ReadingIn.__slots__}
    with pytest.raises(DatabaseError), transaction.atomic():
        RiskReading.objects.create(**{**facts, **broken})
