"""Any order and any repetition of a bank's answers ends in the same state, on every screen."""

import os
from collections.abc import Sequence
from decimal import Decimal
from typing import Any
from uuid import uuid4

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from core import clock
from core.identity.models import User
from core.tenancy import Tenant
from tests.scenes import scene
from tests.treasury.movement.conftest import House, approve, propose
from tests.treasury.movement.test_transfers import _heard
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    ExpectedFlow,
    FlowState,
    Proposal,
    Statement,
    StatementSource,
    Task,
    Transfer,
)
from treasury.selectors import positions
from treasury.services import answers, flows, transfers

STATUSES = ("RCVD", "ACTC", "PDNG", "ACSP", "ACSC", "ACCC", "RJCT", "CANC", "XXXX")
ENTRIES = ("debit", "credit", "back", "odd")
EXAMPLES = int(os.environ.get("TMS_ANSWER_ORDERS", "12"))


def entry(account: BankAccount, proposal: Proposal, amount: Decimal, **more: str) -> BankEntry:
    return BankEntry(
        account=account,
        identity=uuid4().hex,
        identity_rule="test",
        amount=amount,
        booking_date=proposal.value_date,
        value_date=proposal.value_date,
        status=BookingStatus.BOOK,
        best_source=StatementSource.CAMT053,
        end_to_end_id=proposal.reference,
        statement=Statement.objects.filter(account=account)[0],
        first_seen_at=clock.now(),
        announced_at=clock.now(),
        **more,
    )


@scene
def sent(house: House, tenant: Tenant, maker: User, checker: User) -> Proposal:
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    assert transfers.execute(proposal_id=proposal.pk)
    transfers.mark_sent(reference=proposal.reference, bank_reference="BANK-1")
    return Proposal.objects.get(pk=proposal.pk)


@scene
def booked(house: House, sent: Proposal) -> dict[str, BankEntry]:
    return {
        "debit": entry(house.near, sent, -sent.amount),
        "credit": entry(house.home, sent, sent.amount),
        "back": entry(house.near, sent, sent.amount, return_reason="AC04"),
        "odd": entry(house.near, sent, -sent.amount - 1),
    }


def tell(proposal: Proposal, booked: dict[str, BankEntry], answer: str) -> None:
    if answer in booked:
        BankEntry.objects.bulk_create([booked[answer]], ignore_conflicts=True)
        answers.apply_entries(entries=[booked[answer]])
        flows.match_entries(entries=[booked[answer]])
    else:
        _heard(proposal, answer, reason_code="AC04" if answer == "RJCT" else "")


def state(proposal: Proposal) -> dict[str, Any]:
    """Return what people see, without instants and wordings."""
    held = Transfer.objects.get(proposal=proposal)
    return {
        "proposal": Proposal.objects.get(pk=proposal.pk).state,
        "bank": (held.bank_status, held.bank_status_rank, held.reason_code),
        "entries": (held.debit_entry_id, held.credit_entry_id, held.return_entry_id),
        "disputed": held.disputed_since is not None,
        "still expected": sorted(
            ExpectedFlow.objects.filter(
                source_ref=proposal.reference, state=FlowState.EXPECTED
            ).values_list("account__label", "amount")
        ),
        "tasks": sorted(Task.objects.open().values_list("kind", "key")),
        "available": [
            positions.available(account_id=account, on=proposal.value_date, now=clock.now()).amount
            for account in (proposal.debit_account_id, proposal.credit_account_id)
            if account
        ],
    }


def after(proposal: Proposal, booked: dict[str, BankEntry], told: Sequence[str]) -> dict[str, Any]:
    """Return the state after the answers, and undo them."""
    point = transaction.savepoint()
    try:
        for answer in told:
            tell(proposal, booked, answer)
        return state(proposal)
    finally:
        transaction.savepoint_rollback(point)


def test_any_order_and_repetition_ends_the_same(
    sent: Proposal, booked: dict[str, BankEntry]
) -> None:
    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    @given(st.data())
    def check(data: st.DataObject) -> None:
        chosen = data.draw(
            st.lists(st.sampled_from(STATUSES + ENTRIES), min_size=2, max_size=6, unique=True)
        )
        again = data.draw(st.lists(st.sampled_from(chosen), max_size=3))
        told = data.draw(st.permutations(chosen + again))
        assert after(sent, booked, told) == after(sent, booked, sorted(chosen)), told

    check()


@pytest.mark.parametrize(
    "told",
    [
        ["debit", "back"],
        ["back", "debit"],
        ["back", "RCVD", "debit", "back"],
        ["RJCT", "odd", "ACSC"],
        ["odd", "RJCT", "ACSC"],
        ["ACSC", "RJCT", "odd", "RJCT"],
        ["RJCT", "CANC", "debit", "credit"],
    ],
)
def test_orders_that_once_ended_differently(
    sent: Proposal, booked: dict[str, BankEntry], told: list[str]
) -> None:
    assert after(sent, booked, told) == after(sent, booked, sorted(set(told)))


def test_the_answers_do_something(sent: Proposal, booked: dict[str, BankEntry]) -> None:
    """Negative control: different sets end differently."""
    ends = {
        after(sent, booked, told)["proposal"]
        for told in (["ACTC"], ["RJCT"], ["debit"], ["debit", "credit"], ["debit", "back"])
    }
    assert ends == {"SENT", "FAILED", "CONFIRMED", "SETTLED", "RETURNED"}
