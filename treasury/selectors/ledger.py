"""Reading stated balances and the movements around them, for many accounts at once."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from treasury.engine.identity import PENDING_DAYS_MAX
from treasury.engine.positions import Awaited, Moved

# One index probe per account and code, instead of reading a year of balances.
_BASE: Final = """
SELECT a.id, x.code, x.amount, x.credit_line_included, x.on_date, x.as_of, x.statement_id,
       x.source, x.message_id, x.locator, x.flags
  FROM treasury_bankaccount a CROSS JOIN LATERAL (
       SELECT found.* FROM unnest(%(codes)s::text[]) WITH ORDINALITY c(code, preference)
         CROSS JOIN LATERAL (
              SELECT b.code, b.amount, b.credit_line_included, b.on_date, b.as_of, b.statement_id,
                     s.source, s.message_id, s.locator, s.flags, c.preference
                FROM treasury_statementbalance b
                JOIN treasury_statement s ON s.id = b.statement_id AND s.state = 'POSTED'
               WHERE b.account_id = a.id AND b.code = c.code AND b.as_of <= %(now)s
               ORDER BY b.as_of DESC, b.id DESC LIMIT 1) found
        ORDER BY found.as_of DESC, found.preference LIMIT 1) x
 WHERE a.id = ANY(%(accounts)s)
"""

# What a balance contains: a closing one its whole day, an opening one the days before, an interim
# one what the bank had announced by then or lists in the same report. Days are read as sums; only
# the day of an interim balance, and what is pending, is read entry by entry. OFFSET 0 keeps each
# account a probe of an index of its own: joined freely, the planner takes a third of all days for
# wanted once many accounts are asked for, and reads the days of all accounts from end to end. The
# first days are worked out beforehand: behind the wall of a tenant, an expression over a row's
# columns is no condition of an index.
_MOVED: Final = """
WITH base AS (
    SELECT base.*, coalesce(base.on_date, '-infinity'::date) AS since,
           coalesce(base.on_date, '-infinity'::date) - %(patience)s::int AS pending_since
      FROM unnest(%(accounts)s::uuid[], %(codes)s::text[], %(days)s::date[],
                  %(instants)s::timestamptz[], %(statements)s::uuid[])
           AS base(account_id, code, on_date, as_of, statement_id)
), moved AS (
    SELECT m.account_id, m.value_date, false AS is_pending, m.amount,
           base.code LIKE 'CL%%' AND m.booking_date <= base.on_date AS in_base
      FROM base CROSS JOIN LATERAL (
           SELECT * FROM treasury_daymovement m WHERE m.account_id = base.account_id
              AND m.booking_date >= base.since OFFSET 0) m
     WHERE base.code IS NULL OR base.code NOT LIKE 'IT%%' OR m.booking_date > base.on_date
     UNION ALL
    SELECT m.account_id, m.value_date, false, m.amount, true
      FROM base CROSS JOIN LATERAL (
           SELECT * FROM treasury_daymovement m WHERE m.account_id = base.account_id
              AND m.value_date >= %(start)s AND m.booking_date < base.on_date OFFSET 0) m
     UNION ALL
    SELECT e.account_id, e.value_date, false, e.amount,
           e.announced_at <= base.as_of
           OR EXISTS (SELECT 1 FROM treasury_entryobservation o
                       WHERE o.entry_id = e.id AND o.statement_id = base.statement_id)
      FROM base CROSS JOIN LATERAL (
           SELECT * FROM treasury_bankentry e WHERE e.account_id = base.account_id
              AND e.booking_date = base.on_date AND e.state = 'COUNTED' AND e.status = 'BOOK'
           OFFSET 0) e
     WHERE base.code LIKE 'IT%%'
     UNION ALL
    SELECT e.account_id, e.value_date, true, e.amount, false
      FROM base CROSS JOIN LATERAL (
           SELECT * FROM treasury_bankentry e WHERE e.account_id = base.account_id
              AND e.state = 'COUNTED' AND e.status = 'PDNG'
              AND (e.booking_date >= base.since OR e.value_date >= %(start)s)
              AND e.value_date >= base.pending_since
           OFFSET 0) e
)
SELECT account_id, value_date, is_pending, coalesce(in_base, false), sum(amount)
  FROM moved GROUP BY 1, 2, 3, 4
"""

# Each account's newest day is kept apart; only where it lies behind the wanted one are the days
# looked up, by one index probe each. Nothing is added up.
_BALANCES: Final = """
SELECT n.account_id, n.balance FROM treasury_newestbalance n WHERE n.value_date <= %(on)s
 UNION ALL
SELECT n.account_id, x.balance FROM treasury_newestbalance n CROSS JOIN LATERAL (
       SELECT d.balance FROM treasury_dailybalance d
        WHERE d.account_id = n.account_id AND d.value_date <= %(on)s
        ORDER BY d.value_date DESC LIMIT 1) x
 WHERE n.value_date > %(on)s
"""

_AWAITED: Final = """
SELECT f.account_id, f.value_date, coalesce(sum(f.amount) FILTER (WHERE f.amount > 0), 0),
       coalesce(sum(f.amount) FILTER (WHERE f.amount < 0), 0)
  FROM treasury_expectedflow f
 WHERE f.account_id = ANY(%(accounts)s) AND f.state = 'EXPECTED' AND f.source = ANY(%(sources)s)
   AND (f.expires_on IS NULL OR f.expires_on >= %(today)s)
   AND (f.source <> 'DEAL' OR f.value_date <= %(deals_until)s::date)
 GROUP BY 1, 2
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Base:
    """The stated balance that a position starts from, and the message it can be read in."""

    code: str
    amount: Decimal
    credit_line_included: Decimal
    on_date: date
    as_of: datetime
    statement_id: UUID
    source: str
    message_id: UUID | None
    locator: str
    flags: tuple[str, ...]


def bases(accounts: Sequence[UUID], *, codes: Sequence[str], now: datetime) -> dict[UUID, Base]:
    """Return each account's newest posted balance of `codes`, best code first at one instant."""
    facts: dict[str, Any] = {"accounts": list(accounts), "codes": list(codes), "now": now}
    with connection.cursor() as cursor:
        cursor.execute(_BASE, facts)
        return {
            row[0]: Base(
                code=row[1],
                amount=row[2],
                credit_line_included=row[3],
                on_date=row[4],
                as_of=row[5],
                statement_id=row[6],
                source=row[7],
                message_id=row[8],
                locator=row[9],
                flags=tuple(row[10]),
            )
            for row in cursor.fetchall()
        }


def movements(
    accounts: Sequence[UUID], known: dict[UUID, Base], *, start: date
) -> dict[UUID, list[Moved]]:
    """Return what moved around each account's base and from `start` on, per value date."""
    found = [known.get(account) for account in accounts]
    facts: dict[str, Any] = {
        "accounts": list(accounts),
        "codes": [one.code if one else None for one in found],
        "days": [one.on_date if one else None for one in found],
        "instants": [one.as_of if one else None for one in found],
        "statements": [one.statement_id if one else None for one in found],
        "start": start,
        "patience": PENDING_DAYS_MAX,
    }
    moved: dict[UUID, list[Moved]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_MOVED, facts)
        for account, value_date, is_pending, in_base, amount in cursor.fetchall():
            moved[account].append(
                Moved(value_date=value_date, in_base=in_base, is_pending=is_pending, amount=amount)
            )
    return moved


def booked_sums(*, on: date) -> dict[UUID, Decimal]:
    """Return what all entries of each account with a value date up to `on` come to.

    This is what the entries say by themselves, without any balance that a bank stated.
    """
    with connection.cursor() as cursor:
        cursor.execute(_BALANCES, {"on": on})
        return dict(cursor.fetchall())


def awaited(
    accounts: Sequence[UUID],
    *,
    sources: Sequence[str],
    today: date,
    deals_until: date = date.max,
) -> dict[UUID, list[Awaited]]:
    """Return the expected flows of each account per value date, as far as they still stand.

    Those of deals are returned up to `deals_until`.
    """
    facts: dict[str, Any] = {
        "accounts": list(accounts),
        "sources": list(sources),
        "today": today,
        "deals_until": deals_until,
    }
    flows: dict[UUID, list[Awaited]] = defaultdict(list)
    with connection.cursor() as cursor:
        cursor.execute(_AWAITED, facts)
        for account, value_date, inflow, outflow in cursor.fetchall():
            flows[account].append(Awaited(value_date=value_date, inflow=inflow, outflow=outflow))
    return flows
