"""The terms of a proposal: who pays whom how much, by which rail, for which value date."""

from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from core import clock
from core.errors import Invalid, NotFound
from core.money import smallest_unit
from treasury.engine.rails import profile, rail_for, rail_to
from treasury.errors import BeneficiaryBlocked
from treasury.models import BankAccount, Beneficiary, BeneficiaryState, Purpose
from treasury.selectors import beneficiaries
from treasury.selectors import movement as reads
from treasury.services.beneficiaries import BeneficiaryIn, type_in_beneficiary
from treasury.services.orders import writing_of


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalIn:
    """What a maker asks for. Without rail and value date the earliest that still lands is taken.

    Exactly one of `credit_account`, `beneficiary` and `typed_in` says who is paid. `send_by` is a
    cut-off of its own, where that is earlier than the rail's.
    """

    debit_account: UUID
    amount: Decimal
    why: str
    credit_account: UUID | None = None
    beneficiary: UUID | None = None
    typed_in: BeneficiaryIn | None = None
    purpose: str = Purpose.MANUAL
    rail: str = ""
    value_date: date | None = None
    send_by: datetime | None = None


RoutedTerms = dict[str, object]  # fields of a proposal, as `routed` found them


def routed(draft: ProposalIn) -> RoutedTerms:
    """Check the terms, find rail, value date and cut-off; return the fields of a proposal.

    A typed-in account becomes a one-off beneficiary once everything else holds.

    Raises:
        NotFound: an account or beneficiary is not ours.
        BeneficiaryBlocked: it may not be paid.
        Invalid: amount, accounts, rail or value date do not fit; names the field.
    """
    _require_one_payee(draft)
    debit = _account(draft.debit_account, "debit_account")
    _check_amount(draft, debit)
    credit, somebody = _payee(draft, debit)
    rail = draft.rail or _rail(debit, credit, somebody)
    profile(rail)
    terms = writing_of(debit).terms(rail)
    window = reads.window_for(rail=rail, account=debit, now=clock.now())
    if draft.value_date is not None and draft.value_date != window.value_date:
        raise Invalid(
            f"The earliest value date on {rail} is {window.value_date}; later ones are proposed"
            " on their day.",
            field="value_date",
        )
    return {
        "debit_account": debit,
        "credit_account": credit,
        "beneficiary": somebody,
        "amount": draft.amount,
        "currency": debit.currency,
        "rail": rail,
        "charge_bearer": terms.charge_bearer,
        "value_date": window.value_date,
        "cutoff_at": min(window.cutoff_at, draft.send_by or window.cutoff_at),
        "why": draft.why,
    }


def require_payable(somebody: Beneficiary | None) -> None:
    """Refuse a beneficiary that is blocked.

    Raises:
        BeneficiaryBlocked: it may not be paid.
    """
    if somebody is not None and somebody.state == BeneficiaryState.BLOCKED:
        raise BeneficiaryBlocked(
            f"{somebody.name} is blocked: nothing is paid there.", field="beneficiary"
        )


def _require_one_payee(draft: ProposalIn) -> None:
    given = [draft.credit_account, draft.beneficiary, draft.typed_in]
    if sum(one is not None for one in given) != 1:
        raise Invalid(
            "Say who is paid: one own account, one beneficiary, or one typed-in account.",
            field="credit_account",
        )


def _payee(draft: ProposalIn, debit: BankAccount) -> tuple[BankAccount | None, Beneficiary | None]:
    if draft.credit_account is not None:
        return _own_target(draft.credit_account, debit), None
    if draft.beneficiary is not None:
        somebody = beneficiaries.beneficiary(draft.beneficiary)
        require_payable(somebody)
        if somebody.currency != debit.currency:
            raise Invalid(
                f"{debit.label} holds {debit.currency}, {somebody.name} is paid in"
                f" {somebody.currency}: a conversion is an FX deal.",
                field="beneficiary",
            )
        return None, somebody
    typed_in = draft.typed_in
    if typed_in is None:
        raise Invalid("Say who is paid.", field="credit_account")
    return None, type_in_beneficiary(beneficiary=replace(typed_in, currency=debit.currency))


def _own_target(account_id: UUID, debit: BankAccount) -> BankAccount:
    credit = _account(account_id, "credit_account")
    if debit.pk == credit.pk:
        raise Invalid("Debit and credit account are the same.", field="credit_account")
    if debit.currency != credit.currency:
        raise Invalid(
            f"{debit.label} holds {debit.currency}, {credit.label} holds {credit.currency}:"
            " a conversion is an FX deal.",
            field="credit_account",
        )
    return credit


def _rail(debit: BankAccount, credit: BankAccount | None, somebody: Beneficiary | None) -> str:
    if somebody is not None:
        return rail_to(
            currency=debit.currency, debit_bic=debit.bank.bic, credit_bic=somebody.bank_bic
        )
    same_bank = credit is not None and debit.bank_id == credit.bank_id
    return rail_for(currency=debit.currency, same_bank=same_bank)


def _check_amount(draft: ProposalIn, debit: BankAccount) -> None:
    if not draft.amount.is_finite() or draft.amount <= 0:
        raise Invalid("The amount is positive.", field="amount")
    if draft.amount != draft.amount.quantize(smallest_unit(debit.currency)):
        raise Invalid(f"{debit.currency} has fewer decimals than {draft.amount}.", field="amount")
    if not draft.why.strip():
        raise Invalid("Say why: it is what the checker reads first.", field="why")


def _account(account_id: UUID, field: str) -> BankAccount:
    found = (
        BankAccount.objects.select_related("bank", "entity")
        .filter(pk=account_id, is_active=True)
        .first()
    )
    if found is None:
        raise NotFound("There is no such active account.", field=field)
    return found
