"""Do the books balance? Read-only checks that must never find anything."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core import clock
from treasury.selectors.positions import positions

FINDINGS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something that does not balance; `code` is stable."""

    code: str
    message: str
    subject_id: UUID


# A proven statement, all pages together: opening plus what it showed as booked is its closing.
_STATEMENTS: Final = """
SELECT (array_agg(s.id ORDER BY s.page))[1],
       (array_agg(s.closing ORDER BY s.page DESC))[1] - (array_agg(s.opening ORDER BY s.page))[1]
           - coalesce(sum(shown.amount), 0) AS difference
  FROM treasury_statement s
  LEFT JOIN LATERAL (
       SELECT sum(coalesce(joined.amount, seen.amount)) AS amount FROM treasury_entryobservation o
         JOIN treasury_bankentry seen ON seen.id = o.entry_id
         LEFT JOIN treasury_bankentry joined ON joined.id = seen.merged_into_id
        WHERE o.statement_id = s.id AND o.status = 'BOOK') shown ON true
 WHERE s.state = 'POSTED' AND s.proof = 'PROVEN'
 GROUP BY s.account_id, s.source, s.statement_ref, s.version
HAVING (array_agg(s.closing ORDER BY s.page DESC))[1] - (array_agg(s.opening ORDER BY s.page))[1]
           <> coalesce(sum(shown.amount), 0)
"""

# Over an unbroken chain of end-of-day statements the counted entries are the change of balance.
_CHAINS: Final = """
WITH chain AS (
    SELECT s.account_id, bool_or(s.flags && ARRAY['GAP']::varchar[]
                OR s.proof <> 'PROVEN' OR s.opening IS NULL OR s.closing IS NULL) AS broken,
           min(s.period_start) AS start, max(s.period_end) AS until,
           (array_agg(s.opening ORDER BY s.statement_date, s.sequence, s.page))[1] AS opening,
           (array_agg(s.closing ORDER BY s.statement_date DESC, s.sequence DESC NULLS LAST,
                      s.page DESC))[1] AS closing
      FROM treasury_statement s
     WHERE s.state = 'POSTED' AND s.source = 'CAMT053'
     GROUP BY s.account_id
)
SELECT chain.account_id, chain.closing - chain.opening - coalesce(sum(e.amount), 0)
  FROM chain LEFT JOIN (
       -- As the banks say: with what waits, or was left, before a closed period.
       SELECT e.account_id, e.amount, coalesce(l.booking_after, e.booking_date) AS booking_date
         FROM treasury_bankentry e
         LEFT JOIN treasury_lateentry l ON l.entry_id = e.id AND l.state IN ('WAITING', 'LEFT')
        WHERE e.status = 'BOOK' AND coalesce(l.settled, e.state) = 'COUNTED') e
    ON e.account_id = chain.account_id
   AND e.booking_date BETWEEN chain.start AND chain.until
 WHERE NOT chain.broken
 GROUP BY chain.account_id, chain.opening, chain.closing
HAVING chain.closing - chain.opening <> coalesce(sum(e.amount), 0)
"""

_UNSEEN: Final = """
SELECT e.id, e.amount FROM treasury_bankentry e
 WHERE e.state = 'COUNTED' AND NOT EXISTS (
       SELECT 1 FROM treasury_bankentry seen
         JOIN treasury_entryobservation o ON o.entry_id = seen.id
         JOIN treasury_statement s ON s.id = o.statement_id AND s.state = 'POSTED'
        WHERE seen.id = e.id OR seen.merged_into_id = e.id)
   AND NOT EXISTS (SELECT 1 FROM treasury_lateentry l
        WHERE l.entry_id = e.id AND l.state IN ('WAITING', 'LEFT'))
"""

_FLOWS: Final = """
SELECT f.id, f.amount FROM treasury_expectedflow f
  LEFT JOIN treasury_bankentry e ON e.id = f.matched_entry_id
 WHERE f.state = 'MATCHED'
   AND (e.id IS NULL OR e.state <> 'COUNTED' OR e.account_id <> f.account_id)
"""

_MERGED: Final = """
SELECT e.id, e.amount FROM treasury_bankentry e
  JOIN treasury_bankentry kept ON kept.id = e.merged_into_id
 WHERE kept.state = 'MERGED' OR kept.account_id <> e.account_id OR kept.amount <> e.amount
"""

# The sums per day say what their entries say, no more and no less.
DAYS: Final = """
SELECT account_id, sum(kept) - sum(counted) FROM (
    SELECT account_id, booking_date, value_date, sum(amount) AS counted, 0 AS kept,
           count(*) AS entries
      FROM treasury_bankentry WHERE state = 'COUNTED' AND status = 'BOOK' GROUP BY 1, 2, 3
     UNION ALL
    SELECT account_id, booking_date, value_date, 0, amount, -entries_count
      FROM treasury_daymovement) both_ways
 GROUP BY account_id, booking_date, value_date
HAVING sum(kept) <> sum(counted) OR sum(entries) <> 0
"""

DAILY: Final = """
SELECT account_id, balance - running FROM (
    SELECT d.account_id, d.balance, d.booked, coalesce(sum(m.amount), 0) AS amount,
           sum(coalesce(sum(m.amount), 0)) OVER (
               PARTITION BY d.account_id ORDER BY d.value_date) AS running
      FROM treasury_dailybalance d
      LEFT JOIN treasury_daymovement m
        ON m.account_id = d.account_id AND m.value_date = d.value_date
     GROUP BY d.account_id, d.value_date, d.balance, d.booked) days
 WHERE balance <> running OR booked <> amount
"""

NEWEST: Final = """
SELECT coalesce(n.account_id, d.account_id), coalesce(n.balance, 0) - coalesce(d.balance, 0)
  FROM treasury_newestbalance n FULL JOIN (
       SELECT DISTINCT ON (account_id) account_id, value_date, balance
         FROM treasury_dailybalance ORDER BY account_id, value_date DESC) d
    ON d.account_id = n.account_id
 WHERE n.balance IS DISTINCT FROM d.balance OR n.value_date IS DISTINCT FROM d.value_date
"""

# What an order pays out is reserved, or booked, as long as the order stands or may have been done.
_UNRESERVED: Final = """
SELECT o.id, o.paid_out FROM treasury_sweeporder o
 WHERE (o.state <> 'FAILED' OR o.late_ack_at IS NOT NULL) AND NOT EXISTS (
       SELECT 1 FROM treasury_expectedflow f
        WHERE f.account_id = o.account_id AND f.source = 'SWEEP'
          AND f.source_ref = o.order_id || ':out' AND f.state IN ('EXPECTED', 'MATCHED')
          AND f.amount = -o.paid_out)
"""

_IN_VAIN: Final = """
SELECT o.id, f.amount FROM treasury_sweeporder o JOIN treasury_expectedflow f
    ON f.account_id = o.account_id AND f.source = 'SWEEP' AND f.state = 'EXPECTED'
   AND f.source_ref IN (o.order_id || ':out', o.order_id || ':back')
 WHERE o.state = 'FAILED' AND o.late_ack_at IS NULL
"""

_RECORDS: Final = """
SELECT d.id, d.amount FROM treasury_sweepdecision d
 WHERE d.record_sha256 <> encode(sha256(convert_to(d.record, 'UTF8')), 'hex')
    OR (d.record::jsonb -> 'outcome' ->> 'amount')::numeric <> d.amount
    OR d.universe_sha256 <> '' AND NOT EXISTS (
       SELECT 1 FROM treasury_sweepuniverse u
        WHERE u.sha256 = d.universe_sha256
          AND u.sha256 = encode(sha256(convert_to(u.content, 'UTF8')), 'hex'))
"""

# A settled move between two companies is one loan, and one that came back after that is undone.
_LOANS: Final = """
SELECT t.id, f.amount FROM treasury_poolmove m
  JOIN treasury_proposal f ON f.id = m.proposal_id
  JOIN treasury_transfer t ON t.proposal_id = f.id
  JOIN treasury_bankaccount d ON d.id = f.debit_account_id
  JOIN treasury_bankaccount c ON c.id = f.credit_account_id AND c.entity_id <> d.entity_id
  LEFT JOIN LATERAL (
       SELECT sum(CASE kind WHEN 'LOAN' THEN amount ELSE -amount END) AS owed
         FROM treasury_intercompanyentry e WHERE e.transfer_id = t.id) booked ON true
 WHERE coalesce(booked.owed, 0) <> CASE f.state WHEN 'SETTLED' THEN f.amount ELSE 0 END
"""

_RUNS: Final = """
SELECT r.id, r.swept FROM treasury_poolrun r
 WHERE r.record_sha256 <> encode(sha256(convert_to(r.record, 'UTF8')), 'hex')
    OR r.swept <> (SELECT coalesce(sum(m.amount), 0) FROM treasury_poolmove m
                    WHERE m.run_id = r.id AND m.direction = 'UP')
    OR r.funded <> (SELECT coalesce(sum(m.amount), 0) FROM treasury_poolmove m
                     WHERE m.run_id = r.id AND m.direction = 'DOWN')
"""

_CHECKS: Final = (
    ("statement_does_not_add_up", _STATEMENTS, "A proven statement is {} off its entries."),
    ("position_is_not_the_sum", _CHAINS, "An account is {} off its counted entries."),
    ("entry_was_never_seen", _UNSEEN, "An entry of {} counts, but no posted statement shows it."),
    ("flow_without_entry", _FLOWS, "A flow of {} is matched to an entry that does not count."),
    ("entry_joined_wrongly", _MERGED, "An entry of {} is joined to another that it cannot be."),
    ("day_is_not_its_entries", DAYS, "The sums of a day are {} off its entries."),
    ("daily_balance_is_not_the_sum", DAILY, "A daily balance is {} off the days before it."),
    ("newest_day_is_not_the_last", NEWEST, "An account's newest balance is {} off its last day."),
    ("sweep_is_not_reserved", _UNRESERVED, "A sweep pays {} out and nothing is reserved for it."),
    ("sweep_is_reserved_in_vain", _IN_VAIN, "A flow of {} waits for a sweep that failed."),
    ("pool_move_is_not_its_loan", _LOANS, "A pool's transfer of {} is not what companies owe."),
    ("pool_run_is_not_its_moves", _RUNS, "A run that swept {} does not say what its moves say."),
    ("decision_is_not_its_record", _RECORDS, "A decision on {} does not say what its record says."),
)  # fmt: skip


# What rooms above promise about the same books: name, query of ids and amounts, words.
_OF_OTHERS: Final[list[tuple[str, str, str]]] = []


def promise(*checks: tuple[str, str, str]) -> None:
    """Let a room above add what must balance with the treasury's books; once per process."""
    _OF_OTHERS.extend(one for one in checks if one not in _OF_OTHERS)


def invariants() -> list[Finding]:
    """Return everything in the bound tenant's treasury that does not balance; empty is right."""
    return [*_broken_sums(), *_overdrawn()]


def _broken_sums() -> Iterator[Finding]:
    for code, query, words in (*_CHECKS, *_OF_OTHERS):
        with connection.cursor() as cursor:
            cursor.execute(f"{query} LIMIT %s", [FINDINGS_MAX])
            found: list[tuple[Any, ...]] = cursor.fetchall()
        for subject_id, amount in found:
            yield Finding(code=code, message=words.format(amount), subject_id=subject_id)


def _overdrawn() -> Iterator[Finding]:
    """Find accounts that are further below zero than their overdraft allows."""
    for one in positions(on=clock.now().date()):
        if one.booked < -one.overdraft_limit:
            words = (
                f"{one.label} stands at {one.booked} {one.currency} without an overdraft for it."
            )
            yield Finding(code="account_overdrawn", message=words, subject_id=one.account_id)
