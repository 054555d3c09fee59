"""What is late, or cannot be paid as agreed, is asked of people: whom to call, since when, and why.

Late is what a counterparty owes and no bank has booked by its time, what we owe by a payment that
its bank does not have by then, and what we owe by a deal that its counterparty never confirmed.
"""

from datetime import datetime
from typing import Final

from django.db import transaction
from django.db.models import Q

from core.money import Money
from fx.models import (
    Deal,
    DealLeg,
    DealState,
    LegDirection,
    LegState,
    NetDirection,
    NetState,
    SettlementNet,
)
from fx.selectors import deals as reads
from fx.selectors import settlement
from fx.services.legs import LATE, PAYEE_GONE, payee_currency
from treasury.services import tasks

MISSING: Final = "fx_receipt_missing"
UNCONFIRMED: Final = "fx_deal_unconfirmed"
BATCH_MAX: Final = 500
_DEALT: Final = (DealState.EXECUTED, DealState.CONFIRMED)
# What stands in the way of a payment that its bank does not have, and what to do about it.
_IN_THE_WAY: Final = {
    "DRAFT": "It was never submitted: instruct the deal anew.",
    "PENDING": "Its checkers have not decided: ask them.",
    "APPROVED": "It is approved and was not released: see what its page says holds it back.",
    "EXECUTING": "{bank} has not said that it has it: ask {bank} for {name} before anything else"
    " is paid.",
}


@transaction.atomic
def chase_overdue(*, now: datetime) -> list[str]:
    """Ask people to chase what is late, or has no payee; return the names of legs and nets."""
    return [*_owed_to_us(now), *_not_with_its_bank(now), *_unconfirmed(now), *_without_payee()]


def _owed_to_us(now: datetime) -> list[str]:
    late: list[str] = []
    owed = settlement.legs().filter(
        direction=LegDirection.RECEIVE, state=LegState.EXPECTED, due_at__lte=now
    )
    for leg in owed[:BATCH_MAX]:
        late.append(leg.reference)
        _chase(leg.reference, leg, leg.deal.counterparty.name, leg.deal.counterparty_reference)
    nets = settlement.nets().filter(
        direction=NetDirection.RECEIVE, state=NetState.EXPECTED, due_at__lte=now
    )
    for net in nets[:BATCH_MAX]:
        late.append(net.reference)
        _chase(net.reference, net, net.counterparty.name, net.agreement.reference)
    return late


def _chase(name: str, owed: DealLeg | SettlementNet, party: str, reference: str) -> None:
    amount = Money(owed.amount, owed.currency)
    tasks.open_task(
        task=tasks.TaskIn(
            kind=MISSING,
            key=name,
            title=f"{party} owes {amount}",
            detail=f"{name} was due on {owed.value_date} on {owed.account.label} and no bank has"
            f" booked it. Chase {party}; its reference is {reference}.",
        )
    )


def _not_with_its_bank(now: datetime) -> list[str]:
    """Ask about payments that were proposed and that no bank has by their cut-off."""
    late: list[DealLeg | SettlementNet] = [
        *settlement.legs().filter(state=LegState.INSTRUCTED, due_at__lte=now)[:BATCH_MAX],
        *settlement.nets()
        .select_related("account__bank")
        .filter(state=NetState.INSTRUCTED, due_at__lte=now)[:BATCH_MAX],
    ]
    for owed in late:
        party = owed.deal.counterparty if isinstance(owed, DealLeg) else owed.counterparty
        bank = owed.account.bank.name
        state = owed.proposal.state if owed.proposal else ""
        words = _IN_THE_WAY.get(state, "Its payment has moved, and nothing followed it.")
        tasks.open_task(
            task=tasks.TaskIn(
                kind=LATE,
                key=owed.reference,
                title=f"{owed.reference}: {bank} does not have our payment",
                detail=f"{Money(owed.amount, owed.currency)} to {party.name} were due at"
                f" {bank} by {owed.due_at:%Y-%m-%d %H:%M} UTC."
                f" {words.format(bank=bank, name=owed.reference)}",
            )
        )
    return [one.reference for one in late]


def _unconfirmed(now: datetime) -> list[str]:
    late = settlement.legs().filter(
        direction=LegDirection.PAY,
        state=LegState.EXPECTED,
        deal__state=DealState.EXECUTED,
        due_at__lte=now,
    )
    found = list(late[:BATCH_MAX])
    for leg in found:
        tasks.open_task(
            task=tasks.TaskIn(
                kind=UNCONFIRMED,
                key=leg.reference,
                title=f"{leg.deal.reference} was never confirmed, and its day is over",
                detail=f"We owe {Money(leg.amount, leg.currency)} to {leg.deal.counterparty.name}:"
                " enter its confirmation, or record that the deal failed.",
            )
        )
    return [one.reference for one in found]


def _without_payee() -> list[str]:
    """Ask about what we are to pay to an account that is not the counterparty's any more."""
    gone = settlement.legs().filter(
        Q(instruction__is_active=False)
        | Q(instruction__beneficiary__state="BLOCKED")
        | Q(instruction__beneficiary__is_verified=False),
        direction=LegDirection.PAY,
        state__in=(LegState.EXPECTED, LegState.INSTRUCTED),
        deal__state__in=_DEALT,
    )
    found = list(gone[:BATCH_MAX])
    for leg in found:
        _ask_for_account(leg)
    return [one.reference for one in found]


def _ask_for_account(leg: DealLeg) -> None:
    party, payee = leg.deal.counterparty, leg.instruction
    newest = reads.instruction_for(party, leg.currency)
    todo = (
        f"Its settlement instructions name …{newest.beneficiary.number_hint} now: replace the legs."
        if newest is not None and payee is not None and newest.pk != payee.pk
        else "Ask for another account, enter it, and replace the legs."
    )
    hint = payee.beneficiary.number_hint if payee is not None else ""
    tasks.open_task(
        task=tasks.TaskIn(
            kind=PAYEE_GONE,
            key=leg.reference,
            title=f"{party.name} is not to be paid {leg.currency} at …{hint} any more",
            detail=f"{leg.reference} pays {Money(leg.amount, leg.currency)} on {leg.value_date}"
            f" there. {todo}",
        )
    )


def ask_for_payee(deal: Deal) -> None:
    """Ask where the counterparty of a deal that is taken up again is paid."""
    party, currency = deal.counterparty.name, payee_currency(deal)
    tasks.open_task(
        task=tasks.TaskIn(
            kind=PAYEE_GONE,
            key=deal.reference,
            title=f"Nobody wrote down where {party} receives {currency}",
            detail=f"{deal.reference} was paid after all and could go on. Enter the account with"
            " the settlement instructions, then instruct the deal anew.",
        )
    )
