"""The daily proof of accounts, and what is late compared with a bank's own custom."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from treasury.engine.habits import Arrival, Habit, learn, overdue
from treasury.engine.proofs import DayProof, DayStatement, ProvenDay, prove_days
from treasury.models import BankAccount, StatementSource

DAYS_MAX: Final = 92
HABIT_DAYS: Final = 120

# Of two sources that speak for the same day, the stronger; all its pages and parts together.
_STATEMENTS: Final = """
SELECT DISTINCT ON (account_id, period_end) account_id, start, period_end, opening, closing
  FROM (SELECT s.account_id, s.source, s.period_end, min(s.period_start) AS start,
               (array_agg(s.opening ORDER BY s.sequence NULLS LAST, s.page))[1] AS opening,
               (array_agg(s.closing ORDER BY s.sequence DESC NULLS LAST, s.page DESC))[1] AS closing
          FROM treasury_statement s
         WHERE s.account_id = ANY(%(accounts)s) AND s.state = 'POSTED'
           AND s.source IN ('CAMT053', 'MT940', 'BAI2', 'SHEET')
           AND s.period_end BETWEEN %(before)s AND %(end)s
         GROUP BY 1, 2, 3) parts
 ORDER BY account_id, period_end, source
"""

_LINES: Final = """
SELECT account_id, booking_date, sum(amount) FROM treasury_daymovement
 WHERE account_id = ANY(%(accounts)s) AND booking_date BETWEEN %(before)s AND %(end)s
 GROUP BY 1, 2
"""

_ARRIVALS: Final = """
SELECT account_id, source, period_end, min(received_at) FROM treasury_statement
 WHERE account_id = ANY(%(accounts)s) AND state IN ('POSTED', 'SUPERSEDED')
   AND source IN ('CAMT053', 'MT940', 'BAI2', 'SHEET') AND period_end >= %(since)s
 GROUP BY 1, 2, 3
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountProof:
    """One account's days, in order."""

    account: BankAccount
    days: tuple[ProvenDay, ...]

    @property
    def is_green(self) -> bool:
        """Say whether no day contradicts another."""
        return not any(one.proof in (DayProof.DIFFERS, DayProof.GAP) for one in self.days)


@dataclass(frozen=True, slots=True, kw_only=True)
class Custom:
    """What arrivals keep to and, when they are late by it, for which day and since when."""

    habits: tuple[Habit, ...]
    last: date | None
    late_for: date | None
    late_since: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SourceFeed(Custom):
    """The custom of one kind of statement."""

    source: str

    @property
    def source_words(self) -> str:
        """Return the kind in words."""
        return str(StatementSource(self.source).label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Feed(Custom):
    """An account's custom, whichever statement comes first; `sources` where there are several."""

    account: BankAccount
    sources: tuple[SourceFeed, ...] = ()


def daily_proofs(accounts: Sequence[BankAccount], *, start: date, end: date) -> list[AccountProof]:
    """Return the proof of every day from `start` to `end`, in two queries for all accounts."""
    start = max(start, end - timedelta(days=DAYS_MAX - 1))
    facts: dict[str, Any] = {
        "accounts": [one.pk for one in accounts],
        # A gap is seen from the statement before; older ones are of no interest to these days.
        "before": start - timedelta(days=DAYS_MAX),
        "end": end,
    }
    said: dict[UUID, list[DayStatement]] = defaultdict(list)
    lines: dict[UUID, dict[date, Decimal]] = defaultdict(dict)
    with connection.cursor() as cursor:
        cursor.execute(_STATEMENTS, facts)
        for account, first, last, opening, closing in cursor.fetchall():
            one = DayStatement(start=first, end=last, opening=opening, closing=closing)
            said[account].append(one)
        cursor.execute(_LINES, facts)
        for account, day, amount in cursor.fetchall():
            lines[account][day] = amount
    return [
        AccountProof(
            account=one,
            days=tuple(prove_days(said[one.pk], lines[one.pk], start=start, end=end)),
        )
        for one in accounts
    ]


def feeds(accounts: Sequence[BankAccount], *, now: datetime) -> list[Feed]:
    """Return what each account's statements usually keep to, and which of them are late."""
    facts: dict[str, Any] = {
        "accounts": [one.pk for one in accounts],
        "since": now.date() - timedelta(days=HABIT_DAYS),
    }
    came: dict[UUID, dict[str, list[Arrival]]] = defaultdict(lambda: defaultdict(list))
    with connection.cursor() as cursor:
        cursor.execute(_ARRIVALS, facts)
        for account, source, day, at in cursor.fetchall():
            came[account][source].append(Arrival(day=day, at=at))
    return [_feed(one, came[one.pk], now=now) for one in accounts]


def _feed(account: BankAccount, came: Mapping[str, list[Arrival]], *, now: datetime) -> Feed:
    first: dict[date, Arrival] = {}
    for one in (arrival for arrivals in came.values() for arrival in arrivals):
        known = first.get(one.day)
        first[one.day] = one if known is None or one.at < known.at else known
    sources = [
        SourceFeed(source=source, **_custom(account, arrivals, now=now))
        for source, arrivals in sorted(came.items())
    ]
    return Feed(
        account=account,
        sources=tuple(sources) if len(sources) > 1 else (),
        **_custom(account, list(first.values()), now=now),
    )


def _custom(account: BankAccount, came: Sequence[Arrival], *, now: datetime) -> dict[str, Any]:
    habits = learn(came, timezone=account.timezone)
    last = max((one.day for one in came), default=None)
    late = overdue(habits, last=last, now=now, timezone=account.timezone) if last else None
    return {
        "habits": tuple(habits.values()),
        "last": last,
        "late_for": late[0] if late else None,
        "late_since": late[1] if late else None,
    }
