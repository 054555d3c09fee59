"""What accounts earned and spent per day, without the moves that only put cash away or fetch it."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from treasury.engine.pool_pairs import BAI2_CODES, CODES

_NET: Final = """
SELECT e.account_id, e.value_date, sum(e.amount)
  FROM treasury_bankentry e
 WHERE e.account_id = ANY(%(accounts)s) AND e.state = 'COUNTED' AND e.status = 'BOOK'
   AND e.value_date BETWEEN %(since)s AND %(until)s
   AND NOT (e.transaction_code = ANY(%(codes)s))
   AND NOT (e.best_source LIKE 'BAI2%%' AND e.transaction_code = ANY(%(bai2)s))
   AND NOT EXISTS (SELECT 1 FROM treasury_transfer t
                     JOIN treasury_proposal p ON p.id = t.proposal_id
                      AND p.purpose IN ('SWEEP', 'POOL')
                    WHERE t.debit_entry_id = e.id OR t.credit_entry_id = e.id
                       OR t.return_entry_id = e.id
                       OR t.end_to_end_id = nullif(e.end_to_end_id, ''))
   AND NOT EXISTS (SELECT 1 FROM treasury_sweeporder o
                    WHERE o.account_id = e.account_id
                      AND o.order_id = nullif(e.end_to_end_id, ''))
 GROUP BY 1, 2
"""

# Days before the first booking are unknown, not empty. A closing balance ends its day; without
# one the day before the newest booking is the last that is known to be complete.
_KNOWN: Final = """
SELECT a.id,
       (SELECT min(e.value_date) FROM treasury_bankentry e
         WHERE e.account_id = a.id AND e.state = 'COUNTED' AND e.status = 'BOOK'),
       greatest(
           (SELECT max(b.on_date) FROM treasury_statementbalance b
              JOIN treasury_statement s ON s.id = b.statement_id AND s.state = 'POSTED'
             WHERE b.account_id = a.id AND b.code LIKE 'CL%%'),
           (SELECT max(e.booking_date) - 1 FROM treasury_bankentry e
             WHERE e.account_id = a.id AND e.state = 'COUNTED' AND e.status = 'BOOK'))
  FROM treasury_bankaccount a WHERE a.id = ANY(%(accounts)s)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class NetFlows:
    """One account's net booked flow per value date, signed: money that came in is positive.

    Days are known from `first` to `last`, both included; a day between them that is not in
    `by_day` had no flow. Both are None where nothing was ever booked.
    """

    account_id: UUID
    first: date | None
    last: date | None
    by_day: dict[date, Decimal] = field(default_factory=dict)


def net_flows(accounts: Sequence[UUID], *, since: date, until: date) -> dict[UUID, NetFlows]:
    """Return each account's net flows from `since` to `until`, both included, in two queries.

    Sweeps are left out with their returns: orders of ours, transfers with that purpose or of a cash
    pool, and what a bank moves by itself to balance accounts. Other transfers between own accounts
    stay: the cash that funds a payout is missing on the account it left.
    """
    facts: dict[str, Any] = {
        "accounts": list(accounts),
        "since": since,
        "until": until,
        "codes": list(CODES),
        "bai2": list(BAI2_CODES),
    }
    by_account: dict[UUID, dict[date, Decimal]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_NET, facts)
        for account, day, amount in cursor.fetchall():
            by_account[account][day] = amount
        cursor.execute(_KNOWN, facts)
        return {
            account: NetFlows(
                account_id=account,
                first=None if first is None else max(first, since),
                last=None if last is None else min(last, until),
                by_day=by_account[account],
            )
            for account, first, last in cursor.fetchall()
        }
