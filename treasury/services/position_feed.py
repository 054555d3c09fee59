"""The feed of positions: whoever reckons with our cash has it, as events with the others."""

from collections import defaultdict
from collections.abc import Sequence
from typing import Final
from uuid import UUID

from django.db import connection

from core import clock
from core.events import publish
from core.tenancy import bound
from treasury.events import CashPosition
from treasury.models import BankAccount
from treasury.selectors import accounts as account_reads
from treasury.selectors import position_news, positions

_ONE_AT_A_TIME: Final = "SELECT pg_try_advisory_xact_lock(hashtextextended(%s, 31))"


def tell_positions(*, tenant: UUID) -> int:
    """Tell the positions of accounts that had news; of all of them the first time.

    Places in the sequence are given after the commit: news of whoever commits late is told too.
    Return how many were told.
    """
    with bound(tenant, actor="system:treasury.positions"):
        if not _is_mine(tenant):
            return 0
        place = position_news.told_through()
        if place is None:
            wanted = list(account_reads.accounts())
            return _tell(wanted, through=position_news.newest_place())
        news = position_news.news_after(place)
        found = account_reads.accounts().filter(pk__in=news.accounts) if news.accounts else ()
        return _tell(list(found), through=news.through)


def _is_mine(tenant: UUID) -> bool:
    """Say whether nobody else is at it, until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(_ONE_AT_A_TIME, [str(tenant)])
        found = cursor.fetchone()
    return bool(found and found[0])


def _tell(accounts: Sequence[BankAccount], *, through: int) -> int:
    by_zone: dict[str, list[BankAccount]] = defaultdict(list)
    for account in accounts:
        by_zone[account.timezone].append(account)
    for zone, ours in by_zone.items():
        now, on = clock.now(), clock.today(zone)
        may_leave = positions.available_many(ours, on=on, now=now)
        for one in positions.positions(on=on, accounts=ours):
            free = may_leave[one.account_id]
            publish(
                CashPosition(
                    account_id=one.account_id,
                    currency=one.currency,
                    on=on,
                    balance=free.balance,
                    balance_type=free.balance_code,
                    as_of=free.balance_as_of,
                    is_stale=free.is_stale,
                    booked=one.booked,
                    pending=one.pending,
                    expected_in=one.expected_in,
                    expected_out=one.expected_out,
                    projected=one.projected,
                    available=free.amount,
                    floor=free.floor,
                    through=through,
                )
            )
    return len(accounts)
