"""What the database holds of settlement, against the app role's own SQL; each with its control."""

from typing import Any
from uuid import UUID

import pytest
from django.db import DatabaseError, IntegrityError, transaction

from approvals import selectors as approval_reads
from approvals.models import Decision
from core import clock
from core.identity.models import User
from fx.leg_guards import EDGES
from fx.models import Deal, DealLeg
from fx.services import dealing
from tests.conftest import MakeUser
from tests.fx.settling import D, Settling, book, follow, fresh, leg, payment_of, say
from tests.fx.test_deals_guards import sql
from tests.treasury.movement.conftest import guard_replaced, put_on_the_list
from treasury.models import Proposal
from treasury.selectors.invariants import invariants
from treasury.services import proposals
from treasury.services.proposals import ProposalIn

MACHINE = {
    ("instruct", "EXPECTED", "INSTRUCTED"),
    ("join", "EXPECTED", "NETTED"),
    *(("rejoin", one, "NETTED") for one in ("FAILED", "VOID")),
    ("leave", "NETTED", "EXPECTED"),
    ("wait_again", "SETTLED", "NETTED"),
    ("expect_again", "SETTLED", "EXPECTED"),
    *(("send", one, "SENT") for one in ("INSTRUCTED", "FAILED", "SETTLED")),
    *(("settle", one, "SETTLED") for one in ("EXPECTED", "SENT", "NETTED")),
    *(("fail", one, "FAILED") for one in ("EXPECTED", "NETTED", "INSTRUCTED", "SENT", "SETTLED")),
    *(("void", one, "VOID") for one in ("EXPECTED", "INSTRUCTED", "FAILED")),
}


def test_the_machine_is_exactly_this_in_code_and_in_the_database() -> None:
    declared = {
        (one.name, one.source, one.target)
        for one in DealLeg().get_all_state_transitions()  # type: ignore[attr-defined]
    }
    assert declared == MACHINE
    assert set(EDGES) == {(source, target) for _, source, target in MACHINE}


def test_no_leg_without_a_deal_that_was_dealt(settles: Settling) -> None:
    deal = settles.desk.executed(tenor="CASH")
    other = settles.desk.approved(tenor="CASH")
    with pytest.raises(DatabaseError, match="only what was dealt has legs"):
        copy_leg(deal, deal_id=other.pk)


def copy_leg(deal: Deal, **other: Any) -> None:
    """Insert a leg like the first one of a deal, but for some columns."""
    facts = {
        "id": "gen_random_uuid()", "tenant_id": "tenant_id", "deal_id": "deal_id",
        "leg_no": "leg_no", "version": "2", "direction": "direction", "currency": "currency",
        "amount": "amount", "account_id": "account_id", "instruction_id": "instruction_id",
        "rail": "rail", "value_date": "value_date", "due_at": "due_at", "state": "'EXPECTED'",
        "reason": "''", "created_at": "created_at",
        **{name: f"'{value}'" for name, value in other.items()},
    }  # fmt: skip
    sql(
        f"INSERT INTO fx_dealleg ({', '.join(facts)}) SELECT {', '.join(facts.values())}"
        " FROM fx_dealleg WHERE deal_id = %s AND leg_no = 1 AND version = 1",
        deal.pk,
    )


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"amount": "1000000.01"}, "is not what was dealt"),
        ({"currency": "EUR"}, "is not what was dealt"),
        ({"value_date": "2026-11-19"}, "is not what was dealt"),
        ({"version": "3"}, "counted without gaps"),
        ({"state": "SENT"}, "born as EXPECTED"),
        ({}, "deal_leg_stands_once"),
    ],
)
def test_a_leg_is_what_was_dealt(settles: Settling, other: dict[str, str], words: str) -> None:
    deal = settles.desk.executed(tenor="CASH")
    with pytest.raises((DatabaseError, IntegrityError), match=words):
        copy_leg(deal, **other)


@pytest.mark.parametrize(
    "change",
    [
        "amount = amount + 1", "currency = 'EUR'", "direction = 'RECEIVE'", "version = 2",
        "value_date = value_date + 1", "rail = 'X'", "deal_id = gen_random_uuid()",
        "instruction_id = NULL", "due_at = now()",
    ],
)  # fmt: skip
def test_a_leg_does_not_change(settles: Settling, change: str) -> None:
    deal = settles.desk.executed(tenor="CASH")
    with pytest.raises((DatabaseError, IntegrityError)):
        sql(f"UPDATE fx_dealleg SET {change} WHERE id = %s", leg(deal, 1).pk)


def test_a_leg_is_never_deleted(settles: Settling) -> None:
    deal = settles.desk.executed(tenor="CASH")
    with pytest.raises(DatabaseError):
        sql("DELETE FROM fx_dealleg WHERE id = %s", leg(deal, 1).pk)


SETTLE = "UPDATE fx_dealleg SET state = 'SETTLED', settled_at = now(), entry_id = %s WHERE id = %s"


def test_only_the_very_entry_settles_a_leg(settles: Settling) -> None:
    deal = settles.confirmed()
    wrong = book(leg(deal, 2), "84999999.99", value_date=deal.value_date)
    for entry in (wrong.pk, None):
        with pytest.raises((DatabaseError, IntegrityError)):
            sql(SETTLE, entry, leg(deal, 2).pk)
    elsewhere = book(leg(deal, 1), "85000000.00")
    with pytest.raises(DatabaseError, match="no entry of its bank settles"):
        sql(SETTLE, elsewhere.pk, leg(deal, 2).pk)
    right = book(leg(deal, 2))
    sql(SETTLE, right.pk, leg(deal, 2).pk)
    assert leg(deal, 2).state == "SETTLED"


def test_what_we_pay_is_not_settled_by_an_entry_alone(settles: Settling) -> None:
    deal = settles.instructed()
    entry = book(leg(deal, 1))
    with pytest.raises(DatabaseError):
        sql(SETTLE, entry.pk, leg(deal, 1).pk)


def test_a_deal_is_settled_with_both_legs_only(settles: Settling) -> None:
    deal = settles.sent()
    book(leg(deal, 1))
    follow(deal)
    with pytest.raises(DatabaseError, match="a leg that no entry settles"):
        sql("UPDATE fx_deal SET state = 'SETTLED' WHERE id = %s", deal.pk)
    book(leg(deal, 2))
    assert follow(deal).state == "SETTLED"


def test_a_payment_for_a_deal_is_that_of_its_leg(settles: Settling, user_with: MakeUser) -> None:
    """The control: the very same proposal under a leg passes, see the walk to settled."""
    deal = settles.confirmed()
    assert deal.instruction is not None
    made = proposals.create_proposal(
        draft=ProposalIn(
            debit_account=deal.pay_account_id,
            amount=D(1_000_000),
            beneficiary=deal.instruction.beneficiary_id,
            purpose="FX_SETTLEMENT",
            why="No leg",
        ),
        maker=None,
    )
    with pytest.raises(IntegrityError, match="is not what a confirmed deal pays"):
        proposals.submit_proposal(proposal_id=made.pk, actor=None)
    somebody = put_on_the_list(settles.desk.tenant, user_with("static_data", name="k"))
    for change in (
        {"amount": D("1000000.01")}, {"amount": D(999_999)}, {"beneficiary": somebody},
        {"credit_account": settles.desk.accounts["USD"], "beneficiary": None},
    ):  # fmt: skip
        with pytest.raises((IntegrityError, DatabaseError)):
            _instruct_with(leg(deal, 1), {**facts_of(made), **change})


def _instruct_with(one: DealLeg, facts: dict[str, Any]) -> None:
    """Link another proposal to a leg, by SQL."""
    with transaction.atomic():
        other = Proposal.objects.create(reference=f"X{clock.now().timestamp()}", **facts)
        sql(
            "UPDATE fx_dealleg SET state = 'INSTRUCTED', proposal_id = %s WHERE id = %s",
            other.pk,
            one.pk,
        )


def facts_of(made: Proposal) -> dict[str, Any]:
    names = (
        "purpose", "debit_account", "beneficiary", "amount", "currency", "rail", "value_date",
        "cutoff_at", "maker_label", "why", "created_at",
    )  # fmt: skip
    return {name: getattr(made, name) for name in names}


def test_the_payment_of_an_unconfirmed_or_failed_deal_does_not_move(settles: Settling) -> None:
    deal = settles.desk.executed(tenor="CASH")
    with pytest.raises(DatabaseError, match="is paid once it is confirmed"):
        sql(
            "UPDATE fx_dealleg SET state = 'INSTRUCTED', proposal_id = gen_random_uuid()"
            " WHERE id = %s",
            leg(deal, 1).pk,
        )


def test_what_may_have_left_is_neither_void_nor_failed_by_sql(settles: Settling) -> None:
    deal = settles.sent()
    for state in ("FAILED", "VOID"):
        with pytest.raises(DatabaseError):
            sql(
                f"UPDATE fx_dealleg SET state = '{state}', reason = 'x' WHERE id = %s",
                leg(deal, 1).pk,
            )


def test_who_dealt_or_confirmed_approves_nothing_by_sql(settles: Settling) -> None:
    """Not even where the request forgot who was involved."""
    deal = settles.instructed()
    request = approval_reads.request_of(
        subject_type="treasury.proposal", subject_id=payment_of(deal).pk
    )
    assert request is not None
    with guard_replaced("approvals_decision", "guard_insert"):
        for person in (settles.desk.dealer, settles.desk.back_office):
            with pytest.raises(DatabaseError, match="does not check what the deal pays"):
                decide_by_sql(request.pk, person)
        decide_by_sql(request.pk, settles.desk.checker)


def decide_by_sql(request: UUID, person: User) -> None:
    """Approve in a person's name, with nothing but the guard of settlement in the way."""
    with transaction.atomic():
        Decision.objects.create(
            request_id=request,
            checker=person,
            checker_person=person.person_number,
            outcome="APPROVE",
            content_hash="0" * 64,
            auth_method="totp",
            as_role="treasury_checker",
            position=1,
            decided_at=clock.now(),
            recorded_at=clock.now(),
        )


def test_the_books_agree_and_say_so_when_they_do_not(settles: Settling) -> None:
    deal = settles.sent()
    say(deal, "ACSC")
    book(leg(deal, 1))
    follow(deal)
    ours = {"leg_is_not_its_flow", "payment_without_its_leg", "leg_without_its_entry"}
    assert not ours & {one.code for one in invariants()}
    sql(
        "UPDATE treasury_expectedflow SET state = 'CANCELLED' WHERE source_ref = %s",
        leg(deal, 2).reference,
    )
    assert "leg_is_not_its_flow" in {one.code for one in invariants()}


def test_a_failed_deal_expects_nothing(settles: Settling) -> None:
    deal = settles.instructed()
    dealing.fail_deal(deal_id=deal.pk, reason="Bust.", actor=settles.desk.back_office)
    assert fresh(deal).state == "FAILED"
    assert not {"leg_is_not_its_flow"} & {one.code for one in invariants()}
