"""Levels of escalation: each adds people who may approve, none lowers how many are needed."""

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, connection, transaction

from approvals import errors, selectors, services
from approvals import policies as knobs
from approvals.models import ApprovalRequest, CheckerRole
from approvals.selectors.levels import deciders_at
from approvals.services import deciding
from core import clock, policies
from core.identity.models import User
from core.money import Money
from core.tenancy import Tenant
from tests.approvals.factories import NOON, Subject, decide, payloads, submit
from tests.conftest import MakeUser

HALF_HOUR = timedelta(minutes=30)
LARGE = Money(Decimal(20_000_000), "USD")


@pytest.fixture
def noon() -> Iterator[None]:
    with clock.frozen(NOON):
        yield


def set_level(level: int) -> None:
    knob = knobs.MANAGERS_APPROVE_FROM_LEVEL
    policies.change(policy=knob, value=level, actor=None, reason="Trial")


def escalated(request: ApprovalRequest, level: int = 1) -> ApprovalRequest:
    """Let the time pass that a level takes."""
    services.escalate_due(now=request.submitted_at + level * request.escalation_interval)
    return ApprovalRequest.objects.get(pk=request.pk)


def test_managers_approve_a_payment_once_it_has_escalated(
    desk: Subject, noon: None, manager: User
) -> None:
    request = submit()
    assert selectors.eligibility(manager, request).code == "not_escalated"
    assert list(selectors.inbox(user=manager)) == []
    with pytest.raises(errors.NotEscalated):
        decide(request, manager)
    request = escalated(request)
    assert list(selectors.inbox(user=manager)) == [request]
    with clock.frozen(NOON + HALF_HOUR):
        assert decide(request, manager).is_final


def test_a_level_adds_people_and_never_lowers_the_count(
    desk: Subject, noon: None, checker: User, manager: User
) -> None:
    request = escalated(submit(amount=LARGE), level=3)
    assert (request.required_count, request.escalation_level) == (2, 3)
    with clock.frozen(NOON + 3 * HALF_HOUR):
        assert not decide(request, manager).is_final
        assert decide(request, checker).is_final


def test_the_snapshot_says_who_decides_at_which_level(desk: Subject, noon: None) -> None:
    request = submit()
    every = [CheckerRole.CHECKER, CheckerRole.MANAGER]
    assert request.policy_snapshot["deciders"] == [[CheckerRole.CHECKER], every, every, every]
    assert [deciders_at(request, level) for level in (0, 1)] == [[CheckerRole.CHECKER], every]
    escalated(request)
    assert payloads("escalated")[0]["deciders"] == every


def test_a_policy_that_changes_later_does_not_change_a_snapshot(
    desk: Subject, noon: None, manager: User
) -> None:
    request = submit()
    set_level(0)
    with pytest.raises(errors.NotEscalated):
        decide(request, manager)
    assert decide(submit(), manager).is_final


def test_managers_reject_at_any_level(desk: Subject, noon: None, manager: User) -> None:
    assert decide(submit(), manager, "REJECT").is_final
    assert selectors.eligibility(manager, submit()).may_refuse


def test_what_asks_for_a_manager_is_open_to_managers_at_once(
    desk: Subject, noon: None, manager: User
) -> None:
    rule = services.RuleIn(required_count=1, role=CheckerRole.MANAGER, rail="CHAPS")
    services.add_rule(rule=rule, actor=manager)
    assert decide(submit(rail="CHAPS"), manager).is_final
    assert decide(submit(amount=None), manager).is_final


def test_nobody_is_counted_on_who_could_approve_only_after_the_cutoff(
    tenant: Tenant, subject: Subject, noon: None, user_with: MakeUser
) -> None:
    services.install_default_rules()
    manager = user_with("treasury_manager", name="only-manager")
    cutoff_at = NOON + timedelta(minutes=20)
    assert submit(cutoff_at=cutoff_at).managers_from_level == 1  # reached half way to the cut-off
    set_level(2)
    with pytest.raises(errors.NobodyEligible):
        submit(cutoff_at=cutoff_at)
    assert submit().managers_from_level == 2
    assert manager.is_active


def test_the_database_knows_the_level(
    desk: Subject, noon: None, manager: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deciding, "may_approve_now", lambda *_: True)
    with pytest.raises(IntegrityError, match="level 1"), transaction.atomic():
        decide(submit(), manager)


# --- instants -----------------------------------------------------------------------------------


def backdated(request: ApprovalRequest, *, at: datetime, waited: timedelta) -> bool:
    """Ask the guard about a request that the database recorded `waited` ago."""
    recorded = {"recorded_at": (clock.wall() - waited).isoformat()}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT approvals_is_backdated(jsonb_populate_record(q, %s::jsonb), %s)"
            " FROM approvals_approvalrequest q WHERE q.id = %s",
            [json.dumps(recorded), at, request.pk],
        )
        return bool(cursor.fetchone()[0])


def test_a_decision_bears_the_instant_at_which_it_is_made(desk: Subject, noon: None) -> None:
    request = submit()
    hour = timedelta(hours=1)
    assert not backdated(request, at=NOON + 2 * hour, waited=2 * hour)
    assert not backdated(request, at=NOON + 3 * hour, waited=hour)  # a clock that was moved on
    assert not backdated(request, at=NOON + timedelta(minutes=61), waited=2 * hour)
    assert backdated(request, at=NOON + timedelta(minutes=59), waited=2 * hour)
    assert backdated(request, at=NOON, waited=2 * hour)
