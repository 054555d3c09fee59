"""Withdraw, cancel, expire, escalate."""

import json
from datetime import timedelta
from decimal import Decimal
from io import StringIO

import pytest
from django.core.management import call_command

from approvals import errors, services, tasks
from approvals import policies as knobs
from approvals.models import ApprovalRequest
from core import clock, policies
from core.errors import Forbidden
from core.identity.models import User
from core.money import Money
from core.tenancy import Tenant, bound
from tests.approvals.factories import NOON, Subject, decide, payloads, submit, topics
from tests.conftest import MakeUser

MINUTE = timedelta(minutes=1)


def state_of(request: ApprovalRequest) -> str:
    return str(ApprovalRequest.objects.get(pk=request.pk).state)


def levels() -> list[int]:
    return [event["level"] for event in payloads("escalated")]


def test_the_maker_withdraws(desk: Subject, maker: User, checker: User) -> None:
    request = submit(maker=maker)
    services.withdraw(request_id=request.pk, actor=maker)
    assert state_of(request) == "CANCELLED"
    assert desk.states == ["CANCELLED"]
    with pytest.raises(errors.NotPending):
        decide(request, checker)


def test_nobody_else_withdraws(desk: Subject, maker: User, checker: User) -> None:
    request = submit(maker=maker)
    with pytest.raises(errors.NotTheMaker):
        services.withdraw(request_id=request.pk, actor=checker)
    assert state_of(request) == "PENDING"


def test_what_is_approved_is_cancelled_not_withdrawn(
    desk: Subject, maker: User, checker: User
) -> None:
    request = submit(maker=maker)
    decide(request, checker)
    with pytest.raises(errors.NotPending):
        services.withdraw(request_id=request.pk, actor=maker)
    with pytest.raises(errors.ReasonRequired):
        services.cancel(request_id=request.pk, actor=checker, reason=" ")
    services.cancel(request_id=request.pk, actor=checker, reason="Not needed.")
    assert desk.states == ["APPROVED", "CANCELLED"]
    with pytest.raises(errors.NotPending):
        services.cancel(request_id=request.pk, actor=None, reason="Again.")


def test_strangers_do_not_cancel(desk: Subject, user_with: MakeUser) -> None:
    request = submit()
    with pytest.raises(Forbidden):
        services.cancel(request_id=request.pk, actor=user_with("auditor"), reason="No.")
    services.cancel(request_id=request.pk, actor=None, reason="The shortfall is gone.")
    assert state_of(request) == "CANCELLED"


def test_a_subject_that_is_under_way_is_not_cancelled(desk: Subject, checker: User) -> None:
    request = submit()
    decide(request, checker)
    desk.refusal = Forbidden("It is executing.")
    with pytest.raises(Forbidden):
        services.cancel(request_id=request.pk, actor=checker, reason="Stop.")
    assert state_of(request) == "APPROVED"


def test_a_request_expires_at_its_cutoff(desk: Subject) -> None:
    with clock.frozen(NOON):
        request = submit(cutoff_at=NOON + 60 * MINUTE)
        forever = submit()
    assert services.expire_due(now=NOON + 59 * MINUTE) == []
    assert services.expire_due(now=NOON + 60 * MINUTE) == [request]
    assert services.expire_due(now=NOON + 61 * MINUTE) == []
    assert (state_of(request), state_of(forever)) == ("EXPIRED", "PENDING")
    assert topics().count("expired") == 1
    assert desk.states == ["EXPIRED"]


def test_a_subject_that_refuses_to_expire_keeps_only_itself_open(desk: Subject) -> None:
    with clock.frozen(NOON):
        first = submit(cutoff_at=NOON + 60 * MINUTE)
    desk.refusal = Forbidden("No.")
    assert services.expire_due(now=NOON + 61 * MINUTE) == []
    assert state_of(first) == "PENDING"
    assert "expired" not in topics()


def test_an_unused_approval_expires_too(desk: Subject, checker: User) -> None:
    with clock.frozen(NOON):
        request = submit(cutoff_at=NOON + 60 * MINUTE)
        decide(request, checker)
    assert services.expire_due(now=NOON + 61 * MINUTE) == []
    with pytest.raises(errors.NotExpired):
        services.expire(request_id=request.pk, now=NOON + 59 * MINUTE)
    services.expire(request_id=request.pk, now=NOON + 60 * MINUTE)
    assert state_of(request) == "EXPIRED"
    with pytest.raises(errors.NotPending):
        services.expire(request_id=request.pk, now=NOON + 60 * MINUTE)


def test_what_is_past_its_cutoff_is_not_submitted(desk: Subject) -> None:
    with clock.frozen(NOON), pytest.raises(errors.PastCutoff):
        submit(cutoff_at=NOON)


def test_escalation_at_thirty_minutes_sharp_once_per_level(desk: Subject) -> None:
    with clock.frozen(NOON):
        request = submit()
    assert services.escalate_due(now=NOON + 30 * MINUTE - timedelta(seconds=1)) == []
    services.escalate_due(now=NOON + 30 * MINUTE)
    services.escalate_due(now=NOON + 30 * MINUTE)
    assert levels() == [1]
    services.escalate_due(now=NOON + 60 * MINUTE)
    services.escalate_due(now=NOON + 90 * MINUTE)
    services.escalate_due(now=NOON + 600 * MINUTE)
    assert levels() == [1, 2, 3]
    assert state_of(request) == "PENDING"
    assert ApprovalRequest.objects.get(pk=request.pk).escalation_level == 3


def test_a_worker_that_was_down_announces_each_level_once(desk: Subject) -> None:
    with clock.frozen(NOON):
        request = submit()
    steps = services.escalate_due(now=NOON + 65 * MINUTE)
    assert [(step.level, step.due_at) for step in steps] == [
        (1, NOON + 30 * MINUTE),
        (2, NOON + 60 * MINUTE),
    ]
    assert levels() == [1, 2]
    assert ApprovalRequest.objects.get(pk=request.pk).next_escalation_at == NOON + 90 * MINUTE


def test_an_approved_request_does_not_escalate(desk: Subject, checker: User) -> None:
    with clock.frozen(NOON):
        request = submit()
    with clock.frozen(NOON + 20 * MINUTE):
        decide(request, checker)
    assert services.escalate_due(now=NOON + 60 * MINUTE) == []


def test_a_partial_approval_does_not_reset_the_clock(desk: Subject, checker: User) -> None:
    with clock.frozen(NOON):
        request = submit(amount=Money(Decimal(20_000_000), "USD"))
    with clock.frozen(NOON + 20 * MINUTE):
        decide(request, checker)
    services.escalate_due(now=NOON + 30 * MINUTE)
    assert payloads("escalated")[0]["approvals_count"] == 1


def test_an_amendment_restarts_the_clock(desk: Subject) -> None:
    with clock.frozen(NOON):
        first = submit()
    with clock.frozen(NOON + 20 * MINUTE):
        submit(subject_id=first.subject_id, subject_version=2)
    assert services.escalate_due(now=NOON + 49 * MINUTE) == []
    assert len(services.escalate_due(now=NOON + 50 * MINUTE)) == 1


def test_a_near_cutoff_escalates_at_half_the_time_left(desk: Subject) -> None:
    with clock.frozen(NOON):
        submit(cutoff_at=NOON + 20 * MINUTE)
    assert services.escalate_due(now=NOON + 10 * MINUTE - timedelta(seconds=1)) == []
    assert [step.level for step in services.escalate_due(now=NOON + 10 * MINUTE)] == [1]
    assert services.escalate_due(now=NOON + 20 * MINUTE) == []


def test_the_patience_is_a_policy(desk: Subject, checker: User) -> None:
    policies.change(
        policy=knobs.MAKER_CHECKER_TIMEOUT_MIN, value=5, actor=checker, reason="busy day"
    )
    with clock.frozen(NOON):
        submit()
    assert len(services.escalate_due(now=NOON + 5 * MINUTE)) == 1


def test_the_tasks_visit_every_tenant(desk: Subject, tenant: Tenant, other_tenant: Tenant) -> None:
    with clock.frozen(NOON):
        request = submit(cutoff_at=NOON + 60 * MINUTE)
    with clock.frozen(NOON + 30 * MINUTE):
        tasks.escalate()
    assert levels() == [1]
    with bound(other_tenant.id), clock.frozen(NOON + 60 * MINUTE):
        tasks.expire()
    assert state_of(request) == "EXPIRED"


def test_the_commands_report_as_json(desk: Subject) -> None:
    with clock.frozen(NOON):
        request = submit(cutoff_at=NOON + 60 * MINUTE)
    out = StringIO()
    with clock.frozen(NOON + 30 * MINUTE):
        call_command("approvals_escalate", "--json", stdout=out)
    assert json.loads(out.getvalue())["escalated"][0]["level"] == 1
    out = StringIO()
    with clock.frozen(NOON + 60 * MINUTE):
        call_command("approvals_expire", "--json", stdout=out)
    assert json.loads(out.getvalue())["expired"][0]["request"] == str(request.pk)
    out = StringIO()
    call_command("approvals_expire", stdout=out)
    assert out.getvalue() == "0 requests expired.\n"
