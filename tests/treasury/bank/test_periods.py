"""A closed period changes only through a person: late entries wait, and the database insists."""

from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from uuid import uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import BACK_OFFICE, RISK_OFFICER, TREASURY_MANAGER
from core.tenancy import Tenant, bound
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.treasury.bank.conftest import OpenAccount
from tests.treasury.bank.paper import DAY, IBAN, E, S, arrive, camt, day_statement
from tests.treasury.bank.test_admin import signed_in
from tests.treasury.bank.test_posting_paths import messages, paper
from treasury.errors import LateEntryDecided
from treasury.models import (
    BankAccount,
    BankEntry,
    DailyBalance,
    DayMovement,
    ExpectedFlow,
    LateEntry,
    LegalEntity,
    Statement,
    Task,
)
from treasury.selectors import periods as reads
from treasury.selectors.invariants import invariants
from treasury.services import flows, periods
from treasury.services.flows import FlowIn

NEXT = DAY + timedelta(days=1)
BEFORE = DAY - timedelta(days=1)
Decide = Callable[..., LateEntry]


def close(account: BankAccount, until: date | None = DAY) -> None:
    account.closed_until = until
    account.save()


def sums(account: BankAccount, until: date = DAY) -> tuple[object, ...]:
    """Return all that the days up to `until` come to."""
    moved = DayMovement.objects.filter(account=account, entries_count__gt=0)
    touching = [
        (one.booking_date, one.value_date, one.amount, one.entries_count)
        for one in moved.order_by("booking_date", "value_date")
        if min(one.booking_date, one.value_date) <= until
    ]
    days = DailyBalance.objects.filter(account=account, value_date__lte=until)
    changed = [(one.value_date, one.booked) for one in days.order_by("value_date") if one.booked]
    return (touching, changed)


def the_late() -> LateEntry:
    return LateEntry.objects.exclude(state="VOID").get()


@scene
def manager(user_with: MakeUser) -> User:
    return user_with(TREASURY_MANAGER)


@pytest.fixture
def decide(tenant: Tenant, manager: User) -> Decide:
    def run(late: LateEntry, how: str = "accept", *, by: User | None = None) -> LateEntry:
        person = by or manager
        act = periods.accept_late if how == "accept" else periods.leave_late
        with bound(tenant.pk, actor=str(person.pk)):
            return act(late_id=late.pk, actor=person, reason="The auditor agreed.")

    return run


def test_the_later_of_two_closings_counts(account: BankAccount, entity: LegalEntity) -> None:
    assert reads.closed_until(account.pk) is None
    entity.closed_until = BEFORE
    entity.save()
    assert reads.closed_until(account.pk) == BEFORE
    close(account, DAY)
    assert reads.closed_until(account.pk) == DAY
    close(account, BEFORE - timedelta(days=3))
    assert reads.closed_until(account.pk) == BEFORE


def test_a_late_entry_waits_and_counts_once_it_is_accepted(
    account: BankAccount, decide: Decide
) -> None:
    arrive(camt("053", day_statement(E(amount="4", ref="R1"))))
    flows.put_expected_flow(
        flow=FlowIn(
            account_id=account.pk, source="PAYOUT", source_ref="P1", amount=Decimal(7),
            value_date=DAY, description="payout", end_to_end_id="E2E-7",
        )
    )  # fmt: skip
    close(account)
    before = sums(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="9", ref="OPEN").on(NEXT),))))
    assert not LateEntry.objects.exists()
    corrected = day_statement(E(amount="4", ref="R1"), E(amount="7", ref="R2", e2e="E2E-7"))
    arrive(camt("053", replace(corrected, id="STMT-B", seq=2)))
    assert sums(account) == before
    late = the_late()
    assert (late.change, late.state, late.entry.state) == ("NEW", "WAITING", "HELD")
    assert Task.objects.open().get(kind="closed_period").key == str(late.statement_id)
    assert ExpectedFlow.objects.get().state == "EXPECTED"
    assert [one.code for one in invariants() if one.code != "account_overdrawn"] == []
    decide(late)
    late.refresh_from_db()
    assert (late.state, BankEntry.objects.get(bank_reference="R2").state) == ("ACCEPTED", "COUNTED")
    assert ExpectedFlow.objects.get().state == "MATCHED"
    assert sums(account) != before
    assert not Task.objects.open().filter(kind="closed_period").exists()
    assert [one.code for one in invariants() if one.code != "account_overdrawn"] == []


def test_an_entry_valued_back_into_the_period_waits(account: BankAccount) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="7", ref="BACK", booked=NEXT, value=DAY),))))
    assert the_late().entry.state == "HELD"
    assert sums(account) == ([], [])


def test_a_counted_entry_is_not_withdrawn_without_a_person(
    account: BankAccount, decide: Decide
) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="10", ref="LOST"),))))
    close(account)
    before = sums(account)
    arrive(camt("053", day_statement()))
    late = the_late()
    assert (late.change, late.settled, sums(account)) == ("WITHDRAWAL", "NOT_IN_EOD", before)
    assert [one.code for one in invariants() if one.code != "account_overdrawn"] == []
    decide(late, "leave")
    assert sums(account) == before
    decide(the_late())
    assert sums(account) == ([], [])
    assert BankEntry.objects.get().state == "NOT_IN_EOD"


def test_an_entry_does_not_leave_the_period_by_another_value_day(
    account: BankAccount, decide: Decide
) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="10", ref="MOVES"),))))
    close(account)
    before = sums(account)
    moved = E(amount="10", ref="MOVES", value=NEXT)
    arrive(camt("053", day_statement(moved)))
    late = the_late()
    assert (late.change, late.value_before, late.value_after) == ("DATES", DAY, NEXT)
    assert sums(account) == before
    decide(late)
    entry = BankEntry.objects.get()
    assert (entry.value_date, entry.state) == (NEXT, "COUNTED")


def test_a_pending_entry_booked_into_the_period_waits(account: BankAccount) -> None:
    arrive(camt("052", S(id="I1", entries=(E(amount="5", ref="P", status="PDNG"),))))
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="P"),))))
    assert (the_late().change, the_late().entry.state) == ("NEW", "HELD")
    assert sums(account) == ([], [])


def test_what_was_left_is_not_asked_again_for_the_same(
    account: BankAccount, decide: Decide
) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R"),))))
    decide(the_late(), "leave")
    arrive(camt("053", day_statement(E(amount="5", ref="R"))))
    assert (the_late().state, BankEntry.objects.get().state) == ("LEFT", "HELD")
    assert not Task.objects.open().filter(kind="closed_period").exists()


def test_what_the_bank_takes_back_waits_no_longer(account: BankAccount) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R"),))))
    arrive(camt("053", day_statement()))
    assert LateEntry.objects.get().state == "VOID"
    assert not Task.objects.open().filter(kind="closed_period").exists()


def test_what_waits_for_a_period_that_opens_again_is_posted(account: BankAccount) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R"),))))
    close(account, None)
    arrive(camt("053", day_statement(E(amount="5", ref="R"))))
    assert (LateEntry.objects.get().state, BankEntry.objects.get().state) == ("VOID", "COUNTED")


def test_two_entries_that_are_one_are_not_joined_on_a_closed_day(
    account: BankAccount, decide: Decide
) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R", text="rent"),))))
    arrive(camt("054", S(id="N2", entries=(E(amount="5", e2e="E2E-5", text="invoice"),))))
    assert BankEntry.objects.filter(state="COUNTED").count() == 2
    close(account)
    before = sums(account)
    arrive(camt("053", day_statement(E(amount="5", ref="R", e2e="E2E-5", text="rent"))))
    late = the_late()
    assert (late.change, late.settled, sums(account)) == ("WITHDRAWAL", "MERGED", before)
    decide(late)
    assert sorted(BankEntry.objects.values_list("state", flat=True)) == ["COUNTED", "MERGED"]
    assert [one.code for one in invariants() if one.code != "account_overdrawn"] == []


def test_only_treasury_managers_and_the_back_office_decide_and_say_why(
    account: BankAccount, decide: Decide, user_with: MakeUser, manager: User
) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R"),))))
    late = the_late()
    with pytest.raises(Forbidden):
        decide(late, by=user_with(RISK_OFFICER, name="risk"))
    with pytest.raises(Invalid):
        periods.accept_late(late_id=late.pk, actor=manager, reason="  ")
    decide(late, by=user_with(BACK_OFFICE, name="back"))
    with pytest.raises(LateEntryDecided):
        decide(late)


def test_the_database_refuses_what_nobody_accepted(
    account: BankAccount, tenant: Tenant, manager: User
) -> None:
    arrive(camt("054", S(id="N1", entries=(E(amount="10", ref="OLD"),))))
    close(account)
    arrive(camt("054", S(id="N2", entries=(E(amount="5", ref="A"), E(amount="6", ref="B")))))
    before = sums(account)
    one, other = LateEntry.objects.order_by("amount")
    tries = (
        "UPDATE treasury_bankentry SET state = 'COUNTED' WHERE state = 'HELD'",
        "UPDATE treasury_bankentry SET state = 'WITHDRAWN' WHERE bank_reference = 'OLD'",
        f"UPDATE treasury_bankentry SET value_date = '{NEXT}' WHERE bank_reference = 'OLD'",
        f"UPDATE treasury_lateentry SET state = 'ACCEPTED', reason = 'x' WHERE id = '{one.pk}'",
        "DELETE FROM treasury_lateentry",
    )
    for statement in tries:
        with pytest.raises(Exception, match=r"closed|decides|deleted|denied"):
            run(statement)
    accept = (
        f"UPDATE treasury_lateentry SET state = 'ACCEPTED', reason = 'x',"
        f" decided_by_id = '{manager.pk}' WHERE id = '{one.pk}'"
    )
    count = "UPDATE treasury_bankentry SET state = 'COUNTED' WHERE bank_reference = '{}'"
    with bound(tenant.pk, actor=str(manager.pk)):
        with pytest.raises(IntegrityError, match="closed"):
            run(f"{accept}; {count.format('B')}")
        assert sums(account) == before
        with transaction.atomic():
            run(accept)
            run(count.format("A"))
    assert sums(account) != before
    assert LateEntry.objects.get(pk=other.pk).state == "WAITING"


def run(statement: str) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(statement)


def test_an_acceptance_does_not_outlive_its_transaction(
    account: BankAccount, decide: Decide
) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R"),))))
    late = decide(the_late())
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_current_xact_id()::text::bigint")
        assert late.decided_in == cursor.fetchone()[0]
        for one, amount, expected in ((1, 5, True), (1, 6, False), (-1, -5, False)):
            cursor.execute(
                "SELECT treasury_late_is_accepted(%s, %s, %s, %s, %s)",
                [late.entry_id, one, amount, DAY, DAY],
            )
            assert cursor.fetchone()[0] is expected


def test_the_page_lists_what_waits_and_takes_decisions(
    account: BankAccount, manager: User, maker: User
) -> None:
    close(account)
    arrive(camt("054", S(id="N1", entries=(E(amount="5", ref="R"), E(amount="6", ref="Q")))))
    page = signed_in(manager).get("/periods")
    assert page.status_code == 200
    shown = page.content.decode()
    assert ("EUR main" in shown, shown.count("Accept</button>")) == (True, 2)
    assert "Accept</button>" not in signed_in(maker).get("/periods").content.decode()
    sheet = signed_in(maker).get("/periods?as=csv&state=WAITING").content.decode()
    assert sheet.splitlines()[0].startswith("account,currency,change,amount")
    assert len(sheet.splitlines()) == 3
    one, other = LateEntry.objects.order_by("amount")
    client = signed_in(manager)
    client.post(f"/periods/{one.pk}/accept", {"reason": ""})
    one.refresh_from_db()
    assert one.state == "WAITING"
    client.post(f"/periods/{one.pk}/accept", {"reason": "Booked late by the bank."})
    client.post(f"/periods/{other.pk}/leave", {"reason": "Next month."})
    states = LateEntry.objects.order_by("amount").values_list("state", "decided_by")
    assert list(states) == [("ACCEPTED", manager.pk), ("LEFT", manager.pk)]


def test_several_are_decided_together_each_by_itself(
    account: BankAccount, decide: Decide, manager: User
) -> None:
    close(account)
    entries = tuple(E(amount=amount, ref=f"R{amount}") for amount in ("5", "6", "7"))
    arrive(camt("054", S(id="N1", entries=entries)))
    first, second, third = LateEntry.objects.order_by("amount")
    decide(first, "accept")
    client = signed_in(manager)
    marked = {"late": [first.pk, second.pk], "reason": "Booked late by the bank."}
    page = client.post("/periods/together", {**marked, "outcome": "ACCEPT"}, follow=True)
    assert "1 of 2 decided" in page.content.decode()
    assert "decided on" in page.content.decode()
    for wrong in ({"late": ["x"]}, {"late": []}, {"reason": " "}, {"outcome": "BURN"}):
        client.post(
            "/periods/together", {**marked, "late": [third.pk], "outcome": "LEAVE", **wrong}
        )
    assert list(LateEntry.objects.order_by("amount").values_list("state", flat=True)) == [
        "ACCEPTED", "ACCEPTED", "WAITING",
    ]  # fmt: skip
    with bound(account.tenant_id, actor=str(manager.pk)):
        found = periods.decide_several(
            late_ids=[third.pk, uuid4()], outcome="LEAVE", actor=manager, reason="Next month."
        )
    assert [(one.state, bool(one.refusal)) for one in found] == [("LEFT", False), ("", True)]


def test_the_proof_of_an_account_names_what_is_off(account: BankAccount, maker: User) -> None:
    arrive(camt("053", day_statement(E(amount="4", ref="R1"))))
    page = signed_in(maker).get(f"/accounts/{account.pk}/proof").content.decode()
    assert "no day contradicts another" in page
    assert f"/entries?statement={Statement.objects.get().pk}" in page
    close(account)
    arrive(camt("053", day_statement(E(amount="4", ref="R1"), E(amount="3", ref="R2"), seq=2)))
    page = signed_in(maker).get(f"/accounts/{account.pk}/proof").content.decode()
    assert "opening and lines miss the closing balance by 3.00" in page
    assert "1 late entry waits" in page
    answer = signed_in(maker).get(f"/api/v1/accounts/{account.pk}/proofs").json()
    assert (answer["is_green"], len(answer["days"])) == (False, 31)
    (bad,) = [one for one in answer["days"] if one["proof"] == "DIFFERS"]
    assert (bad["day"], Decimal(bad["off"])) == (f"{DAY}", 3)


@settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    derandomize=True,
)
@given(
    first=st.lists(messages, max_size=3),
    later=st.lists(messages, min_size=1, max_size=5),
    shift=st.integers(min_value=-2, max_value=1),
)
def test_closed_days_never_move_by_themselves(
    open_account: OpenAccount,
    first: list[tuple[str, list[E], date, int]],
    later: list[tuple[str, list[E], date, int]],
    shift: int,
) -> None:
    with transaction.atomic():
        account, until = open_account(IBAN), DAY + timedelta(days=shift)
        for kind, entries, day, seq in first:
            arrive(paper(kind, entries, day, seq, iban=IBAN))
        close(account, until)
        before = sums(account, until)
        for kind, entries, day, seq in later:
            arrive(paper(kind, entries, day, seq, iban=IBAN))
            assert sums(account, until) == before
        assert [one for one in invariants() if "day" in one.code] == []
        transaction.set_rollback(True)
