"""A payment reaches the bank once or certainly not at all; what is unknown is asked (P1)."""

import socket
from collections.abc import Callable
from contextlib import ExitStack
from datetime import timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest
from django.conf import settings
from django.db import IntegrityError, connection

from core import clock
from core.tenancy import bound
from integrations import services
from integrations.channels import NotSent
from integrations.constants import SEAL_CONSTRAINT
from integrations.errors import (
    CalledInsideTransaction,
    ConnectionUnknown,
    MessageStateRefused,
    PaymentAlreadyQueued,
    PreflightRefused,
)
from integrations.models import LineState, Message
from integrations.services import dispatching
from tests.integrations.room.conftest import (
    House,
    MakeHouse,
    SandboxBank,
    http_line,
    later,
    order,
)

SENT, REFUSED, UNKNOWN = (
    "integrations.payment.sent",
    "integrations.payment.refused",
    "integrations.payment.unknown",
)


@pytest.fixture
def http_house(house: MakeHouse, bank: SandboxBank) -> House:
    return house(http_line(bank.url))


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def test_a_queued_payment_reaches_the_bank_once(http_house: House, bank: SandboxBank) -> None:
    message = http_house.queue()
    assert message.state == "QUEUED"
    assert http_house.topics() == []

    assert http_house.dispatch().sent == 1
    sent = http_house.message(message)
    assert sent.state == "SENT"
    assert sent.sent_at is not None
    assert sent.bank_receipt["bank_reference"]
    assert bank.attempts(message.reference) == 1
    assert http_house.topics() == [SENT]
    assert http_house.dispatch().total == 0


def test_bytes_that_nobody_approved_are_refused_alone(http_house: House, bank: SandboxBank) -> None:
    broken, whole = http_house.queue(), http_house.queue()
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION treasury_guard_outbound() RETURNS trigger LANGUAGE plpgsql"
            f" AS $$ BEGIN IF TG_OP = 'UPDATE' AND NEW.id = '{broken.pk}' THEN"
            f" RAISE EXCEPTION 'no' USING ERRCODE = 'check_violation',"
            f" CONSTRAINT = '{SEAL_CONSTRAINT}'; END IF; RETURN NEW; END $$"
        )
    report = http_house.dispatch()
    assert (report.sent, report.refused) == (1, 1)
    refused = http_house.message(broken)
    assert (refused.state, http_house.message(whole).state) == ("REFUSED", "SENT")
    assert "not the order that was approved" in refused.reason
    assert bank.attempts(broken.reference) == 0


def test_another_refusal_of_the_database_is_not_taken_for_a_broken_seal(
    http_house: House, bank: SandboxBank
) -> None:
    message = http_house.queue()
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute(
            "CREATE OR REPLACE FUNCTION treasury_guard_outbound() RETURNS trigger LANGUAGE plpgsql"
            " AS $$ BEGIN IF TG_OP = 'UPDATE' THEN RAISE EXCEPTION 'frozen' USING"
            " ERRCODE = 'check_violation'; END IF; RETURN NEW; END $$"
        )
    with pytest.raises(IntegrityError, match="frozen"):
        http_house.dispatch()
    assert http_house.message(message).state == "QUEUED"


def test_nobody_listening_means_not_sent_and_tried_again(
    house: MakeHouse, bank: SandboxBank
) -> None:
    home = house(http_line(f"http://127.0.0.1:{closed_port()}"))
    message = home.queue()
    assert home.dispatch().postponed == 1
    waiting = home.message(message)
    assert waiting.state == "QUEUED"
    assert waiting.attempts == 1
    assert waiting.due_at is not None
    assert waiting.due_at > clock.now()
    assert "No connection" in waiting.reason
    assert home.dispatch().total == 0, "not before its time"

    house(http_line(bank.url))
    with later(seconds=90):
        assert home.dispatch().sent == 1
    assert bank.attempts(message.reference) == 1


def test_a_payment_that_never_leaves_is_given_up_within_the_limit(house: MakeHouse) -> None:
    home = house(http_line(f"http://127.0.0.1:{closed_port()}", retries_max=2))
    message = home.queue()
    for minutes in (0, 5, 10):
        with later(minutes=minutes):
            home.dispatch()
    given_up = home.message(message)
    assert given_up.state == "REFUSED"
    assert given_up.attempts == 3
    assert "not sent after 3 attempts" in given_up.reason
    assert home.topics()[-1] == REFUSED


def test_accepted_and_then_silent_is_unknown_until_the_bank_is_asked(
    http_house: House, bank: SandboxBank
) -> None:
    message = http_house.queue()
    bank.fault(kind="accept_then_timeout", match={"end_to_end_id": message.reference})
    assert http_house.dispatch().unknown == 1
    assert http_house.state(message) == "UNKNOWN"
    assert http_house.topics() == [UNKNOWN]
    bank.no_faults()
    with later(minutes=2):
        assert http_house.dispatch().total == 0, "an unknown payment is never sent again"
        assert http_house.enquire().found == 1
    found = http_house.message(message)
    assert found.state == "SENT"
    assert found.bank_receipt["found_by"] == "enquiry"
    assert bank.attempts(message.reference) == 1
    assert http_house.topics() == [UNKNOWN, SENT]
    bank.advance(60)
    assert bank.executed(message.reference) == 1


def test_a_bank_that_hangs_after_accepting_is_asked_too(
    http_house: House, bank: SandboxBank
) -> None:
    message = http_house.queue()
    fault = {"end_to_end_id": message.reference}
    bank.fault(kind="accept_then_timeout", match=fault, mode="hang", seconds=4)
    assert http_house.dispatch().unknown == 1
    assert "no answer in time" in http_house.message(message).reason
    with later(minutes=2):
        assert http_house.enquire().found == 1
    assert bank.attempts(message.reference) == 1


class Crash(BaseException):
    """The process ends here."""


def crash_at(statement: int) -> Callable[..., Any]:
    """Return a wrapper that ends the process at the k-th SQL statement."""
    seen = {"statements": 0}

    def run(execute: Any, sql: Any, params: Any, many: Any, context: Any) -> Any:
        seen["statements"] += 1
        if seen["statements"] == statement:
            raise Crash
        return execute(sql, params, many, context)

    run.seen = seen  # type: ignore[attr-defined]
    return run


def run_with(house: House, wrapper: Callable[..., Any]) -> bool:
    """Dispatch once; return whether it got through without the crash."""
    try:
        with connection.execute_wrapper(wrapper):
            house.dispatch()
    except Crash:
        connection.close()
        return False
    return True


def test_a_crash_at_any_statement_neither_loses_nor_doubles(
    http_house: House, bank: SandboxBank
) -> None:
    """Every k: the sender dies at its k-th statement, others carry on, the bank executed once."""
    statement, survived, states = 0, False, set()
    while not survived:
        statement += 1
        assert statement < 120
        message = http_house.queue()
        survived = run_with(http_house, crash_at(statement))
        states.add(http_house.state(message))
        with later(seconds=61), ExitStack() as stack:
            http_house.dispatch()
            stack.enter_context(later(seconds=90))
            http_house.enquire()
        final = http_house.message(message)
        executed = bank.attempts(message.reference)
        assert (final.state, executed) in {("SENT", 1), ("REFUSED", 0)}, statement
    assert statement >= 15
    assert {"QUEUED", "SENDING", "SENT"} <= states


def test_a_crash_after_the_call_is_resolved_by_asking(
    http_house: House, bank: SandboxBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = http_house.queue()

    def die(*_args: Any, **_more: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("integrations.services.dispatching._record", die)
        with pytest.raises(Crash):
            http_house.dispatch()
    assert http_house.state(message) == "SENDING"
    assert bank.attempts(message.reference) == 1
    assert http_house.dispatch().total == 0, "the lease still holds"
    with later(seconds=60):
        assert http_house.dispatch().abandoned == 1
        assert http_house.state(message) == "UNKNOWN"
        with later(seconds=10):
            assert http_house.enquire().found == 1
    assert http_house.state(message) == "SENT"
    assert bank.attempts(message.reference) == 1


def test_a_crash_before_the_call_ends_as_certainly_not_sent(
    http_house: House, bank: SandboxBank, monkeypatch: pytest.MonkeyPatch
) -> None:
    message = http_house.queue()

    def die(*_args: Any, **_more: Any) -> None:
        raise Crash

    with monkeypatch.context() as patch:
        patch.setattr("integrations.services.dispatching._call", die)
        with pytest.raises(Crash):
            http_house.dispatch()
    with later(seconds=60):
        assert http_house.dispatch().abandoned == 1
        with later(seconds=5):
            report = http_house.enquire()
            assert report.still_unknown == 1, "a no is not trusted while it may be on its way"
        with later(seconds=40):
            assert http_house.enquire().not_found == 1
    final = http_house.message(message)
    assert (final.state, final.reason) == ("REFUSED", "The bank does not know this payment.")
    assert bank.attempts(message.reference) == 0

    second = http_house.queue(order(reference=message.reference))
    assert second.attempt == 2
    assert http_house.dispatch().sent == 1
    assert bank.attempts(message.reference) == 1


def test_a_sender_that_slept_does_not_start_its_call(http_house: House, bank: SandboxBank) -> None:
    message = http_house.queue()
    claim = dispatching._claim_next(http_house.tenant, set())
    assert isinstance(claim, dispatching.Claim)
    with later(seconds=20):
        outcome = dispatching._call(claim)
    assert isinstance(outcome, NotSent)
    assert bank.attempts(message.reference) == 0


def test_an_outcome_that_comes_after_the_lease_changes_nothing(http_house: House) -> None:
    message = http_house.queue()
    claim = dispatching._claim_next(http_house.tenant, set())
    assert isinstance(claim, dispatching.Claim)
    with later(seconds=90):
        http_house.dispatch()
    assert http_house.state(message) == "UNKNOWN"
    outcome = dispatching.Outcome(answer=NotSent("late"), seconds=90)
    late = dispatching._record(http_house.tenant, claim, outcome, dispatching._SYSTEM_DICE)
    assert late == "late"
    assert http_house.state(message) == "UNKNOWN"


def test_a_bank_that_cannot_be_asked_is_asked_again(
    http_house: House, house: MakeHouse, bank: SandboxBank
) -> None:
    message = http_house.queue()
    bank.fault(kind="accept_then_timeout", match={"end_to_end_id": message.reference})
    http_house.dispatch()
    house(http_line(f"http://127.0.0.1:{closed_port()}"))
    with later(minutes=2):
        assert http_house.enquire().still_unknown == 1
        assert http_house.enquire().still_unknown == 0, "not before its time"
    house(http_line(bank.url))
    with later(minutes=4):
        assert http_house.enquire().found == 1


def test_the_banks_own_message_answers_the_question(http_house: House, bank: SandboxBank) -> None:
    message = http_house.queue()
    bank.fault(kind="accept_then_timeout", match={"end_to_end_id": message.reference})
    http_house.dispatch()
    with bound(http_house.tenant, actor="system:test"):
        confirmed = services.confirm_sent(reference=message.reference, evidence="pain.002")
        assert confirmed is not None
        assert services.confirm_sent(reference=message.reference, evidence="again") is None
    assert http_house.state(message) == "SENT"


def test_a_payment_past_its_cut_off_does_not_leave(http_house: House, bank: SandboxBank) -> None:
    message = http_house.queue(not_after=clock.now() + timedelta(minutes=1))
    with later(minutes=2):
        assert http_house.dispatch().refused == 1
    assert "cut-off" in http_house.message(message).reason
    assert bank.attempts(message.reference) == 0


def test_a_withdrawn_payment_does_not_leave(http_house: House, bank: SandboxBank) -> None:
    message = http_house.queue()
    with bound(http_house.tenant, actor="system:test"):
        services.withdraw_payment(reference=message.reference, reason="cancelled by its maker")
    assert http_house.dispatch().total == 0
    assert http_house.state(message) == "REFUSED"
    with bound(http_house.tenant, actor="system:test"), pytest.raises(MessageStateRefused):
        services.withdraw_payment(reference=message.reference, reason="again")
    assert bank.attempts(message.reference) == 0


def test_a_line_switched_off_keeps_its_payments(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    message = home.queue()
    house(http_line(bank.url, is_active=False))
    assert home.dispatch().total == 0
    assert home.state(message) == "QUEUED"
    with pytest.raises(ConnectionUnknown):
        home.queue()


def test_the_circuit_opens_and_heals(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(f"http://127.0.0.1:{closed_port()}"))
    messages = [home.queue() for _ in range(7)]
    assert home.dispatch().postponed == 5, "the circuit opens after five failures"
    assert home.topics() == ["integrations.line.changed"]
    assert home.dispatch().total == 0
    house(http_line(bank.url))
    with later(seconds=20):
        assert home.dispatch().total == 0, "open means open"
    with later(seconds=100):
        assert home.dispatch().sent == 7, "one probe heals it, the others follow"
    with bound(home.tenant, actor="system:test"):
        assert LineState.objects.get().circuit_open_until is None
    assert {home.state(message) for message in messages} == {"SENT"}
    assert home.topics().count("integrations.line.changed") == 2


def test_the_rate_limit_holds_payments_back_without_counting_attempts(
    house: MakeHouse, bank: SandboxBank
) -> None:
    home = house(http_line(bank.url, rate_per_minute=30))
    messages = [home.queue() for _ in range(5)]
    with clock.frozen(clock.now()):
        assert home.dispatch().sent == 3, "a tenth of a minute's requests at once"
        assert home.dispatch().sent == 0
        with later(seconds=4):
            assert home.dispatch().sent == 2
    assert {home.message(message).attempts for message in messages} == {1}


def test_the_same_order_again_is_the_same_message(http_house: House) -> None:
    instruction = order()
    first, second = http_house.queue(instruction), http_house.queue(instruction)
    assert first.pk == second.pk
    different = order(reference=instruction.end_to_end_id, amount=Decimal(7))
    with pytest.raises(PaymentAlreadyQueued):
        http_house.queue(different)


def test_what_the_rail_would_refuse_never_enters_the_queue(http_house: House) -> None:
    wrong = order(uetr=None, charge_bearer="CRED", amount=Decimal("1.005"))
    with pytest.raises(PreflightRefused) as refusal:
        http_house.queue(wrong)
    codes = {finding["code"] for finding in refusal.value.context["findings"]}
    assert {"UETR_MISSING", "CHARGE_BEARER", "AMOUNT_PRECISION"} <= codes
    with bound(http_house.tenant, actor="system:test"):
        assert not Message.objects.exists()


def decide_and_fail(house: House) -> None:
    with bound(house.tenant, actor="system:test"):
        services.queue_payment(instruction=order(), rail="SEPA_INST", connection_code=house.line)
        raise ZeroDivisionError


def test_a_rolled_back_decision_queues_nothing(http_house: House) -> None:
    with pytest.raises(ZeroDivisionError):
        decide_and_fail(http_house)
    assert http_house.dispatch().total == 0


@pytest.mark.parametrize("call", ["dispatch", "enquire", "collect"])
def test_no_bank_is_called_inside_a_transaction(http_house: House, call: str) -> None:
    with (
        bound(http_house.tenant, actor="system:test"),
        pytest.raises(CalledInsideTransaction),
    ):
        getattr(http_house, call)()
