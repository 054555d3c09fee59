"""Which entries count: decided from all sightings together, so that no order of arrival matters.

An entry counts when a posted statement shows it, unless its booking day is closed by an end-of-day
statement of the best source that does not show it. It is then kept as NOT_IN_EOD, or as WITHDRAWN
when an earlier version of that statement had it. Known only from statements kept aside, it is HELD.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final
from uuid import UUID

from django.db import connection

# Cumulative reports replace each other: an entry that the newest of a day no longer has is gone.
_VERDICT: Final = """
-- Nothing here joins a result back to itself: inside one transaction the planner has no
-- statistics, guesses one row, and would scan one for every row of the other.
WITH scope AS (
    SELECT e.id, e.booking_date, e.status, e.state
      FROM treasury_bankentry e
     WHERE e.account_id = %(account)s AND e.state <> 'MERGED'
       AND (e.booking_date BETWEEN %(start)s AND %(end)s OR e.id = ANY(%(touched)s::uuid[]))
), eod AS (
    SELECT s.period_start, s.period_end, CASE s.source WHEN 'CAMT053' THEN 4 ELSE 3 END AS rank
      FROM treasury_statement s
     WHERE s.account_id = %(account)s AND s.state = 'POSTED'
       AND s.source IN ('CAMT053', 'MT940', 'BAI2', 'SHEET')
       AND s.period_end >= (SELECT min(booking_date) FROM scope)
       AND s.period_start <= (SELECT max(booking_date) FROM scope)
), closed AS MATERIALIZED (
    SELECT d.booking_date, max(eod.rank) AS rank
      FROM (SELECT DISTINCT booking_date FROM scope) d
      JOIN eod ON d.booking_date BETWEEN eod.period_start AND eod.period_end
     GROUP BY d.booking_date
), stale AS MATERIALIZED (
    SELECT s.id
      FROM treasury_statement s JOIN treasury_bankaccount a ON a.id = s.account_id
     WHERE s.account_id = %(account)s AND s.source = 'CAMT052' AND s.state = 'POSTED'
       AND s.reported_from IS NOT NULL AND a.intraday_mode = 'CUMULATIVE'
       AND s.statement_date >= (SELECT min(booking_date) FROM scope)
       AND EXISTS (
           SELECT 1 FROM treasury_statement n
            WHERE n.account_id = s.account_id AND n.source = s.source AND n.state = s.state
              AND n.statement_date = s.statement_date AND n.reported_from <= s.reported_from
              AND n.bank_created_at > s.bank_created_at)
), sighted AS (
    SELECT scope.*, o.statement_id FROM scope
      JOIN treasury_entryobservation o ON o.entry_id = scope.id
     UNION ALL
    SELECT scope.*, o.statement_id FROM scope
      JOIN treasury_bankentry m ON m.merged_into_id = scope.id
      JOIN treasury_entryobservation o ON o.entry_id = m.id
), seen AS (
    SELECT sighted.id, sighted.booking_date, sighted.status, sighted.state,
           bool_or(s.state = 'POSTED') AS posted,
           bool_or(s.state = 'QUARANTINED') AS aside,
           max(CASE WHEN s.state = 'POSTED' THEN
               CASE WHEN s.source = 'CAMT053' THEN 4
                    WHEN s.source IN ('MT940', 'BAI2', 'SHEET') THEN 3 ELSE 0 END END) AS best,
           bool_or(s.state = 'SUPERSEDED'
               AND s.source IN ('CAMT053', 'MT940', 'BAI2', 'SHEET')) AS retracted,
           bool_or(s.state = 'POSTED' AND stale.id IS NULL) AS standing
      FROM sighted JOIN treasury_statement s ON s.id = sighted.statement_id
      LEFT JOIN stale ON stale.id = s.id
     GROUP BY sighted.id, sighted.booking_date, sighted.status, sighted.state
), verdict AS (
    SELECT seen.id, seen.state, seen.booking_date,
           CASE WHEN NOT seen.posted THEN CASE WHEN seen.aside THEN 'HELD' ELSE 'WITHDRAWN' END
                WHEN seen.best >= coalesce(closed.rank, 9) THEN 'COUNTED'
                WHEN closed.rank IS NULL OR seen.status <> 'BOOK'
                    THEN CASE WHEN seen.standing THEN 'COUNTED' ELSE 'WITHDRAWN' END
                WHEN seen.retracted THEN 'WITHDRAWN'
                ELSE 'NOT_IN_EOD' END AS settled
      FROM seen LEFT JOIN closed ON closed.booking_date = seen.booking_date
)
"""
# Whether a booked entry of a closed day counts is not decided here: a person does that.
_SHUT: Final = """e.status = 'BOOK' AND least(e.booking_date, e.value_date) <= %(closed)s::date
       AND (verdict.settled = 'COUNTED') <> (verdict.state = 'COUNTED')"""
_SETTLE: Final = f"""{_VERDICT}
UPDATE treasury_bankentry e SET state = verdict.settled
  FROM verdict WHERE e.id = verdict.id AND verdict.settled <> verdict.state AND NOT ({_SHUT})
RETURNING e.id, verdict.state, verdict.settled, verdict.booking_date
"""  # noqa: S608 - our own texts
_WAITING: Final = f"""{_VERDICT}
SELECT e.id, verdict.state, verdict.settled, e.booking_date
  FROM verdict JOIN treasury_bankentry e ON e.id = verdict.id WHERE {_SHUT}
"""  # noqa: S608 - our own texts
NOTHING_CLOSED: Final = date(1, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """An entry that began or ceased to count."""

    entry_id: UUID
    before: str
    after: str
    booking_date: date


def settle(
    *,
    account_id: UUID,
    start: date,
    end: date,
    touched: Sequence[UUID | str],
    closed: date = NOTHING_CLOSED,
) -> list[Change]:
    """Decide anew which entries count: those booked from `start` to `end`, and `touched` ones.

    Days up to `closed` belong to people: what would begin or cease to count there stays as it is.
    """
    facts = {"account": account_id, "start": start, "end": end, "closed": closed}
    return _asked(_SETTLE, facts, touched)


def waiting(
    *, account_id: UUID, start: date, end: date, touched: Sequence[UUID | str], closed: date
) -> list[Change]:
    """Return what would begin or cease to count on the days up to `closed`."""
    facts = {"account": account_id, "start": start, "end": end, "closed": closed}
    return _asked(_WAITING, facts, touched)


def _asked(query: str, facts: dict[str, Any], touched: Sequence[UUID | str]) -> list[Change]:
    with connection.cursor() as cursor:
        cursor.execute(query, {**facts, "touched": [str(one) for one in touched]})
        return [
            Change(entry_id=row[0], before=row[1], after=row[2], booking_date=row[3])
            for row in cursor.fetchall()
        ]
