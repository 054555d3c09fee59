"""What the app role's own SQL cannot do to valuations, each beside what it can."""

from datetime import date
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from core import clock
from fx.models import DealValuation, PnlEntry, RevaluationRun
from fx.services import valuing
from tests.fx.dealing import Desk
from tests.fx.valuing import put_interest, put_points

ENTRY = """INSERT INTO fx_pnlentry (id, tenant_id, deal_id, kind, number, day, amount_usd,
  valuation_id, earlier_id, rate, usd_rate, booked_at)
SELECT gen_random_uuid(), tenant_id, deal_id, %s, %s::int, day, %s::numeric, {valuation}, {earlier},
       {rate}, {usd_rate}, booked_at FROM fx_pnlentry WHERE kind = 'UNREALISED' LIMIT 1"""


@pytest.fixture
def valued(desk: Desk) -> RevaluationRun:
    """One deal, valued and booked."""
    put_points()
    put_interest()
    desk.executed(side="BUY", value_date=date(2027, 2, 25), rate="85.0000")
    return valuing.revalue(at=clock.now()).run


def run_sql(statement: str, *values: Any) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement, values)


def book(kind: str, number: int, amount: object, **more: str) -> None:
    names = {"valuation": "NULL", "earlier": "NULL", "rate": "NULL", "usd_rate": "NULL"} | more
    run_sql(ENTRY.format(**names), kind, number, amount)


@pytest.mark.parametrize(
    "table",
    [
        "fx_forwardpoint", "fx_interestrate", "fx_revaluationrun", "fx_dealvaluation",
        "fx_pnlentry",
    ],
)  # fmt: skip
def test_nothing_is_changed_or_taken_away(valued: RevaluationRun, table: str) -> None:
    with pytest.raises(DatabaseError):
        run_sql(f"DELETE FROM {table}")
    with pytest.raises(DatabaseError):
        run_sql(f"UPDATE {table} SET id = id")


def test_a_reversal_takes_back_exactly_what_was_booked(valued: RevaluationRun) -> None:
    amount = valued.unrealised_usd
    with pytest.raises(DatabaseError, match="no more and no less"):
        book("REVERSAL", 1, -amount + 1, earlier="id")
    with pytest.raises(DatabaseError, match="no more and no less"):
        book("REVERSAL", 2, -amount, earlier="id")
    book("REVERSAL", 1, -amount, earlier="id")
    with pytest.raises(DatabaseError, match="pnl_reversed_once"):
        book("REVERSAL", 1, -amount, earlier="id")


def test_nothing_is_booked_beside_what_stands(valued: RevaluationRun) -> None:
    amount = valued.unrealised_usd
    with pytest.raises(DatabaseError, match="pnl_booked_once"):
        book("UNREALISED", 1, amount, valuation="valuation_id")
    with pytest.raises(DatabaseError, match="reversed before anything follows"):
        book("UNREALISED", 2, amount, valuation="valuation_id", earlier="id")
    with pytest.raises(DatabaseError, match="reversed before anything follows"):
        book("REALISED", 2, "0.00", earlier="id", rate="85", usd_rate="0.01")
    book("REVERSAL", 1, -amount, earlier="id")
    book("UNREALISED", 2, amount, valuation="valuation_id", earlier="id")


def test_what_is_booked_is_the_value_or_follows_from_a_rate(valued: RevaluationRun) -> None:
    amount = valued.unrealised_usd
    book("REVERSAL", 1, -amount, earlier="id")
    with pytest.raises(DatabaseError, match="the value of the deal on its day"):
        book("UNREALISED", 2, amount + 1, valuation="valuation_id", earlier="id")
    with pytest.raises(DatabaseError, match="follows from the rate"):
        book("REALISED", 2, "1000000.00", earlier="id", rate="86", usd_rate="0.01")
    book("REALISED", 2, "10000.00", earlier="id", rate="86", usd_rate="0.01")
    assert PnlEntry.objects.count() == 3


def test_a_value_follows_from_its_market(valued: RevaluationRun, desk: Desk) -> None:
    later = desk.executed(side="BUY", value_date=date(2027, 2, 25), rate="85.0000")
    copy = """INSERT INTO fx_dealvaluation (id, tenant_id, run_id, deal_id, spot, forward, discount,
      usd_rate, market_at, sources, is_stale, gap, pnl_quote, pnl_usd)
      SELECT gen_random_uuid(), tenant_id, {run}, {deal}, spot, forward, discount, usd_rate,
      market_at, sources, is_stale, gap, pnl_quote, pnl_usd + %s::numeric FROM fx_dealvaluation"""
    other = "'0190a000-0000-7000-8000-000000000001'::uuid"
    with pytest.raises(DatabaseError, match="takes no more deals"):
        run_sql(copy.format(run="run_id", deal=f"'{later.pk}'::uuid"), 0)
    with pytest.raises(DatabaseError, match="does not follow from its market"):
        run_sql(copy.format(run=other, deal="deal_id"), 1)
    with transaction.atomic():
        run_sql(
            copy.format(run=other, deal="deal_id"), 0
        )  # the row itself is right; its run is missing at the end
        transaction.set_rollback(True)
    assert DealValuation.objects.count() == 1


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"deals_count": "1"}, "does not add its deals up"),
        ({"unrealised_usd": "1"}, "does not add its deals up"),
        ({"version": "3"}, "versions of .* follow each other"),
        ({"day": "day - 1", "version": "1", "reason": "''"}, "stays as it is"),
        ({"reason": "''"}, "revaluation_restated_for_a_reason"),
        ({}, ""),
    ],
)
def test_a_run_says_what_its_deals_say(
    valued: RevaluationRun, changes: dict[str, str], words: str
) -> None:
    columns = {
        "day": "day", "version": "2", "marked_at": "marked_at", "made_at": "made_at",
        "reason": "'a mistake'", "deals_count": "0", "missing_count": "0", "stale_count": "0",
        "unrealised_usd": "0",
    } | changes  # fmt: skip
    statement = (
        f"INSERT INTO fx_revaluationrun (id, tenant_id, {', '.join(columns)})"
        f" SELECT gen_random_uuid(), tenant_id, {', '.join(columns.values())}"
        " FROM fx_revaluationrun LIMIT 1"
    )
    if not words:
        run_sql(statement)
        return
    with pytest.raises(DatabaseError, match=words):
        run_sql(statement)
