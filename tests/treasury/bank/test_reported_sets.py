"""Reports recorded in one statement: the rows that the service writes for one after another."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from django.db import IntegrityError, connection, models, transaction
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from core import clock
from core.audit.models import AuditEntry
from core.errors import DomainError
from core.events.models import Delivery, OutboxEvent
from tests.treasury.bank.test_api import NOW
from treasury.models import BankAccount, Statement, StatementBalance
from treasury.services.reported import (
    Recorded,
    RecordedSet,
    ReportedBalance,
    record_balance,
    record_balances,
)

NUMBERS = ("123450", "123451", "999999")
NEW_NAMES = {"id", "statement_id", "event_id", "correlation_id", "trace_id", "at"}
WRITTEN: tuple[type[models.Model], ...] = (Statement, StatementBalance, OutboxEvent, Delivery)


@pytest.fixture
def accounts(open_account: Callable[..., BankAccount]) -> Iterator[list[BankAccount]]:
    """Two accounts with different zones of the clock held at a morning."""
    with clock.frozen(NOW):
        yield [open_account(number, label=number, currency="GBP") for number in NUMBERS[:2]]


REPORTS = st.builds(
    lambda name, number, code, cents, minutes, currency: ReportedBalance(
        event_id=f"ev-{name}",
        account=number,
        currency=currency,
        balance_type=code,
        amount=Decimal(cents) / 100,
        as_of=NOW - timedelta(minutes=minutes),
    ),
    st.integers(0, 5),
    st.sampled_from([*NUMBERS, "0000123450", "BANK/123451"]),
    st.sampled_from(["ITAV", "CLAV", "CLBD", "OPBD"]),
    st.sampled_from([0, 100, -5, 999_999_999_999]),
    st.sampled_from([0, 0, 1, 60, 1_500, -3, -6]),
    st.sampled_from(["GBP", "GBP", "GBP", "EUR"]),
)


def _plain(row: dict[str, Any]) -> str:
    kept = {key: value for key, value in row.items() if key not in NEW_NAMES}
    for name in ("payload", "after"):
        if kept.get(name):
            kept[name] = {k: v for k, v in kept[name].items() if k not in NEW_NAMES}
    return repr(sorted(kept.items()))


def rows_now() -> dict[str, list[str]]:
    found = {
        model.__name__: sorted(_plain(row) for row in model._default_manager.values())
        for model in WRITTEN
    }
    entries = AuditEntry.objects.values("table_name", "action", "actor", "after")
    return found | {"AuditEntry": sorted(_plain(row) for row in entries)}


@contextmanager
def undone() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def one_by_one(reports: Sequence[ReportedBalance]) -> list[Recorded | str]:
    found: list[Recorded | str] = []
    for one in reports:
        try:
            with transaction.atomic():
                found.append(record_balance(balance=one))
        except DomainError as refusal:
            found.append(refusal.code)
    return found


def says(told: RecordedSet, meant: Recorded | str) -> bool:
    """Tell whether a set's word about a report is what the service did with it."""
    if isinstance(meant, str):
        return told.why in {"UNKNOWN", "CONFLICT", "INVALID", "AHEAD"}
    if told.why:
        return told.why == "AHEAD" or (told.why, meant.is_new) == ("AGAIN", False)
    return (told.account_id, told.is_newest, True) == (
        meant.account_id,
        meant.is_newest,
        meant.is_new,
    )


@given(known=st.lists(REPORTS, max_size=3), reports=st.lists(REPORTS, min_size=1, max_size=7))
@example(known=[], reports=[])
@settings(
    max_examples=60,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_a_set_writes_the_rows_of_the_service(
    accounts: list[BankAccount], known: list[ReportedBalance], reports: list[ReportedBalance]
) -> None:
    # What the sender's clock puts ahead of ours is left to the service: it is not part of the set.
    with undone():
        one_by_one(known)
        with undone():
            told = record_balances(balances=reports)
            mine = rows_now()
        ready = [one for one, word in zip(reports, told, strict=True) if word.why != "AHEAD"]
        with undone():
            meant = one_by_one(ready)
            theirs = rows_now()
        assert mine == theirs
        words = [word for word in told if word.why != "AHEAD"]
        assert all(says(word, one) for word, one in zip(words, meant, strict=True))


def test_a_name_is_recorded_once_whatever_the_account(accounts: list[BankAccount]) -> None:
    """Below the services the database refuses the second one."""
    record_balances(
        balances=[
            ReportedBalance(
                event_id="ev-1",
                account=NUMBERS[0],
                currency="GBP",
                balance_type="ITAV",
                amount=Decimal(1),
                as_of=NOW,
            )
        ]
    )
    columns = [one.column for one in Statement._meta.local_fields]
    changed = {"id": "gen_random_uuid()", "account_id": f"'{accounts[1].pk}'"}
    insert = (
        f"INSERT INTO treasury_statement ({', '.join(columns)})"
        f" SELECT {', '.join(changed.get(one, one) for one in columns)} FROM treasury_statement"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        with pytest.raises(IntegrityError, match="statement_reported_once"):
            cursor.execute(insert)
        transaction.set_rollback(True)
