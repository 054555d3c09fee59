"""An account with a past for tests: booked days and a stated balance, written as rows."""

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from itertools import count

from core.ids import uuid7
from treasury.models import BankAccount, BankEntry, Statement, StatementBalance

_numbers = count(1)
ONE_DAY = timedelta(days=1)


def statement(account: BankAccount, *, day: date) -> Statement:
    number = next(_numbers)
    return Statement.objects.create(
        account=account,
        source="CAMT053",
        statement_ref=f"S{number}",
        message_id=uuid7(),
        content_sha256="0" * 64,
        statement_date=day,
        period_start=day,
        period_end=day,
        received_at=datetime(2026, 1, 1, tzinfo=UTC),
        state="POSTED",
        proof="PROVEN",
    )


def state_balance(
    account: BankAccount, amount: str, *, as_of: datetime, code: str = "CLBD"
) -> StatementBalance:
    """Let the bank state a balance; a closing one holds at the end of the day before `as_of`."""
    on = (as_of - timedelta(microseconds=1)).date() if code.startswith("CL") else as_of.date()
    return StatementBalance.objects.create(
        statement=statement(account, day=on),
        account=account,
        code=code,
        amount=Decimal(amount),
        on_date=on,
        as_of=as_of,
    )


def book(account: BankAccount, flows: list[tuple[date, str]]) -> list[BankEntry]:
    """Book signed amounts with others on their days."""
    if not flows:
        return []
    paper = statement(account, day=flows[-1][0])
    return BankEntry.objects.bulk_create(
        BankEntry(
            account=account,
            identity=f"{next(_numbers):064d}",
            identity_rule="TEST",
            amount=Decimal(amount),
            booking_date=day,
            value_date=day,
            status="BOOK",
            best_source="CAMT053",
            counterparty="Somebody Else",
            statement=paper,
            first_seen_at=datetime(2026, 1, 1, tzinfo=UTC),
            announced_at=datetime(2026, 1, 1, tzinfo=UTC),
        )
        for day, amount in flows
    )


def weekly_outflows(until: date, *, days: int, by_weekday: list[str]) -> list[tuple[date, str]]:
    """Return `days` days before `until`, each with its weekday's outflow; empty means none."""
    found = []
    for back in range(days, 0, -1):
        day = until - back * ONE_DAY
        amount = by_weekday[day.weekday()]
        if amount:
            found.append((day, f"-{amount}"))
    return found
