"""Rules by entity and step: what is needed, and in which order it counts."""

import json
import random
from contextlib import suppress
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection

from approvals import errors, selectors, services
from approvals.models import ApprovalRequest, Decision
from approvals.selectors import Need
from core.errors import Invalid
from core.identity.models import User
from core.ids import uuid7
from core.money import Money
from tests.approvals.factories import Subject, add_chain, decide, submit
from tests.conftest import MakeUser

LARGE = Money(Decimal(20_000_000), "USD")


@pytest.fixture
def chained(desk: Subject, manager: User) -> ApprovalRequest:
    """A request that a manager approves first, then two more people."""
    add_chain(manager, action="chained")
    return submit(action="chained")


def test_steps_add_up_and_rules_of_one_step_overlap(desk: Subject, manager: User) -> None:
    rules = (
        services.RuleIn(required_count=1),
        services.RuleIn(required_count=2, rail="FEDWIRE"),
        services.RuleIn(required_count=1, role="treasury_manager", currency="USD"),
        services.RuleIn(required_count=1, step=2),
    )
    for rule in rules:
        services.add_rule(rule=rule, actor=manager)
    with pytest.raises(errors.NobodyEligible):
        submit(maker=manager)
    request_needs = selectors.requirement(
        terms=selectors.Terms(
            action="x", usd=Decimal(5), currency="USD", rail="FEDWIRE", entity=None
        )
    )
    assert request_needs.steps == (
        Need(step=1, count=2, manager_count=1),
        Need(step=2, count=1, manager_count=0),
    )
    assert (request_needs.count, request_needs.manager_count) == (3, 1)


def test_a_rule_of_one_entity_fits_that_entity_only(desk: Subject, manager: User) -> None:
    entity = uuid7()
    services.add_rule(rule=services.RuleIn(required_count=2, entity=entity), actor=manager)
    assert submit(entity=entity).required_count == 2
    assert submit(entity=uuid7()).required_count == 1
    assert submit().required_count == 1


def test_the_rules_that_fitted_are_frozen_on_the_request(desk: Subject, manager: User) -> None:
    request: Any = submit(amount=LARGE)
    frozen = request.policy_snapshot["rules"]
    assert sorted(rule["required_count"] for rule in frozen) == [1, 2]
    assert {rule["amount_above_usd"] for rule in frozen} == {None, "10000000.0000"}
    assert request.policy_snapshot["dual_threshold_usd"] == "10000000"
    assert request.history.get().policy_snapshot == request.policy_snapshot
    services.add_rule(rule=services.RuleIn(required_count=3), actor=manager)
    fresh = ApprovalRequest.objects.get(pk=request.pk)
    assert fresh.policy_snapshot["rules"] == frozen


def test_the_manager_comes_first(
    chained: ApprovalRequest, manager: User, checker: User, checker2: User
) -> None:
    assert chained.needs == [
        {"step": 1, "count": 1, "manager_count": 1},
        {"step": 2, "count": 2, "manager_count": 0},
    ]
    assert selectors.eligibility(checker, chained).code == "not_your_turn"
    with pytest.raises(errors.NotYourTurn):
        decide(chained, checker)
    assert not Decision.objects.exists()
    assert not decide(chained, manager).is_final
    assert not decide(chained, checker).is_final
    assert decide(chained, checker2).is_final


def test_whoever_waits_for_a_manager_may_still_say_no(
    chained: ApprovalRequest, checker: User
) -> None:
    assert decide(chained, checker, "REJECT").request.state == "REJECTED"


def test_one_person_serves_one_step(
    chained: ApprovalRequest, user_with: MakeUser, manager: User, checker: User
) -> None:
    second = user_with("treasury_manager", "treasury_checker", name="second")
    decide(chained, manager)
    result = decide(chained, second)
    found = selectors.progress(result.request)
    assert (found.open_step, found.missing_count, result.is_final) == (2, 1, False)


def test_a_step_outside_the_range_is_refused(desk: Subject, manager: User) -> None:
    for step in (0, 6):
        with pytest.raises(Invalid):
            services.add_rule(rule=services.RuleIn(required_count=1, step=step), actor=manager)


def _open_step(request: ApprovalRequest) -> dict[str, Any] | None:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT approvals_open_step(id, needs)::text FROM approvals_approvalrequest"
            " WHERE id = %s",
            [request.pk],
        )
        found = cursor.fetchone()[0]
    return None if found is None else dict(json.loads(found))


def test_the_desk_and_the_database_count_steps_alike(
    desk: Subject, manager: User, user_with: MakeUser
) -> None:
    rng = random.Random(7)
    roles = ("treasury_checker", "treasury_manager")
    people = [user_with(roles[number % 2], name=f"person{number}") for number in range(12)]
    for chain in range(12):
        for step in range(1, rng.randint(2, 4)):
            for role in roles:
                rule = services.RuleIn(
                    required_count=rng.randint(1, 2), role=role, step=step, action=f"c{chain}"
                )
                services.add_rule(rule=rule, actor=manager)
        request = submit(action=f"c{chain}")
        for person in rng.sample(people, k=12):
            with suppress(errors.NotYourTurn, errors.NotPending):
                request = decide(request, person).request
            ours, theirs = selectors.progress(request), _open_step(request)
            if theirs is None:
                assert ours.is_enough
                assert request.state == "APPROVED"
                continue
            assert request.state == "PENDING"
            assert theirs == {
                "step": ours.open_step,
                "is_last": ours.is_last_step,
                "missing": ours.missing_now_count,
                "missing_managers": ours.missing_now_manager_count,
            }
