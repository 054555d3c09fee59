"""Where a payment is, what waits for a person, and that a rejection reverses all or nothing."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from itertools import count
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client

from core import clock
from core.errors import Forbidden, Invalid, NotFound
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant
from integrations import services as lines
from integrations.codecs.records import (
    PaymentStatus,
    StatusReason,
    StatusReport,
    StatusScope,
)
from tests.conftest import MakeUser
from tests.promises.realm import machine
from tests.tms.desk.conftest import client_of
from tests.treasury.movement.conftest import House, approve, propose
from tests.treasury.movement.test_any_order import entry, sent, state
from tests.treasury.movement.test_transfers import _heard
from treasury.api import webhook
from treasury.errors import NotRetriable, TaskDone, TrackingConflict
from treasury.models import Proposal, ProposalState, Task, Transfer, TransferStatus
from treasury.selectors import tracking
from treasury.services import answers, flows, sla, tasks, transfers
from treasury.services.tracking import TrackedIn, hear_tracker

__all__ = ["sent"]

_S = ProposalState


def held_of(proposal: Proposal) -> Transfer:
    return Transfer.objects.get(proposal=proposal)


def fresh(proposal: Proposal) -> Proposal:
    return Proposal.objects.get(pk=proposal.pk)


def tracked(status: str, **more: Any) -> TrackedIn:
    facts = {"event_id": uuid4().hex, "status": status, "said_at": clock.now(), **more}
    return TrackedIn(**facts)


class Breaking:
    """Lets so many statements through, then breaks the connection's next one."""

    def __init__(self, after: int) -> None:
        self.left = after
        self.broke = False

    def __call__(self, execute: Callable[..., Any], *call: Any) -> Any:
        if self.left == 0:
            self.broke = True
            raise IntegrityError("broken in the middle")
        self.left -= 1
        return execute(*call)


def test_a_rejection_reverses_everything_or_nothing(sent: Proposal) -> None:
    before = state(sent)
    for steps in count(1):
        breaking = Breaking(steps)
        try:
            with transaction.atomic(), connection.execute_wrapper(breaking):
                _heard(sent, "RJCT", reason_code="AC04")
        except IntegrityError:
            assert state(sent) == before
        if not breaking.broke:
            break
    after = state(sent)
    assert steps > 10
    assert after["proposal"] == "FAILED"
    assert after["still expected"] == []
    assert after["available"] != before["available"]


def test_every_page_shows_a_rejection_at_once(sent: Proposal, maker: User) -> None:
    client = client_of(maker)
    held = held_of(sent)
    pages = {
        f"/proposals/{sent.pk}": "the account is closed",
        "/transfers?show=closed": "AC04",
        "/proposals?show=closed": "Failed",
        f"/transfers/{held.pk}/track": "rejected by the bank",
    }
    for page, words in pages.items():
        assert words not in client.get(page).content.decode(), page
    _heard(sent, "RJCT", reason_code="AC04")
    for page, words in pages.items():
        assert words in client.get(page).content.decode(), page
    assert sent.reference not in client.get("/transfers").content.decode()


def test_a_return_days_later_reopens_a_settled_transfer(sent: Proposal, house: House) -> None:
    for account, sign in ((house.near, -1), (house.home, 1)):
        one = entry(account, sent, sent.amount * sign)
        one.save()
        answers.apply_entries(entries=[one])
        flows.match_entries(entries=[one])
    assert fresh(sent).state == _S.SETTLED
    with clock.frozen(clock.now() + timedelta(days=4)):
        back = entry(house.near, sent, sent.amount - 25, return_reason="AC04")
        back.save()
        answers.apply_entries(entries=[back])
    returned = fresh(sent)
    assert returned.state == _S.RETURNED
    assert "the account is closed" in returned.closing_reason
    assert "25.00 INR were kept as charges" in returned.closing_reason
    assert Task.objects.open().filter(kind="transfer_returned").count() == 1


def test_a_contradiction_is_never_paid_again(sent: Proposal, maker: User) -> None:
    _heard(sent, "RJCT", reason_code="AC04")
    assert fresh(sent).state == _S.FAILED
    _heard(sent, "ACSC")
    assert fresh(sent).state == _S.CONFIRMED
    (task,) = Task.objects.open()
    assert "rejected, and it was executed" in task.detail
    with pytest.raises(NotRetriable, match="contradict"):
        transfers.retry_transfer(transfer_id=held_of(sent).pk, actor=maker)


@pytest.mark.parametrize("reason", ["REFUSED", "REFUSED   "])
def test_a_reason_of_the_bank_is_never_taken_for_the_line(sent: Proposal, reason: str) -> None:
    """A proprietary reason may be any word, also the one that our line uses for "not there"."""
    _heard(sent, "PDNG", reason_code=reason, reason_text="by the second signatory")
    _heard(sent, "ACSP")
    assert fresh(sent).state == _S.SENT
    assert held_of(sent).reason_code != "REFUSED"
    said = TransferStatus.objects.get(transfer=held_of(sent), status="PDNG")
    assert "by the second signatory" in said.words


def test_an_answer_about_an_earlier_attempt_is_history(sent: Proposal, maker: User) -> None:
    _heard(sent, "RJCT")
    held = held_of(sent)
    # The bank had it, so its order stays live: the next attempt is only counted here.
    Transfer.objects.filter(pk=held.pk).update(attempt=2)
    before = state(sent)
    report = _group(f"{sent.reference}-1", "RJCT")
    answers.apply_status_report(report=report, message_id=uuid4())
    assert TransferStatus.objects.filter(transfer=held, attempt=1).count() == 2
    assert state(sent)["proposal"] == before["proposal"]
    answers.apply_status_report(report=_group(f"{sent.reference}-1", "ACSC"), message_id=uuid4())
    assert [task.key for task in Task.objects.open()] == [f"{sent.reference}:earlier-attempt"]


def test_a_late_rejection_that_names_no_attempt_frees_nothing(sent: Proposal) -> None:
    """The tracker repeats the first attempt's rejection after the second one has left."""
    early = clock.now()
    _heard(sent, "RJCT", reason_code="AC04")
    held = held_of(sent)
    _leaves_again(sent)
    hear_tracker(payment=UUID(held.uetr), report=tracked("RJCT", reason="AC04", said_at=early))
    assert fresh(sent).state == _S.SENT
    assert [task.key for task in Task.objects.open()] == [f"{sent.reference}:unnamed:RJCT"]
    answers.apply_status_report(report=_group(f"{sent.reference}-2", "RJCT"), message_id=uuid4())
    assert fresh(sent).state == _S.FAILED


def _leaves_again(proposal: Proposal) -> None:
    """Bring it where a retry brings it; the bank had the first order, so that stays live here."""
    held = transfers.lock(proposal.pk)
    transfers.expect_our_sides(held_of(proposal))
    held.execute()
    held.closed_at, held.closing_reason = None, ""
    held.save(update_fields=["state", "closed_at", "closing_reason"])
    Transfer.objects.filter(proposal=held).update(
        attempt=2, bank_status="", bank_status_rank=0, reason_code=""
    )
    transfers.mark_sent(reference=proposal.reference, bank_reference="")


def _group(original: str, status: str, *payments: PaymentStatus) -> StatusReport:
    return StatusReport(
        message_id="R",
        created_at=clock.now(),
        original_message_id=original,
        original_message_name="pain.001.001.09",
        group_status=status,
        transactions=payments,
        reasons=(StatusReason(code="AM04"),),
    )


def test_a_group_status_speaks_for_what_is_not_listed(sent: Proposal) -> None:
    listed = PaymentStatus(status="ACSP", original_end_to_end_id=sent.reference)
    answers.apply_status_report(
        report=_group(f"{sent.reference}-1", "RJCT", listed), message_id=uuid4()
    )
    assert held_of(sent).bank_status == "ACSP"
    block = PaymentStatus(
        status="RJCT",
        scope=StatusScope.BATCH,
        original_payment_information_id=f"{sent.reference}-1",
        reason_code="AM04",
    )
    answers.apply_status_report(report=_group("OTHER-1", "PART", block), message_id=uuid4())
    assert fresh(sent).state == _S.FAILED


def test_a_part_accepted_group_waits_for_the_payments_own_word(sent: Proposal) -> None:
    answers.apply_status_report(report=_group(f"{sent.reference}-1", "PART"), message_id=uuid4())
    assert (fresh(sent).state, held_of(sent).bank_status) == (_S.SENT, "PART")


# The tracker


def test_legs_show_who_holds_it_and_what_it_cost(sent: Proposal) -> None:
    held = held_of(sent)
    reports = (
        tracked("ACSP", reason="G000", held_by="SBNKINBBXXX"),
        tracked(
            "ACSP", reason="G002", held_by="OTHRINBBXXX", charge=Decimal(15), charge_currency="USD"
        ),
        tracked("ACCC", held_by="OTHRINBBXXX", charge=Decimal(5), charge_currency="USD"),
    )
    for number, report in enumerate(reports):
        later = replace(report, said_at=clock.now() + timedelta(minutes=number))
        hear_tracker(payment=UUID(held.uetr), report=later)
    track = tracking.track_by_uetr(UUID(held.uetr))
    assert [leg.reason_words for leg in track.legs][:2] == [
        "passed on to the next bank, which reports on it",
        "not credited the same day",
    ]
    assert track.held_by == "OTHRINBBXXX"
    assert track.charges == (("USD", Decimal(20)),)
    assert fresh(sent).state == _S.CONFIRMED


def test_the_same_report_is_kept_once_and_another_is_refused(sent: Proposal) -> None:
    held = held_of(sent)
    report = tracked("ACSP", reason="G000")
    uetr: Any = held.uetr
    assert hear_tracker(payment=uetr, report=report).is_new
    assert not hear_tracker(payment=uetr, report=report).is_new
    with pytest.raises(TrackingConflict):
        hear_tracker(payment=uetr, report=tracked("RJCT", event_id=report.event_id))
    with pytest.raises(NotFound):
        hear_tracker(payment=uuid4(), report=report)
    assert held.statuses.count() == 1


def _posted(
    client: Client, uetr: str, body: dict[str, Any], *, forged: bool = False, about: str = ""
) -> Any:
    data = json.dumps(body).encode()
    moment = str(int(clock.now().timestamp()))
    proof = webhook.signature(moment, data + (b" " if forged else b""), about=about or uetr)
    return client.post(
        f"/api/v1/payments/{uetr}/tracking",
        data,
        content_type="application/json",
        headers={webhook.TIMESTAMP_HEADER: moment, webhook.SIGNATURE_HEADER: proof},
    )


def test_the_webhook_takes_signed_reports_of_machines(sent: Proposal, user_with: MakeUser) -> None:
    robot = user_with("integration", name="tracker")
    client = machine(robot)
    uetr = held_of(sent).uetr
    body = {
        "event_id": "E-1",
        "status": "RJCT",
        "reason": "AC04",
        "said_at": clock.now().isoformat(),
        "charge": "1.50",
        "charge_currency": "USD",
    }
    assert _posted(client, uetr, body, forged=True).status_code == 401
    assert _posted(client, uetr, {**body, "charge_currency": ""}).status_code == 400
    first = _posted(client, uetr, body)
    assert first.status_code == 201, first.content
    assert first.json()["charges"] == {"USD": "1.5000"}
    assert _posted(client, uetr, body).status_code == 200
    assert fresh(sent).state == _S.FAILED
    assert client.get(f"/api/v1/payments/{uetr}/tracking").json()["state"] == "FAILED"


# Clocks and tasks


def test_a_breach_is_one_task_and_the_answer_closes_it(sent: Proposal) -> None:
    due = held_of(sent).sla_due_at
    assert due is not None
    for late in (0, 1, 2):
        sla.mark_breaches(now=due + timedelta(minutes=late))
    assert Task.objects.filter(kind="sla_breached").count() == 1
    alerts = OutboxEvent.objects.filter(topic="risk.alert", payload__kind="sla_breached")
    assert alerts.count() == 1
    _heard(sent, "ACSC")
    task = Task.objects.get(kind="sla_breached")
    assert task.stands == "done"
    assert "confirmed" in task.note


def test_an_outcome_that_stays_unknown_is_given_to_a_person(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    """A line that cannot be asked leaves it unknown: the clock brings in a person."""
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    transfers.execute(proposal_id=proposal.pk)
    transfers.mark_unknown(reference=proposal.reference, reason="The line broke.")
    assert sla.ask_about_unknown(now=clock.now() + timedelta(minutes=29)) == []
    for minutes in (30, 31):
        assert len(sla.ask_about_unknown(now=clock.now() + timedelta(minutes=minutes))) == 1
    (task,) = Task.objects.open()
    assert "It is not sent again" in task.detail
    _heard(proposal, "ACSP")
    assert Task.objects.get().stands == "done"
    assert fresh(proposal).state == _S.SENT


def test_people_take_and_close_tasks_with_a_note(
    sent: Proposal, maker: User, user_with: MakeUser
) -> None:
    task = tasks.open_task(task=tasks.TaskIn(kind="look", key="1", title="Look", detail="At this."))
    clerk = user_with("static_data", name="clerk")
    with pytest.raises(Forbidden):
        tasks.acknowledge_task(task_id=task.pk, actor=clerk)
    assert tasks.acknowledge_task(task_id=task.pk, actor=maker).stands == "acknowledged"
    with pytest.raises(Invalid):
        tasks.close_task(task_id=task.pk, actor=maker, note=" ")
    assert tasks.close_task(task_id=task.pk, actor=maker, note="Found.").done_by == maker
    with pytest.raises(TaskDone):
        tasks.close_task(task_id=task.pk, actor=maker, note="Again.")
    with pytest.raises(NotFound):
        tasks.close_task(task_id=uuid4(), actor=maker, note="None.")


def test_the_database_keeps_one_open_task_and_demands_a_note(tenant: Tenant) -> None:
    facts = {"kind": "look", "key": "1", "title": "Look", "detail": "x", "opened_at": clock.now()}
    Task.objects.create(**facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.create(**facts)
    with pytest.raises(IntegrityError), transaction.atomic():
        Task.objects.update(done_at=clock.now())
    Task.objects.update(done_at=clock.now(), note="done")
    Task.objects.create(**facts)


def test_the_task_page_lists_takes_closes_and_exports(sent: Proposal, maker: User) -> None:
    client = client_of(maker)
    assert "Nothing waits for you" in client.get("/tasks").content.decode()
    task = tasks.open_task(
        task=tasks.TaskIn(
            kind="look", key="1", title="=Look", detail="At this.", transfer=held_of(sent)
        )
    )
    page = client.get("/tasks?kind=look").content.decode()
    assert f"/proposals/{sent.pk}" in page
    assert client.get("/tasks/count").content == b"1"
    assert "'=Look" in client.get("/tasks/export.csv").content.decode()
    client.post(f"/tasks/{task.pk}/acknowledge")
    client.post(f"/tasks/{task.pk}/close", {"note": ""})
    assert Task.objects.get().done_at is None
    client.post(f"/tasks/{task.pk}/close", {"note": "All is well"})
    assert "All is well" in client.get("/tasks?show=done").content.decode()


def said(one: PaymentStatus, *, over: str) -> int:
    """Hear a pain.002 over a line; return how many of its payments were believed."""
    report = StatusReport(
        message_id=uuid4().hex,
        created_at=clock.now(),
        original_message_id="",
        original_message_name="pain.001.001.09",
        group_status=None,
        transactions=(one,),
    )
    message = lines.archive_inbound(
        connection_code=over, name="a.xml", data=f"<a>{uuid4()}</a>".encode()
    )
    return answers.apply_status_report(report=report, message_id=message.pk)


def test_another_banks_line_changes_nothing_and_is_a_task(sent: Proposal) -> None:
    other = lines.ConnectionIn(code="other", name="Other", kind="FOLDER", directory="/tmp/other")  # noqa: S108
    lines.save_connection(wish=other)
    held = held_of(sent)
    one = PaymentStatus(status="RJCT", original_end_to_end_id=held.end_to_end_id)
    assert said(one, over="other") == 0
    assert fresh(sent).state == _S.SENT
    (task,) = Task.objects.open().filter(kind="foreign_answer")
    assert "other says RJCT; the payment was given to host" in task.detail
    # The negative control: the same words over the line that had it end the payment.
    assert said(one, over="host") == 1
    assert fresh(sent).state == _S.FAILED


def test_marks_of_two_payments_are_a_task(
    sent: Proposal, house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    second = propose(house, maker, amount="5.00")
    approve(tenant, second, checker)
    transfers.execute(proposal_id=second.pk)
    one = PaymentStatus(
        status="RJCT",
        original_end_to_end_id=held_of(sent).end_to_end_id,
        original_uetr=held_of(second).uetr,
    )
    assert said(one, over="host") == 0
    assert fresh(sent).state == _S.SENT
    assert Task.objects.open().filter(kind="ambiguous_answer").count() == 1


def test_a_report_about_one_payment_is_none_about_another(
    sent: Proposal, user_with: MakeUser
) -> None:
    client = machine(user_with("integration", name="feed"))
    body = {"event_id": "E-9", "status": "RJCT", "said_at": clock.now().isoformat()}
    answer = _posted(client, held_of(sent).uetr, body, about=str(uuid4()))
    assert (answer.status_code, answer.json()["code"]) == (401, "signature_refused")
    assert held_of(sent).statuses.filter(status="RJCT").count() == 0
