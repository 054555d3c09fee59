"""The ways a message takes: through the event, in large files, and the check of the books."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.core.management import call_command

from core import clock
from core.events.drain import drain
from core.events.models import Delivery, OutboxEvent
from core.tenancy import Tenant, bound
from integrations import selectors as messages
from integrations import services as archive
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import LINE, B, E, S, arrive, camt, day_statement
from treasury.models import BankAccount, BankEntry, ExpectedFlow, Statement
from treasury.services import flows, ingest

MANY = 150


def test_an_archived_message_is_read_by_its_event(account: BankAccount, tenant: Tenant) -> None:
    data = camt("053", day_statement(E(amount="9", ref="A")))
    message = archive.archive_inbound(connection_code=LINE, name="a.xml", data=data)
    assert not Statement.objects.exists()
    drain(tenant=tenant.id)
    assert messages.message(message.pk).state == "HANDLED"
    assert BankEntry.objects.get().amount == 9
    assert not Delivery.objects.filter(state="DEAD").exists()


def test_the_same_event_twice_changes_nothing(account: BankAccount, tenant: Tenant) -> None:
    data = camt("053", day_statement(E(amount="9", ref="A")))
    archive.archive_inbound(connection_code=LINE, name="a.xml", data=data)
    drain(tenant=tenant.id)
    Delivery.objects.filter(consumer="treasury.statements").update(state="WAITING", done_at=None)
    drain(tenant=tenant.id)
    assert Statement.objects.count() == BankEntry.objects.count() == 1


def test_a_file_that_is_no_message_is_left_alone(account: BankAccount, tenant: Tenant) -> None:
    archive.archive_inbound(connection_code=LINE, name="a.txt", data=b"hello")
    drain(tenant=tenant.id)
    assert not Statement.objects.exists()
    assert not Delivery.objects.filter(state="DEAD").exists()


def many(**hidden: str) -> tuple[E, ...]:
    from dataclasses import replace

    shown = (
        E(amount=f"{n % 7 + 1}.50", ref=f"R{n}", e2e=f"E{n}", text=f"t{n}") for n in range(MANY)
    )
    return tuple(replace(one, **hidden) for one in shown)


def test_a_large_statement_takes_the_fast_way_and_arrives_whole(account: BankAccount) -> None:
    first = arrive(camt("052", S(id="I1", entries=many(ref=""))))
    assert (first.entries_new, first.entries_changed) == (MANY, 0)
    assert set(BankEntry.objects.values_list("state", "best_source")) == {("COUNTED", "CAMT052")}
    second = arrive(camt("053", day_statement(*many())))
    assert (second.entries_new, second.entries_changed) == (0, MANY)
    stored = BankEntry.objects.values_list("bank_reference", "end_to_end_id", "amount", "state")
    assert set(stored) == {
        (f"R{n}", f"E{n}", Decimal(f"{n % 7 + 1}.50"), "COUNTED") for n in range(MANY)
    }


def test_a_large_statement_needs_no_query_per_entry(
    account: BankAccount, django_assert_max_num_queries: Any
) -> None:
    data = camt("053", day_statement(*many()))
    message = archive.archive_inbound(connection_code=LINE, name="many.xml", data=data)
    with django_assert_max_num_queries(60):
        ingest.ingest_message(message_id=message.pk)
    assert BankEntry.objects.count() == MANY


def test_the_fast_way_stays_inside_the_tenant(account: BankAccount, other_tenant: Tenant) -> None:
    arrive(camt("053", day_statement(*many())))
    assert set(BankEntry.objects.values_list("tenant_id", flat=True)) == {account.tenant_id}
    with bound(other_tenant.id, actor="system:test"):
        assert not BankEntry.objects.exists()


def test_pages_are_not_awaited_for_ever(account: BankAccount) -> None:
    page = S(
        id="P1", page=1, last=False,
        balances=(B(code="OPBD", amount="100"), B(code="CLBD/INTM", amount="100")),
    )  # fmt: skip
    arrive(camt("053", page))
    assert ingest.quarantine_overdue_pages(now=clock.now()) == 0
    with clock.frozen(NOW + timedelta(hours=25)):
        assert ingest.quarantine_overdue_pages(now=clock.now()) == 1
    assert Statement.objects.get().state == "QUARANTINED"
    assert OutboxEvent.objects.filter(payload__kind="statement_quarantined").exists()


# --- the books of every tenant ---------------------------------------------------------------


def verify() -> tuple[int, dict[str, Any]]:
    out, code = StringIO(), 0
    try:
        call_command("verify_invariants", "--json", stdout=out)
    except SystemExit as stop:
        code = int(stop.code or 0)
    return code, json.loads(out.getvalue())


def test_sound_books_verify(account: BankAccount, other_tenant: Tenant) -> None:
    arrive(camt("053", day_statement(E(amount="9", ref="A"))))
    assert verify() == (0, {"findings": [], "count": 0})


def test_a_flow_without_its_entry_is_found(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9", ref="A", e2e="E1"))))
    BankEntry.objects.update(end_to_end_id="E1")
    wish = flows.FlowIn(
        account_id=account.pk, source="DEAL", source_ref="d", amount=Decimal(9),
        value_date=NOW.date(), description="deal", end_to_end_id="E1",
    )  # fmt: skip
    flows.put_expected_flow(flow=wish)
    entry = BankEntry.objects.get()
    assert flows.match_entry(entry)
    BankEntry.objects.update(state="WITHDRAWN")
    code, found = verify()
    assert code == 1
    assert "flow_without_entry" in {one["code"] for one in found["findings"]}
    assert flows.release_flows(entry_ids=[entry.pk]) == 1
    assert ExpectedFlow.objects.get().state == "EXPECTED"


def test_an_entry_that_nobody_showed_is_found(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="9", ref="A"))))
    Statement.objects.update(state="SUPERSEDED")
    assert "entry_was_never_seen" in {one["code"] for one in verify()[1]["findings"]}


@pytest.mark.parametrize("plain", [True, False])
def test_the_command_speaks_to_people_and_machines(
    account: BankAccount, capsys: Any, plain: bool
) -> None:
    call_command("verify_invariants", *([] if plain else ["--json"]))
    assert ("0 findings" in capsys.readouterr().out) is plain
