"""Turn an approved transfer into the payment order that its bank receives."""

from core import clock
from integrations.codecs.pain001 import Agent, Party, PaymentInstruction, PostalAddress
from treasury.engine.rails import profile
from treasury.models import BankAccount, LegalEntity, Transfer

_CLEARING_SYSTEMS = {"US": "USABA", "GB": "GBDSC", "IN": "INFSC"}
# The UAE wants its own three-letter code: OAT, a transfer between the customer's own accounts.
_PURPOSES = {"UAEFTS": "OAT"}


def message_reference(transfer: Transfer) -> str:
    """Return the MsgId of the present attempt: unique for ever, at most 35 characters."""
    return f"{transfer.end_to_end_id}-{transfer.attempt}"


def instruction_for(transfer: Transfer) -> PaymentInstruction:
    """Return the order for `transfer`; the same attempt always gives the same references."""
    proposal = transfer.proposal
    debit, credit = proposal.debit_account, proposal.credit_account
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
        creditor=_party(credit),
        creditor_agent=_agent(credit),
        charge_bearer=proposal.charge_bearer,
        service_level=terms.service_level,
        local_instrument=terms.local_instrument or None,
        category_purpose="CASH",
        purpose=_PURPOSES.get(proposal.rail, "INTC"),
        remittance=f"{transfer.end_to_end_id} {proposal.get_purpose_display()}",
    )


def _party(account: BankAccount) -> Party:
    return Party(
        name=account.entity.name,
        address=_address(account.entity),
        iban=account.number if account.is_iban else None,
        number=None if account.is_iban else account.number,
        account_currency=account.currency,
        lei=account.entity.lei,
    )


def _address(entity: LegalEntity) -> PostalAddress:
    return PostalAddress(
        street=entity.street,
        building_number=entity.building_number,
        post_code=entity.post_code,
        town=entity.town,
        country=entity.country,
    )


def _agent(account: BankAccount) -> Agent:
    system = _CLEARING_SYSTEMS.get(account.bank.country) if account.clearing_code else None
    return Agent(
        bic=account.bank.bic,
        clearing_system=system,
        clearing_member=account.clearing_code or None if system else None,
    )
