"""The states of a request: declared once, enforced once, and both the same."""

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction
from django_fsm import TransitionNotAllowed

from approvals.models import ApprovalRequest, RequestState
from core import checks, clock
from core.identity.models import User
from tests.approvals.factories import Subject, decide, submit

EXPECTED = {
    ("approve", "PENDING", "APPROVED"),
    ("reject", "PENDING", "REJECTED"),
    ("send_back", "PENDING", "RETURNED"),
    ("cancel", "PENDING", "CANCELLED"),
    ("expire", "PENDING", "EXPIRED"),
    ("void", "PENDING", "VOIDED"),
    ("cancel", "APPROVED", "CANCELLED"),
    ("expire", "APPROVED", "EXPIRED"),
    ("void", "APPROVED", "VOIDED"),
}


def _declared() -> set[tuple[str, str, str]]:
    machine: Any = ApprovalRequest()
    return {
        (step.name, str(step.source), str(step.target))
        for step in machine.get_all_state_transitions()
    }


def test_the_machine_is_exactly_this() -> None:
    assert _declared() == EXPECTED


def test_the_database_knows_the_same_edges(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT source, target FROM approvals_request_edges()")
        enforced = set(cursor.fetchall())
    assert enforced == {(source, target) for _, source, target in _declared()}


def test_states_change_by_transitions_only(desk: Subject) -> None:
    request: Any = submit()
    with pytest.raises(AttributeError):
        request.state = RequestState.APPROVED
    request.cancel(at=clock.now(), reason="No.")
    with pytest.raises(TransitionNotAllowed):
        request.approve(at=clock.now())


def test_a_bulk_update_past_the_machine_is_refused_by_the_database(desk: Subject) -> None:
    request = submit()
    with pytest.raises(IntegrityError), transaction.atomic():
        ApprovalRequest.objects.filter(pk=request.pk).update(
            state=RequestState.APPROVED, decided_at=clock.now()
        )


def test_a_stale_copy_cannot_be_saved(desk: Subject, checker: User) -> None:
    stale: Any = submit()
    decide(stale, checker, "REJECT")
    stale.cancel(at=clock.now(), reason="Too late.")
    with pytest.raises(IntegrityError), transaction.atomic():
        stale.save(update_fields=["state", "decided_at", "reason"])


def test_every_guard_is_named_for_the_self_check(db: None) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT c.relname || '.' || t.tgname FROM pg_trigger t JOIN pg_class c"
            " ON c.oid = t.tgrelid WHERE NOT t.tgisinternal AND c.relname LIKE 'approvals\\_%'"
            " AND (t.tgname LIKE 'guard\\_%' OR t.tgname = 'append_only')"
        )
        guards = {name for (name,) in cursor.fetchall()}
    assert guards <= checks.required_triggers
    assert len(guards) == 19


def test_the_history_carries_the_hash_and_every_state(desk: Subject, checker: User) -> None:
    request: Any = submit()
    decide(request, checker)
    rows = request.history.order_by("history_id")
    assert [(row.state, row.content_hash) for row in rows] == [
        ("PENDING", request.content_hash),
        ("APPROVED", request.content_hash),
    ]
