"""What the database refuses by itself, also to our own SQL."""

import json
from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from django.db import DatabaseError, connection, transaction

from core import checks
from core.audit.models import AuditEntry
from liquidity.guards import EDGES
from liquidity.models import PayoutPlan
from liquidity.services.forecasting import run_forecast
from liquidity.services.planning import add_pattern, plan_payouts
from tests.liquidity.conftest import FRIDAY
from tests.liquidity.test_forecasting import plan
from tests.liquidity.test_planning import salaries
from tests.scenes import scene
from treasury.models import BankAccount

TODAY = FRIDAY.date()


def run(statement: str, values: list[Any] | None = None) -> int:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values or [])
        return int(cursor.rowcount)


def refused(statement: str) -> None:
    with pytest.raises(DatabaseError):
        run(statement)


@scene
def planned(new_account: BankAccount) -> PayoutPlan:
    return plan_payouts(plans=[plan(new_account, TODAY, "40.00")], now=FRIDAY).created[0]


def test_the_machine_is_exactly_this() -> None:
    moves: Callable[[], Any] = getattr(PayoutPlan(), "get_all_state_transitions")  # noqa: B009
    declared = {(move.name, move.source, move.target) for move in moves()}
    assert declared == {("cancel", "PLANNED", "CANCELLED"), ("complete", "PLANNED", "DONE")}
    assert {(source, target) for _, source, target in declared} == set(EDGES)


@pytest.mark.parametrize(
    "change",
    ["amount = 41", "value_date = value_date + 1", "currency = 'USD'", "source_ref = 'other'",
     "kind = 'EXTRA'", "amount = 'NaN'"],
)  # fmt: skip
def test_a_plan_keeps_its_content(planned: PayoutPlan, change: str) -> None:
    refused(f"UPDATE liquidity_payoutplan SET {change}")


def test_a_plan_may_be_closed(planned: PayoutPlan) -> None:
    assert run("UPDATE liquidity_payoutplan SET state = 'DONE', closed_at = now()") == 1


@pytest.mark.parametrize("state", ["PLANNED", "DONE"])
def test_a_cancelled_plan_does_not_come_back(planned: PayoutPlan, state: str) -> None:
    run("UPDATE liquidity_payoutplan SET state = 'CANCELLED', closed_at = now()")
    refused(f"UPDATE liquidity_payoutplan SET state = '{state}', closed_at = NULL")


def test_plans_and_patterns_are_not_deleted(planned: PayoutPlan, new_account: BankAccount) -> None:
    add_pattern(pattern=salaries(new_account), now=FRIDAY)
    refused("DELETE FROM liquidity_payoutplan")
    refused("DELETE FROM liquidity_recurringpattern")
    refused("UPDATE liquidity_recurringpattern SET amount = 1")
    assert run("UPDATE liquidity_recurringpattern SET is_active = false") == 1


@pytest.mark.parametrize(
    "table", ["liquidity_forecast", "liquidity_forecastline", "liquidity_forecastrun"]
)
def test_forecasts_are_written_once(account: BankAccount, table: str) -> None:
    run_forecast(account_id=account.pk, now=FRIDAY)
    for statement in (f"UPDATE {table} SET id = id", f"DELETE FROM {table}"):
        refused(statement)


# A copy of the forecast under another id, with some columns changed by our own SQL.
COPY = """
    INSERT INTO liquidity_forecast
    SELECT (jsonb_populate_record(f, %s::jsonb || jsonb_build_object('id', gen_random_uuid()))).*
      FROM liquidity_forecast f
"""


@pytest.mark.parametrize(
    "change",
    [
        {"required": "NaN"},
        {"available": "NaN"},
        {"shortfall": "NaN"},
        {"opening": "NaN"},
        {"floor": "NaN"},
        {"coverage": "NaN"},
        {"scaled_error": "NaN"},
        {"shortfall": "1.0000"},
        {"required": "9999.0000"},
        {"need_days": 15},
        {"floor": "-1"},
    ],
)
def test_a_forecast_holds_numbers_that_fit_together(
    account: BankAccount, change: dict[str, Any]
) -> None:
    run_forecast(account_id=account.pk, now=FRIDAY)
    with pytest.raises(DatabaseError, match="violates check constraint"):
        run(COPY, [json.dumps(change)])
    assert run(COPY, ["{}"]) == 1


def test_the_walls_stand(owner_connection: psycopg.Connection[Any]) -> None:
    names = [
        row[0]
        for row in owner_connection.execute(
            "SELECT c.relname || '.' || t.tgname FROM pg_trigger t"
            " JOIN pg_class c ON c.oid = t.tgrelid WHERE NOT t.tgisinternal"
        )
    ]
    ours = {name for name in checks.required_triggers if name.startswith("liquidity_")}
    assert len(ours) == 5
    assert ours <= set(names)
    open_tables = owner_connection.execute(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relname LIKE 'liquidity%'"
        " AND NOT (relrowsecurity AND relforcerowsecurity)"
    ).fetchall()
    assert open_tables == []


def test_a_plan_leaves_a_trace(planned: PayoutPlan) -> None:
    entries = AuditEntry.objects.filter(row_id=str(planned.pk))
    assert list(entries.values_list("table_name", "action")) == [("liquidity_payoutplan", "INSERT")]
