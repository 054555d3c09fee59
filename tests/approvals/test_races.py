"""Several checkers at the same instant: one outcome, one event, whoever wins.

The negative control proves that the race exists: without the row lock and the database's guards
one request is approved and announced several times.
"""

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from typing import Any
from uuid import UUID

import psycopg
import pytest
from django.db import DatabaseError, connection

from approvals import guards, services
from approvals.models import ApprovalRequest, Decision
from approvals.services import deciding
from core.errors import DomainError
from core.identity.models import User
from core.money import Money
from core.tenancy import bound
from tests.approvals.factories import decide, payloads, registered_subject, submission, submit
from tests.conftest import make_user

RACES = int(os.environ.get("TMS_APPROVAL_RACES", "20"))
CHECKERS = 4
CROWD = 20
LARGE = Money(Decimal(20_000_000), "USD")


class Field:
    """Threads with a connection each, started together."""

    def __init__(self, tenant: UUID, checkers: list[User]) -> None:
        self.tenant, self.checkers = tenant, checkers
        self.pool = ThreadPoolExecutor(max_workers=len(checkers))

    def race(self, run: Callable[[User], str]) -> list[str]:
        """Let every checker run at the same instant; return what became of each."""
        start = threading.Barrier(len(self.checkers))

        def one(checker: User) -> str:
            start.wait(timeout=20)
            try:
                return run(checker)
            except DomainError as refusal:
                return refusal.code
            except DatabaseError as refusal:
                return type(refusal).__name__

        return list(self.pool.map(one, self.checkers, timeout=60))

    def close(self) -> None:
        """Close each thread's connection, then the threads."""
        together = threading.Barrier(len(self.checkers))

        def leave(_checker: User) -> None:
            connection.close()
            together.wait(timeout=20)

        list(self.pool.map(leave, self.checkers))
        self.pool.shutdown()


@pytest.fixture
def course(committed_tenant: UUID) -> Iterator[Field]:
    with registered_subject():
        with bound(committed_tenant, actor="system:test"):
            services.install_default_rules()
            checkers = [
                make_user(f"checker{number}", "treasury_checker") for number in range(CHECKERS)
            ]
        field = Field(committed_tenant, checkers)
        yield field
        field.close()


def _submitted(field: Field, **changes: Any) -> ApprovalRequest:
    with bound(field.tenant, actor="system:test"):
        return submit(**changes)


def _approve(request: ApprovalRequest) -> Callable[[User], str]:
    def run(checker: User) -> str:
        result = decide(request, checker)
        return "final" if result.is_final else "counted"

    return run


def _standing(field: Field, request: ApprovalRequest) -> tuple[str, int, int]:
    """Return state, decisions, and how many final events the request has."""
    with bound(field.tenant):
        state = ApprovalRequest.objects.get(pk=request.pk).state
        decisions = Decision.objects.filter(request=request).count()
        announced = [
            found
            for word in ("approved", "rejected")
            for found in payloads(word)
            if found["request_id"] == str(request.pk)
        ]
    return state, decisions, len(announced)


def test_one_approval_is_counted_once(course: Field) -> None:
    for _ in range(RACES):
        request = _submitted(course)
        found = course.race(_approve(request))
        assert sorted(found) == ["final", *["not_pending"] * 3]
        assert _standing(course, request) == ("APPROVED", 1, 1)


def test_two_approvals_are_counted_once_each(course: Field) -> None:
    for _ in range(RACES):
        request = _submitted(course, amount=LARGE)
        found = course.race(_approve(request))
        assert sorted(found) == ["counted", "final", "not_pending", "not_pending"]
        assert _standing(course, request) == ("APPROVED", 2, 1)


def test_the_first_of_approve_and_reject_decides(course: Field) -> None:
    for _ in range(RACES):
        request = _submitted(course)

        def run(checker: User, request: ApprovalRequest = request) -> str:
            number = course.checkers.index(checker)
            outcome = "REJECT" if number % 2 else "APPROVE"
            return str(decide(request, checker, outcome).request.state)

        found = course.race(run)
        state, decisions, announced = _standing(course, request)
        assert sorted(found) == sorted([state, *["not_pending"] * 3])
        assert (decisions, announced) == (1, 1)


def test_one_person_clicking_four_times_counts_once(course: Field) -> None:
    for _ in range(RACES):
        request = _submitted(course, amount=LARGE)
        first = course.checkers[0]

        def run(_checker: User, request: ApprovalRequest = request, who: User = first) -> str:
            return str(decide(request, who).counted)

        assert sorted(course.race(run)) == ["False", "False", "False", "True"]
        assert _standing(course, request) == ("PENDING", 1, 0)


def test_an_amendment_and_an_approval_never_both_hold(course: Field) -> None:
    for _ in range(RACES):
        request = _submitted(course)
        amended = submission(
            subject_id=request.subject_id, subject_version=2, content={"amount": "1"}
        )

        def run(
            checker: User,
            request: ApprovalRequest = request,
            amended: services.Submission = amended,
        ) -> str:
            if checker is course.checkers[0]:
                with bound(course.tenant, actor="system:test"):
                    services.submit(submission=amended)
                return "amended"
            return str(decide(request, checker).is_final)

        found = course.race(run)
        assert "amended" in found
        assert _standing(course, request)[0] == "VOIDED"
        with bound(course.tenant):
            live = ApprovalRequest.objects.of_subject("test.thing", request.subject_id)
            assert [row.subject_version for row in live.pending()] == [2]


@pytest.fixture
def crowd(committed_tenant: UUID) -> Iterator[Field]:
    """Twenty checkers at their desks."""
    with registered_subject():
        with bound(committed_tenant, actor="system:test"):
            services.install_default_rules()
            checkers = [
                make_user(f"checker{number}", "treasury_checker") for number in range(CROWD)
            ]
        field = Field(committed_tenant, checkers)
        yield field
        field.close()


def test_of_twenty_at_once_two_are_counted_and_it_executes_once(crowd: Field) -> None:
    for _ in range(RACES):
        request = _submitted(crowd, amount=LARGE)
        found = crowd.race(_approve(request))
        assert sorted(found) == ["counted", "final", *["not_pending"] * (CROWD - 2)]
        assert _standing(crowd, request) == ("APPROVED", 2, 1)


def test_approve_reject_changes_and_withdrawal_have_one_winner(course: Field) -> None:
    with bound(course.tenant, actor="system:test"):
        maker = make_user("racing-maker", "treasury_maker")
    endings = {"APPROVE": "APPROVED", "REJECT": "REJECTED", "CHANGES": "RETURNED"}
    for _ in range(RACES):
        request = _submitted(course, maker=maker)

        def run(checker: User, request: ApprovalRequest = request) -> str:
            number = course.checkers.index(checker)
            if number == len(endings):
                with bound(course.tenant, actor=maker.pk):
                    return str(services.withdraw(request_id=request.pk, actor=maker).state)
            outcome = tuple(endings)[number]
            return str(decide(request, checker, outcome).request.state)

        found = course.race(run)
        state, decisions, _ = _standing(course, request)
        assert sorted(found) == sorted([state, *["not_pending"] * (CHECKERS - 1)])
        assert state in {*endings.values(), "CANCELLED"}
        assert decisions == (0 if state == "CANCELLED" else 1)


@pytest.fixture
def without_the_lock(monkeypatch: pytest.MonkeyPatch) -> None:
    """Read the request without locking it, and go on only when everybody has read."""
    everybody_read = threading.Barrier(CHECKERS)

    def read_only(request_id: UUID) -> ApprovalRequest:
        request = ApprovalRequest.objects.get(pk=request_id)
        everybody_read.wait(timeout=20)
        return request

    monkeypatch.setattr(deciding, "lock_request", read_only)


@pytest.fixture
def without_the_guards(owner_connection: psycopg.Connection[Any]) -> Iterator[None]:
    """Take away what makes decisions queue up in the database, and nothing else."""
    careless = guards.DECISION_INSERT.replace(" FOR UPDATE;", ";").replace(
        "NOT FOUND OR parent.state <> 'PENDING'", "NOT FOUND"
    )
    switch = "ALTER TABLE approvals_approvalrequest {} TRIGGER guard_update"
    owner_connection.execute(careless.encode())
    owner_connection.execute(switch.format("DISABLE").encode())
    yield
    owner_connection.execute(guards.DECISION_INSERT.encode())
    owner_connection.execute(switch.format("ENABLE").encode())


def test_negative_control_without_lock_and_guards_one_request_is_approved_several_times(
    course: Field, without_the_lock: None, without_the_guards: None
) -> None:
    request = _submitted(course)
    found = course.race(_approve(request))
    state, decisions, announced = _standing(course, request)
    assert state == "APPROVED"
    assert found.count("final") > 1
    assert decisions > 1
    assert announced > 1


def test_without_the_lock_the_guards_of_the_database_still_allow_one_approval(
    course: Field, without_the_lock: None
) -> None:
    request = _submitted(course)
    found = course.race(_approve(request))
    assert sorted(found) == [*["IntegrityError"] * (CHECKERS - 1), "final"]
    assert _standing(course, request) == ("APPROVED", 1, 1)
