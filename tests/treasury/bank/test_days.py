"""Daily balances: kept with every entry, equal to adding up, and nobody's to write by hand."""

from collections import defaultdict
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import psycopg
import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.models import Sum
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.ids import uuid7
from tests.treasury.bank.conftest import NOW, OpenAccount
from tests.treasury.bank.paper import DAY, IBAN, E, S, arrive, camt, day_statement
from tests.treasury.bank.test_posting_paths import messages, paper
from treasury.engine.identity import PENDING_DAYS_MAX
from treasury.engine.positions import BOOKED_ORDER, HEADLINE_ORDER, Moved
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    DailyBalance,
    DayMovement,
    EntryObservation,
    EntryState,
    NewestBalance,
)
from treasury.selectors import ledger
from treasury.selectors.invariants import DAILY, DAYS, NEWEST, invariants
from treasury.selectors.ledger import Base
from treasury.services.days import rebuild_days


def added_up(account: BankAccount) -> dict[date, tuple[Decimal, Decimal]]:
    """Return sum and running sum per value day, straight from the entries."""
    sums: dict[date, Decimal] = defaultdict(Decimal)
    for entry in BankEntry.objects.filter(account=account, state="COUNTED", status="BOOK"):
        sums[entry.value_date] += entry.amount
    running, found = Decimal(0), {}
    for day in sorted(sums):
        running += sums[day]
        found[day] = (sums[day], running)
    return found


def kept(account: BankAccount) -> dict[date, tuple[Decimal, Decimal]]:
    days = DailyBalance.objects.filter(account=account).order_by("value_date")
    return {one.value_date: (one.booked, one.balance) for one in days}


def sums_by_entries(on: date) -> dict[object, Decimal]:
    """Return what each account's entries come to, as the ORM adds them up."""
    counted = BankEntry.objects.filter(
        state=EntryState.COUNTED, status=BookingStatus.BOOK, value_date__lte=on
    )
    return dict(counted.order_by().values_list("account_id").annotate(total=Sum("amount")))


def moved_by_entries(account: BankAccount, base: Base | None, start: date) -> dict[object, Decimal]:
    """Say what moved around a base as it is defined: entry by entry."""
    found: dict[object, Decimal] = defaultdict(Decimal)
    first = base.on_date if base else date.min
    for one in BankEntry.objects.filter(account=account, state="COUNTED"):
        pending = one.status != "BOOK"
        if one.status not in ("BOOK", "PDNG"):
            continue
        if one.booking_date < first and one.value_date < start:
            continue
        patience = first if first == date.min else first - timedelta(days=PENDING_DAYS_MAX)
        if pending and one.value_date < patience:
            continue
        found[one.value_date, pending, not pending and _contains(base, one)] += one.amount
    return dict(found)


def _contains(base: Base | None, one: BankEntry) -> bool:
    if base is None:
        return False
    if base.code.startswith("CL"):
        return one.booking_date <= base.on_date
    if one.booking_date != base.on_date or base.code.startswith("OP"):
        return one.booking_date < base.on_date
    listed = EntryObservation.objects.filter(entry=one, statement_id=base.statement_id)
    return one.announced_at <= base.as_of or listed.exists()


def as_sums(moved: list[Moved]) -> dict[object, Decimal]:
    return {(one.value_date, one.is_pending, one.in_base): one.amount for one in moved}


@settings(
    max_examples=40,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(sequence=st.lists(messages, min_size=1, max_size=6))
def test_what_is_kept_is_what_adds_up(
    open_account: OpenAccount, sequence: list[tuple[str, list[E], date, int]]
) -> None:
    with transaction.atomic():
        account = open_account(IBAN)
        for kind, entries, day, seq in sequence:
            arrive(paper(kind, entries, day, seq, iban=IBAN))
            counted = {day: sums for day, sums in kept(account).items() if sums[0]}
            assert counted == {day: sums for day, sums in added_up(account).items() if sums[0]}
            for on in (DAY - timedelta(days=2), DAY, DAY + timedelta(days=30)):
                sums = nothing_at_zero(dict(ledger.booked_sums(on=on)))
                assert sums == nothing_at_zero(sums_by_entries(on))
        for codes in (BOOKED_ORDER, HEADLINE_ORDER):
            bases = ledger.bases([account.pk], codes=codes, now=NOW)
            for start in (DAY - timedelta(days=5), DAY, DAY + timedelta(days=1)):
                moved = ledger.movements([account.pk], bases, start=start)[account.pk]
                expected = moved_by_entries(account, bases.get(account.pk), start)
                assert nothing_at_zero(as_sums(moved)) == nothing_at_zero(expected)
        assert [one for one in invariants() if "da" in one.code] == []
        transaction.set_rollback(True)


def nothing_at_zero(sums: dict[object, Decimal]) -> dict[object, Decimal]:
    return {key: amount for key, amount in sums.items() if amount}


def test_a_back_valued_entry_moves_every_later_day(account: BankAccount) -> None:
    days = [DAY - timedelta(days=number) for number in range(4)]
    arrive(
        camt(
            "054",
            S(
                id="N1",
                entries=tuple(E(amount="10", ref=f"R{n}").on(day) for n, day in enumerate(days)),
            ),
        )
    )
    back = E(amount="-3", ref="BACK", value=days[2])
    arrive(camt("054", S(id="N2", entries=(back,))))
    assert [one[1] for one in kept(account).values()] == [10, 17, 27, 37]
    assert ledger.booked_sums(on=days[1]) == {account.pk: Decimal(27)}
    assert ledger.booked_sums(on=days[3] - timedelta(days=1)) == {}


def test_an_entry_that_ceases_to_count_leaves_its_day(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="10", ref="LOST"),))))
    assert kept(account)[DAY][1] == 10
    arrive(camt("053", day_statement(E(amount="4", ref="R1"))))
    assert kept(account)[DAY][1] == 4


def test_the_app_role_cannot_write_the_sums(account: BankAccount) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="10", ref="R"),))))
    for statement in (
        "UPDATE treasury_dailybalance SET balance = 1000000",
        "DELETE FROM treasury_daymovement",
        "UPDATE treasury_newestbalance SET balance = 1000000",
        "SELECT treasury_move_days('{}', '{}', '{}', '{}', '{}', '{}')",
    ):
        with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement)


def test_verifying_notices_sums_that_say_something_else(
    owner_connection: psycopg.Connection[Any],
) -> None:
    tenant, account = uuid7(), uuid7()
    with owner_connection.transaction(force_rollback=True):
        owner_connection.execute("SELECT set_config('app.tenant', %s, true)", [str(tenant)])
        for query in (DAYS, DAILY, NEWEST):
            assert owner_connection.execute(query).fetchall() == []
        owner_connection.execute(
            "INSERT INTO treasury_daymovement (id, booking_date, value_date, amount,"
            " entries_count, account_id, tenant_id)"
            " VALUES (%s, '2026-11-20', '2026-11-20', 4, 1, %s, %s)",
            [uuid7(), account, tenant],
        )
        owner_connection.execute(
            "INSERT INTO treasury_dailybalance (id, value_date, booked, balance, account_id,"
            " tenant_id) VALUES (%s, '2026-11-20', 4, 5, %s, %s)",
            [uuid7(), account, tenant],
        )
        assert owner_connection.execute(DAYS).fetchall() == [(account, Decimal(4))]
        assert owner_connection.execute(DAILY).fetchall() == [(account, Decimal(1))]
        assert owner_connection.execute(NEWEST).fetchall() == [(account, Decimal(-5))]
        owner_connection.execute(
            "INSERT INTO treasury_newestbalance (id, value_date, balance, account_id, tenant_id)"
            " VALUES (%s, '2026-11-20', 5, %s, %s)",
            [uuid7(), account, tenant],
        )
        assert owner_connection.execute(NEWEST).fetchall() == []


def test_rebuilding_gives_the_same_days(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="4", ref="R1"), E(amount="-1", ref="R2"))))
    newest = NewestBalance.objects.values_list("account_id", "value_date", "balance")
    before = (kept(account), DayMovement.objects.count(), list(newest))
    assert before[2] == [(account.pk, DAY, 3)]
    assert rebuild_days() == 1
    assert (kept(account), DayMovement.objects.count(), list(newest)) == before
    out = StringIO()
    call_command("rebuild_days", stdout=out)
    assert "daily balances" in out.getvalue()
