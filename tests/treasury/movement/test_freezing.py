"""One person stops everything that would leave; two other people release it."""

from collections.abc import Callable

import pytest
from django.db import DatabaseError
from django_fsm import TransitionNotAllowed

from approvals import selectors as approval_reads
from approvals import services as approvals
from approvals.errors import NobodyEligible, SelfApprovalRefused
from core import clock
from core.errors import Forbidden, Invalid
from core.events.models import OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant, bound
from integrations import selectors as archive
from integrations.registry import sending_is_stopped
from tests.approvals.stepping import shown
from tests.conftest import MakeUser
from tests.treasury.movement.conftest import House, approve, guard_replaced, propose, sql
from tests.treasury.movement.test_guards import NEW_TRANSFER
from tests.treasury.movement.test_sealing import FORGED, GIVE_UP, body
from treasury.errors import NotFrozen, OutflowsFrozen
from treasury.models import Freeze, FreezeState, Proposal, ProposalState, Transfer
from treasury.services import freezing, transfers

_S = ProposalState


def _fresh(proposal: Proposal) -> Proposal:
    return Proposal.objects.get(pk=proposal.pk)


def _stop(tenant: Tenant, person: User) -> Freeze:
    with bound(tenant.id, actor=person.pk):
        return freezing.stop_outflows(actor=person, reason="A strange payment")


def _ask(tenant: Tenant, held: Freeze, person: User) -> Freeze:
    with bound(tenant.id, actor=person.pk):
        return freezing.ask_release(freeze_id=held.pk, actor=person, reason="It was a drill")


def _decide(tenant: Tenant, held: Freeze, person: User, outcome: str = "APPROVE") -> None:
    with bound(tenant.id, actor=person.pk):
        request = approval_reads.request_of(subject_type="treasury.freeze", subject_id=held.pk)
        assert request is not None
        approvals.decide(
            request_id=request.pk,
            checker=person,
            outcome=outcome,
            content_hash=request.content_hash,
            version=request.subject_version,
            reason="" if outcome == "APPROVE" else "not yet",
            evidence=shown(person, request.content_hash),
        )


def _state() -> str:
    return str(Freeze.objects.get().state)


@pytest.mark.parametrize(
    "role", ["treasury_maker", "treasury_checker", "treasury_manager", "risk_officer"]
)
def test_any_of_the_desk_stops_everything(
    house: House, tenant: Tenant, user_with: MakeUser, role: str
) -> None:
    person = user_with(role, name="stopper")
    held = _stop(tenant, person)
    assert (held.state, held.frozen_by) == (FreezeState.FROZEN, person)
    topics = set(OutboxEvent.objects.values_list("topic", flat=True))
    assert {"ops.outflows.stopped", "risk.alert"} <= topics
    assert sending_is_stopped()


def test_others_and_machines_do_not(
    house: House, tenant: Tenant, maker: User, user_with: MakeUser
) -> None:
    machine = user_with("treasury_maker", name="machine", is_service=True)
    for person in (user_with("auditor", name="auditor"), machine):
        with pytest.raises(Forbidden):
            _stop(tenant, person)
    with pytest.raises(Invalid, match="why"), bound(tenant.id, actor=maker.pk):
        freezing.stop_outflows(actor=maker, reason=" ")
    assert not Freeze.objects.exists()


def test_stopping_twice_is_stopping_once(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    assert _stop(tenant, maker) == _stop(tenant, checker)


def test_while_stopped_people_propose_and_approve_but_nothing_leaves(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    earlier = propose(house, maker, "1000.00")
    approve(tenant, earlier, checker)
    _stop(tenant, maker)
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    for one in (earlier, proposal):
        assert transfers.execute(proposal_id=one.pk) is False
        assert _fresh(one).state == _S.APPROVED
    assert not Transfer.objects.filter(proposal=proposal).exists()
    assert not archive.messages().outbound().exists()


def test_afterwards_what_was_approved_leaves(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    held = _stop(tenant, maker)
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    _ask(tenant, held, checker)
    _decide(tenant, held, checker2)
    assert _state() == FreezeState.RELEASED
    assert not sending_is_stopped()
    assert transfers.execute(proposal_id=proposal.pk) is True
    assert "ops.outflows.released" in OutboxEvent.objects.values_list("topic", flat=True)


def test_a_failed_payment_is_not_tried_again_meanwhile(
    house: House, tenant: Tenant, maker: User, checker: User
) -> None:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    transfers.execute(proposal_id=proposal.pk)
    transfers.mark_failed(reference=proposal.reference, reason="The bank said no.")
    _stop(tenant, checker)
    with pytest.raises(OutflowsFrozen):
        transfers.retry_transfer(transfer_id=Transfer.objects.get().pk, actor=maker)


def test_who_stopped_it_does_not_release_it(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    held = _stop(tenant, checker)
    _ask(tenant, held, maker)
    with pytest.raises(SelfApprovalRefused):
        _decide(tenant, held, checker)
    _decide(tenant, held, checker2)
    assert _state() == FreezeState.RELEASED


def test_who_stopped_it_may_ask_but_two_others_approve(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    held = _stop(tenant, maker)
    _ask(tenant, held, maker)
    _decide(tenant, held, checker)
    assert _state() == FreezeState.RELEASING
    _decide(tenant, held, checker2)
    assert _state() == FreezeState.RELEASED


def test_a_second_login_is_the_same_person(
    house: House, tenant: Tenant, checker: User, checker2: User, user_with: MakeUser
) -> None:
    held = _stop(tenant, checker)
    twin = user_with("treasury_checker", name="twin", person_number=checker.person_number)
    with pytest.raises(NobodyEligible):
        _ask(tenant, held, twin)
    assert _state() == FreezeState.FROZEN


def test_a_refused_release_leaves_it_standing_and_can_be_asked_again(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    held = _stop(tenant, maker)
    _ask(tenant, held, checker)
    with pytest.raises(NotFrozen):
        _ask(tenant, held, checker2)
    _decide(tenant, held, checker2, "REJECT")
    assert _state() == FreezeState.FROZEN
    assert sending_is_stopped()
    assert _ask(tenant, held, checker).version == 2


# From below


OWN_HAND = (
    "INSERT INTO treasury_freeze SELECT (jsonb_populate_record(f, {new})).* FROM treasury_freeze f"
)
RELEASE = "UPDATE treasury_freeze SET state = 'RELEASED', released_at = now()"


@pytest.mark.parametrize(
    "attack",
    [
        RELEASE,
        "UPDATE treasury_freeze SET state = 'RELEASING'; " + RELEASE,
        "UPDATE treasury_freeze SET reason = 'nothing'",
        "UPDATE treasury_freeze SET frozen_by_id = %(other)s",
        "DELETE FROM treasury_freeze",
        "TRUNCATE treasury_freeze CASCADE",
        "ALTER TABLE treasury_freeze DISABLE TRIGGER guard",
        "DROP TRIGGER frozen ON treasury_transfer",
        OWN_HAND.format(new="jsonb_build_object('id', gen_random_uuid(), 'state', 'RELEASED')"),
    ],
)
def test_a_freeze_withstands(
    house: House, tenant: Tenant, maker: User, checker: User, attack: str
) -> None:
    _stop(tenant, maker)
    with pytest.raises(DatabaseError):
        sql(attack, other=checker.pk)
    assert _state() == FreezeState.FROZEN


def test_with_one_approver_only_the_database_refuses_the_release(
    house: House, tenant: Tenant, maker: User, checker: User, checker2: User
) -> None:
    held = _stop(tenant, maker)
    _ask(tenant, held, maker)
    _decide(tenant, held, checker)
    with pytest.raises(DatabaseError, match="two other people"):
        sql(RELEASE)
    with guard_replaced("treasury_freeze", "guard"):
        assert sql(RELEASE) == 1


def _approved(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    return _fresh(proposal)


def _insert_transfer(house: House, tenant: Tenant, maker: User, checker: User) -> str:
    _stop(tenant, maker)
    proposal = _approved(house, tenant, maker, checker)
    return _filled(NEW_TRANSFER, tenant=tenant.id, proposal=proposal.pk, reference="X")


def _start(house: House, tenant: Tenant, maker: User, checker: User) -> str:
    proposal = _approved(house, tenant, maker, checker)
    _stop(tenant, maker)
    return f"UPDATE treasury_proposal SET state = 'EXECUTING' WHERE id = '{proposal.pk}'"


def _queue(house: House, tenant: Tenant, maker: User, checker: User) -> str:
    proposal = _approved(house, tenant, maker, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    sql(GIVE_UP, reference=proposal.reference)
    _stop(tenant, maker)
    first, second = (f"{proposal.reference}-{attempt}" for attempt in (1, 2))
    again = FORGED.format(body=body((f">{first}<", f">{second}<")))
    return _filled(again, reference=proposal.reference, message=second)


def _send(house: House, tenant: Tenant, maker: User, checker: User) -> str:
    proposal = _approved(house, tenant, maker, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    _stop(tenant, maker)
    lease = "locked_until = now(), fence = fence + 1, attempts = attempts + 1"
    return f"UPDATE integrations_message SET state = 'SENDING', {lease} WHERE direction = 'OUT'"


def _filled(statement: str, **values: object) -> str:
    for name, value in values.items():
        statement = statement.replace(f"%({name})s", f"'{value}'")
    return statement


@pytest.mark.parametrize(
    ("prepare", "guard"),
    [
        (_insert_transfer, ("treasury_transfer", "frozen")),
        (_start, ("treasury_proposal", "frozen")),
        (_queue, ("integrations_message", "frozen")),
        (_send, ("integrations_message", "frozen_sending")),
    ],
)
def test_nothing_leaves_around_the_stop(
    house: House,
    tenant: Tenant,
    maker: User,
    checker: User,
    prepare: Callable[[House, Tenant, User, User], str],
    guard: tuple[str, str],
) -> None:
    attack = prepare(house, tenant, maker, checker)
    with pytest.raises(DatabaseError, match="all outflows are stopped"):
        sql(attack)
    with guard_replaced(*guard):
        assert sql(attack) == 1


def test_the_machine_in_python_is_the_machine_in_the_database(
    house: House, tenant: Tenant, maker: User
) -> None:
    declared = {
        (transition.source, transition.target)
        for transition in Freeze().get_all_state_transitions()  # type: ignore[attr-defined]
    }
    assert declared == {
        ("FROZEN", "RELEASING"),
        ("RELEASING", "FROZEN"),
        ("RELEASING", "RELEASED"),
    }
    held = _stop(tenant, maker)
    with pytest.raises(TransitionNotAllowed):
        held.release(at=clock.now())
