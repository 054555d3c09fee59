"""Turn an approved transfer into the payment order that its bank receives."""

from typing import Final

from core import clock
from core.crypto import blind_index
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, RegulatoryReport
from integrations.codecs.orders import Prepared, prepare, write_order
from integrations.dialects.writing import RailTerms, Writing
from integrations.selectors import writing_for
from treasury.engine.numbers import comparable
from treasury.errors import NumberMismatch, OrderChanged
from treasury.models import BankAccount, Beneficiary, Proposal, Purpose, SweepLine, Transfer
from treasury.selectors.payees import address_of, agent_of
from treasury.selectors.sealing import order_seal
from treasury.selectors.sweep_lines import order_ends

# Replaced at sending; shown so that the rest of the message can be checked before.
UETR_TO_COME: Final = "00000000-0000-4000-8000-000000000000"


def writing_of(account: BankAccount) -> Writing:
    """Return how the bank of an account wants its orders."""
    return writing_for(account.bank.connection)


def trial_of(proposal: Proposal) -> Transfer:
    """Return the transfer as it would be made; nothing is stored."""
    return Transfer(
        proposal=proposal, end_to_end_id=proposal.reference, uetr=UETR_TO_COME, attempt=1
    )


def prepared(transfer: Transfer) -> Prepared:
    """Return the order as its bank will read it, with everything that speaks against it."""
    proposal = transfer.proposal
    writing = writing_of(proposal.debit_account)
    return prepare(instruction_for(transfer, writing=writing), rail=proposal.rail, writing=writing)


def bytes_of(transfer: Transfer, *, order: Prepared) -> bytes:
    """Return the bytes of a prepared order."""
    writing = writing_of(transfer.proposal.debit_account)
    return write_order([order.instruction], writing=writing)


def seal_of(transfer: Transfer, *, body: bytes) -> str:
    """Return the seal of an order's bytes."""
    return order_seal(body=body, message_reference=message_reference(transfer), uetr=transfer.uetr)


def require_as_approved(body: bytes, *, transfer: Transfer) -> None:
    """Refuse bytes that are not the order people agreed to; the database asks the same.

    Raises:
        OrderChanged: a company, an account or the bank's profile changed since.
    """
    approved = transfer.proposal.order_seal
    if not approved:
        raise OrderChanged("It was approved before orders were sealed: propose it anew.")
    if seal_of(transfer, body=body) != approved:
        raise OrderChanged(
            "The order is not the one that was approved: a company, an account or the bank's"
            " profile changed since. Propose it anew.",
            proposal=transfer.proposal.reference,
        )
    line = sweep_line_of(transfer.proposal)
    if line is not None and order_ends(body) != line.ends:
        raise OrderChanged(
            "Payer or payee are not those that its line was agreed on: agree on the line anew.",
            proposal=transfer.proposal.reference,
        )


def message_reference(transfer: Transfer) -> str:
    """Return the MsgId of the present attempt: unique for ever, at most 35 characters."""
    return f"{transfer.end_to_end_id}-{transfer.attempt}"


def instruction_for(transfer: Transfer, *, writing: Writing | None = None) -> PaymentInstruction:
    """Return the order for `transfer`; the same attempt always gives the same references.

    Raises:
        NumberMismatch: a stored number is not the one whose digest is approved.
    """
    proposal = transfer.proposal
    debit = proposal.debit_account
    terms = (writing or writing_of(debit)).terms(proposal.rail)
    reference = message_reference(transfer)
    line = sweep_line_of(proposal)
    return PaymentInstruction(
        message_id=reference,
        # Of a sweep there is one attempt only: its block carries the order's own name.
        payment_information_id=proposal.reference if is_sweep(proposal) else reference,
        instruction_id=reference,
        end_to_end_id=transfer.end_to_end_id,
        uetr=transfer.uetr,
        amount=proposal.amount,
        currency=proposal.currency,
        execution_date=proposal.value_date,
        created_at=clock.now().replace(microsecond=0),
        initiating_party_name=debit.entity.name,
        initiating_party_lei=debit.entity.lei,
        debtor=party_of(debit),
        debtor_agent=agent_of_account(debit),
        creditor=_creditor(proposal),
        creditor_agent=_creditor_agent(proposal),
        charge_bearer=proposal.charge_bearer,
        service_level=terms.service_level or None,
        local_instrument=terms.local_instrument or None,
        category_purpose=None if proposal.beneficiary else terms.own_category or None,
        purpose=_purpose(proposal, terms),
        remittance=f"{transfer.end_to_end_id} {proposal.get_purpose_display()}",
        regulatory=_reports(line),
        note_to_bank=line.note_to_bank or None if line else None,
    )


def is_sweep(proposal: Proposal) -> bool:
    """Say whether a proposal pays out a sweep order."""
    return proposal.purpose == Purpose.SWEEP


def sweep_line_of(proposal: Proposal) -> SweepLine | None:
    """Return the line of the sweep order that a proposal pays out; None of all others."""
    if not is_sweep(proposal):
        return None
    return SweepLine.objects.filter(orders__order_id=proposal.reference).first()


def _reports(line: SweepLine | None) -> tuple[RegulatoryReport, ...]:
    """Return what an order tells the authority; never in the words for the receiver."""
    if line is None or not (line.report_code or line.report_text):
        return ()
    words = (line.report_text,) if line.report_text else ()
    return (RegulatoryReport(code=line.report_code, information=words),)


def _purpose(proposal: Proposal, terms: RailTerms) -> str | None:
    if proposal.beneficiary:
        return proposal.beneficiary.payment_purpose or None
    return terms.own_purpose or None


def _creditor(proposal: Proposal) -> Party:
    somebody = proposal.beneficiary
    if somebody is None:
        return party_of(_own_target(proposal))
    number = _approved_number(somebody)
    return Party(
        name=somebody.name,
        address=address_of(somebody),
        iban=number if somebody.is_iban else None,
        number=None if somebody.is_iban else number,
        account_currency=somebody.currency,
    )


def _creditor_agent(proposal: Proposal) -> Agent:
    somebody = proposal.beneficiary
    if somebody is None:
        return agent_of_account(_own_target(proposal))
    return agent_of(somebody.bank_bic, somebody.bank_country, somebody.clearing_code)


def _own_target(proposal: Proposal) -> BankAccount:
    if proposal.credit_account is None:
        raise NumberMismatch(f"{proposal.reference} names nobody to pay.")
    return proposal.credit_account


def _approved_number(account: BankAccount | Beneficiary) -> str:
    """Return the number in clear; it must be the one whose digest checkers approve."""
    if blind_index(comparable(account.number)) != account.number_index:
        raise NumberMismatch(f"The number of {account} is not the one that was checked.")
    return account.number


def party_of(account: BankAccount) -> Party:
    """Return an account of ours with its owner, as banks write them.

    Raises:
        NumberMismatch: its number is not the one whose digest checkers approve.
    """
    number = _approved_number(account)
    return Party(
        name=account.entity.name,
        address=address_of(account.entity),
        iban=number if account.is_iban else None,
        number=None if account.is_iban else number,
        account_currency=account.currency,
        lei=account.entity.lei,
    )


def agent_of_account(account: BankAccount) -> Agent:
    """Return the bank of an account of ours."""
    return agent_of(account.bank.bic, account.bank.country, account.clearing_code)
