"""Turn an approved transfer into the payment order that its bank receives."""

from core import clock
from core.crypto import blind_index
from integrations.codecs.pain001 import Agent, Party, PaymentInstruction, PostalAddress
from treasury.engine.numbers import comparable
from treasury.engine.rails import profile
from treasury.errors import NumberMismatch
from treasury.models import BankAccount, Beneficiary, LegalEntity, Proposal, Transfer

_CLEARING_SYSTEMS = {"US": "USABA", "GB": "GBDSC", "IN": "INFSC"}
# The UAE wants its own three-letter code: OAT, a transfer between the customer's own accounts.
_PURPOSES = {"UAEFTS": "OAT"}


def message_reference(transfer: Transfer) -> str:
    """Return the MsgId of the present attempt: unique for ever, at most 35 characters."""
    return f"{transfer.end_to_end_id}-{transfer.attempt}"


def instruction_for(transfer: Transfer) -> PaymentInstruction:
    """Return the order for `transfer`; the same attempt always gives the same references.

    Raises:
        NumberMismatch: a stored number is not the one whose digest is approved.
    """
    proposal = transfer.proposal
    debit = proposal.debit_account
    terms = profile(proposal.rail)
    reference = message_reference(transfer)
    return PaymentInstruction(
        message_id=reference,
        payment_information_id=reference,
        instruction_id=reference,
        end_to_end_id=transfer.end_to_end_id,
        uetr=transfer.uetr,
        amount=proposal.amount,
        currency=proposal.currency,
        execution_date=proposal.value_date,
        created_at=clock.now().replace(microsecond=0),
        initiating_party_name=debit.entity.name,
        initiating_party_lei=debit.entity.lei,
        debtor=_party(debit),
        debtor_agent=_agent(debit),
        creditor=_creditor(proposal),
        creditor_agent=_creditor_agent(proposal),
        charge_bearer=proposal.charge_bearer,
        service_level=terms.service_level,
        local_instrument=terms.local_instrument or None,
        category_purpose=None if proposal.beneficiary else "CASH",
        purpose=_purpose(proposal),
        remittance=f"{transfer.end_to_end_id} {proposal.get_purpose_display()}",
    )


def _purpose(proposal: Proposal) -> str | None:
    if proposal.beneficiary:
        return proposal.beneficiary.payment_purpose or None
    return _PURPOSES.get(proposal.rail, "INTC")


def _creditor(proposal: Proposal) -> Party:
    somebody = proposal.beneficiary
    if somebody is None:
        return _party(_own_target(proposal))
    number = _approved_number(somebody)
    return Party(
        name=somebody.name,
        address=_address(somebody),
        iban=number if somebody.is_iban else None,
        number=None if somebody.is_iban else number,
        account_currency=somebody.currency,
    )


def _creditor_agent(proposal: Proposal) -> Agent:
    somebody = proposal.beneficiary
    if somebody is None:
        return _agent(_own_target(proposal))
    return _agent_of(somebody.bank_bic, somebody.bank_country, somebody.clearing_code)


def _own_target(proposal: Proposal) -> BankAccount:
    if proposal.credit_account is None:
        raise NumberMismatch(f"{proposal.reference} names nobody to pay.")
    return proposal.credit_account


def _approved_number(account: BankAccount | Beneficiary) -> str:
    """Return the number in clear; it must be the one whose digest checkers approve."""
    if blind_index(comparable(account.number)) != account.number_index:
        raise NumberMismatch(f"The number of {account} is not the one that was checked.")
    return account.number


def _party(account: BankAccount) -> Party:
    number = _approved_number(account)
    return Party(
        name=account.entity.name,
        address=_address(account.entity),
        iban=number if account.is_iban else None,
        number=None if account.is_iban else number,
        account_currency=account.currency,
        lei=account.entity.lei,
    )


def _address(owner: LegalEntity | Beneficiary) -> PostalAddress:
    return PostalAddress(
        street=owner.street,
        building_number=owner.building_number,
        post_code=owner.post_code,
        town=owner.town,
        country=owner.country,
    )


def _agent(account: BankAccount) -> Agent:
    return _agent_of(account.bank.bic, account.bank.country, account.clearing_code)


def _agent_of(bic: str, country: str, clearing_code: str) -> Agent:
    system = _CLEARING_SYSTEMS.get(country) if clearing_code else None
    return Agent(
        bic=bic,
        clearing_system=system,
        clearing_member=clearing_code or None if system else None,
    )
