"""Balances over the event bus: signed for one tenant, recorded once, refused ones told."""

import json
import threading
from datetime import timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from core.events.models import OutboxEvent
from core.events.sources import Arrived, source
from core.events.transports import redis_client
from core.tenancy import Tenant, bound
from tests.chaos.live import eventually
from tests.treasury.bank.conftest import NOW
from tests.treasury.bank.paper import IBAN
from treasury.api.bus import key_of, signature, take_in
from treasury.management.commands.intake import take_until
from treasury.models import BankAccount, Statement, StatementBalance, Task

PLACES = (f"{number}-0" for number in range(1, 10**9))


def body(**more: Any) -> bytes:
    facts = {
        "event_id": "ev-1", "account": IBAN, "currency": "EUR", "balance_type": "ITAV",
        "amount": "750000.10", "as_of": "2026-11-24T07:59:00Z", **more,
    }  # fmt: skip
    return json.dumps(facts).encode()


def message(tenant: UUID, data: bytes, **headers: str) -> Arrived:
    signed = {"tenant": str(tenant), "signature": signature(tenant, data), **headers}
    return Arrived(place=next(PLACES), headers=signed, body=data)


@pytest.fixture
def sent(tenant: Tenant, account: BankAccount) -> Any:
    """Send bodies signed for the tenant; return the reasons of what was refused."""

    def send(*bodies: bytes) -> list[str]:
        return [one.why for one in take_in([message(tenant.id, data) for data in bodies])]

    return send


def test_a_batch_of_balances_is_recorded_and_told(sent: Any, account: BankAccount) -> None:
    assert sent(*(body(event_id=f"ev-{n}", amount=f"{n}.50") for n in range(1, 6))) == []
    assert StatementBalance.objects.count() == 5
    assert OutboxEvent.objects.filter(topic="ops.nostro.balance.update").exists()
    assert StatementBalance.objects.filter(account=account).latest("id").amount == Decimal("5.5")


def test_what_comes_again_changes_nothing(sent: Any) -> None:
    assert sent(body(), body()) == []
    assert sent(body()) == []
    assert Statement.objects.count() == 1
    assert OutboxEvent.objects.filter(topic="ops.nostro.balance.update").count() == 1


def test_an_older_balance_comes_late_and_replaces_nothing(sent: Any) -> None:
    sent(body())
    assert sent(body(event_id="ev-0", amount="5.00", as_of="2026-11-24T06:00:00Z")) == []
    assert StatementBalance.objects.count() == 2
    assert OutboxEvent.objects.filter(topic="ops.nostro.balance.update").count() == 1


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"{", "The body is not JSON."),
        (b"[" * 60_000, "The body is not JSON."),
        (b'"text"', "non_field_errors: Invalid data. Expected a dictionary, but got str."),
        (body(amount=5.5), 'amount: Write the amount as a string, like "1250.00".'),
        (body(amount="1.234"), "EUR has 2 decimals"),
        (body(account="DE00 0000"), "We have no account of that number and currency."),
        (
            body(as_of=(NOW + timedelta(minutes=6)).isoformat()),
            "as_of lies in the future.",
        ),
        (body(as_of="0001-01-01T00:00:00Z"), "as_of lies more than ten years back."),
    ],
)
def test_what_is_refused_names_its_fault_and_holds_nothing_up(
    sent: Any, data: bytes, why: str
) -> None:
    (found,) = sent(data, body(event_id="ev-2"))
    assert why in found
    assert Statement.objects.get().statement_ref == "ev-2"
    task = Task.objects.get(kind="balance_refused")
    assert why in task.detail


def test_one_name_for_two_balances_is_refused_by_name(sent: Any) -> None:
    assert sent(body(), body(amount="1.00")) == ["This event_id was used for another balance."]
    assert StatementBalance.objects.get().amount == Decimal("750000.10")


def test_a_message_is_believed_only_under_its_tenants_key(
    tenant: Tenant, other_tenant: Tenant, account: BankAccount
) -> None:
    good = message(tenant.id, body())
    forged = [
        message(tenant.id, body(), signature=signature(other_tenant.id, body())),
        message(tenant.id, body(), signature=""),
        message(tenant.id, body(), signature="v1=é"),
        Arrived(place="1-1", headers=good.headers, body=body(amount="1.00")),
        Arrived(place="1-2", headers={}, body=good.body),
    ]
    assert [one.message for one in take_in([*forged, good])] == forged
    nobody = message(uuid4(), body())
    assert [one.why for one in take_in([nobody])] == ["There is no such tenant."]
    assert StatementBalance.objects.get().amount == Decimal("750000.10")
    # Nobody knows whose word it is: people of the tenant are not bothered with it.
    assert not Task.objects.exists()
    # Under its own key the other tenant reports for itself alone, and has no such account.
    assert [one.why for one in take_in([message(other_tenant.id, body(event_id="ev-9"))])] == [
        "We have no account of that number and currency."
    ]


@given(data=st.binary(max_size=200) | st.builds(
    body,
    event_id=st.text(max_size=50), account=st.text(max_size=50), currency=st.text(max_size=4),
    amount=st.text(max_size=30) | st.floats() | st.integers(),
    as_of=st.text(max_size=40) | st.datetimes().map(str) | st.just("0001-01-01T00:00:00+14:00"),
))  # fmt: skip
@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_no_message_stops_the_others(tenant: Tenant, account: BankAccount, data: bytes) -> None:
    name = f"ev-{uuid4()}"
    take_in([message(tenant.id, data), message(tenant.id, body(event_id=name))])
    assert Statement.objects.filter(statement_ref=name).exists()


def test_the_command_takes_in_what_lies_on_the_stream(
    settings: Any, anew: None, tenant: Tenant, account: BankAccount
) -> None:
    settings.TMS_POSITIONS_TOPIC = name = f"cash_positions.{uuid4()}"
    client = redis_client()
    for data in (body(), b"nonsense"):
        told = message(tenant.id, data)
        fields: dict[Any, Any] = {**told.headers, "body": told.body}
        client.xadd(name, fields)
    call_command("intake", "--once")
    assert StatementBalance.objects.get().amount == Decimal("750000.10")
    assert client.xlen(f"{name}.refused") == 1
    left = source(name)
    assert left.take(0.1) == []
    left.close()


def test_a_bus_that_was_emptied_is_waited_out(committed_tenant: UUID, anew: None) -> None:
    name, client, stop = f"cash_positions.{uuid4()}", redis_client(), threading.Event()

    def taking() -> None:
        try:
            take_until(stop, name)
        finally:
            connection.close()

    def refused(count: int) -> bool:
        told = message(committed_tenant, body())
        fields: dict[Any, Any] = {**told.headers, "body": told.body}
        client.xadd(name, fields)
        return eventually(lambda: client.xlen(f"{name}.refused") == count, 10)

    worker = threading.Thread(target=taking)
    worker.start()
    try:
        assert refused(1)
        client.delete(name)  # with the group of who reads
        assert refused(2)
    finally:
        stop.set()
        worker.join(10)
    assert not worker.is_alive()


def test_the_command_tells_a_tenants_key_to_who_is_bound_to_none(committed_tenant: UUID) -> None:
    said = StringIO()
    call_command("intake", "--key", "north", stdout=said)
    assert said.getvalue().split() == [str(committed_tenant), key_of(committed_tenant)]
    with pytest.raises(CommandError, match="no tenant nowhere"):
        call_command("intake", "--key", "nowhere")


def test_the_command_says_what_it_needs(settings: Any) -> None:
    with pytest.raises(CommandError, match="TMS_POSITIONS_TOPIC"):
        call_command("intake", "--once")
    settings.TMS_POSITIONS_TOPIC = "tms:cash_positions"
    with pytest.raises(CommandError, match="what we write ourselves"):
        call_command("intake", "--once")


def test_another_tenant_sees_nothing_of_it(sent: Any, tenant: Tenant, other_tenant: Tenant) -> None:
    sent(body())
    with bound(other_tenant.id, actor="system:test"):
        assert not Statement.objects.exists()
