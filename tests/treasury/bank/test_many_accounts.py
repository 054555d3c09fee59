"""Asking for many accounts touches the days that are wanted, not those of a whole year."""

from collections.abc import Iterator
from datetime import date, timedelta
from typing import Any, Final
from uuid import UUID

import psycopg
import pytest

from core.ids import uuid7
from treasury.selectors import ledger

ACCOUNTS: Final = 60
DAYS: Final = 200
TODAY: Final = date(2026, 11, 24)
# An account's stated balance is of the day before the last; nothing is pending.
WANTED_DAYS: Final = 3
# Sums of days of every account: one booking day each, valued on that day.
_LOAD: Final = """
INSERT INTO treasury_daymovement
       (id, tenant_id, account_id, booking_date, value_date, amount, entries_count)
SELECT gen_random_uuid(), %s, account, %s::date - d, %s::date - d, 1, 1
  FROM unnest(%s::uuid[]) account, generate_series(0, %s) d
"""
# Without probes of an index for each account: what the query must not become.
_FREELY_JOINED: Final = """
SELECT count(*) FROM unnest(%(accounts)s::uuid[], %(days)s::date[]) base(account_id, on_date)
  JOIN treasury_daymovement m ON m.account_id = base.account_id
   AND m.booking_date >= coalesce(base.on_date, '-infinity')
"""

Server = psycopg.Connection[Any]


@pytest.fixture
def loaded(owner_connection: Server) -> Iterator[tuple[Server, list[UUID]]]:
    """Give the sums of a tenant's days to the planner, for as long as a test lasts."""
    tenant, accounts = uuid7(), [uuid7() for _ in range(ACCOUNTS)]
    with owner_connection.transaction(force_rollback=True):
        owner_connection.execute("SELECT set_config('app.tenant', %s, true)", [str(tenant)])
        facts = [tenant, TODAY, TODAY, accounts, DAYS - 1]
        owner_connection.execute(_LOAD, facts)
        owner_connection.execute("ANALYZE treasury_daymovement")
        yield owner_connection, accounts


def rows_touched(server: Server, query: str, facts: dict[str, Any]) -> int:
    """Return how many rows of days the server looked at, those included that it threw away."""
    explained = server.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {query}", facts).fetchone()
    assert explained is not None
    return sum(
        round(node["Actual Loops"] * (node["Actual Rows"] + node.get(_THROWN_AWAY, 0)))
        for node in nodes(explained[0][0]["Plan"])
        if node.get("Relation Name") == "treasury_daymovement"
    )


_THROWN_AWAY: Final = "Rows Removed by Filter"


def nodes(plan: dict[str, Any]) -> Iterator[dict[str, Any]]:
    yield plan
    for below in plan.get("Plans", ()):
        yield from nodes(below)


def facts_of(accounts: list[UUID], code: str) -> dict[str, Any]:
    return {
        "accounts": accounts,
        "codes": [code] * len(accounts),
        "days": [TODAY - timedelta(days=1)] * len(accounts),
        "instants": [None] * len(accounts),
        "statements": [None] * len(accounts),
        "start": TODAY,
        "patience": 90,
    }


@pytest.mark.parametrize("code", ["CLBD", "ITBD", "OPBD"])
def test_movements_of_many_accounts_touch_the_wanted_days_only(
    loaded: tuple[Server, list[UUID]], code: str
) -> None:
    server, accounts = loaded
    touched = rows_touched(server, ledger._MOVED, facts_of(accounts, code))
    assert 0 < touched <= WANTED_DAYS * ACCOUNTS


def test_joined_freely_all_days_would_be_touched(loaded: tuple[Server, list[UUID]]) -> None:
    server, accounts = loaded
    touched = rows_touched(server, _FREELY_JOINED, facts_of(accounts, "CLBD"))
    assert touched == DAYS * ACCOUNTS
