"""Lines that sweeps are paid through: checked here, changed by two people."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.errors import Invalid
from treasury.engine.rails import profile, rail_for, rail_to
from treasury.errors import PreflightFailed
from treasury.models import Proposal, Purpose, SweepLine, SweepProduct
from treasury.selectors import accounts as account_selectors
from treasury.selectors import beneficiaries
from treasury.selectors import movement as reads
from treasury.selectors.sweep_lines import order_ends
from treasury.services import orders
from treasury.services.sweeps.static import saved
from treasury.services.terms import require_payable

# A name that no order ever has: order names count from one.
TRIAL: Final = "SWP-2000-01-01-0000"
DOLLARS: Final = "USD"


@dataclass(frozen=True, slots=True, kw_only=True)
class LineIn:
    """A line to record; exactly one of `credit_account` and `beneficiary` says who is paid."""

    name: str
    account_id: UUID
    product: str
    credit_account: UUID | None = None
    beneficiary: UUID | None = None
    rail: str = ""
    report_code: str = ""
    report_text: str = ""
    note_to_bank: str = ""


def add_line(*, line: LineIn) -> SweepLine:
    """Record a line.

    Raises:
        AccountUnknown: there is no such account.
        NotFound: there is no such beneficiary.
        Invalid: no such product, or account, payee or rail do not fit.
        PreflightFailed: the bank would refuse its orders; all reasons in words.
        AlreadyKnown: there is one of that name, or for that account and product.
    """
    product = SweepProduct.objects.filter(code=line.product).first()
    if product is None:
        raise Invalid(f"There is no product {line.product}.", field="product")
    row = SweepLine(
        name=line.name,
        account=account_selectors.account(line.account_id),
        product=product,
        rail=line.rail,
        report_code=line.report_code,
        report_text=line.report_text,
        note_to_bank=line.note_to_bank,
    )
    if line.credit_account is not None:
        row.credit_account = account_selectors.account(line.credit_account)
    if line.beneficiary is not None:
        row.beneficiary = beneficiaries.beneficiary(line.beneficiary)
    return save_line(line=row)


@transaction.atomic
def save_line(*, line: SweepLine) -> SweepLine:
    """Record a line, or store a changed one; its ends are read from a trial order.

    Raises:
        Invalid: account, payee or rail do not fit.
        BeneficiaryBlocked: it may not be paid.
        PreflightFailed: the bank would refuse its orders; all reasons in words.
        AlreadyKnown: there is one of that name, or for that account and product.
    """
    _check(line)
    line.rail = line.rail or _shortest(line)
    profile(line.rail)
    if line.is_active or not line.ends:
        line.ends = _ends_of(line)
    return saved(line, "There is a line of that name, or for that account and product, already.")


def _check(line: SweepLine) -> None:
    if line.account.currency != DOLLARS:
        raise Invalid("Sweeps are of dollars.", field="account")
    if (line.credit_account is None) is (line.beneficiary is None):
        raise Invalid(
            "Say who is paid: one account of ours, or one beneficiary.", field="credit_account"
        )
    if line.credit_account == line.account:
        raise Invalid("Debit and credit account are the same.", field="credit_account")
    target = line.credit_account or line.beneficiary
    if target is not None and target.currency != DOLLARS:
        raise Invalid("Who is paid takes dollars.", field="beneficiary")
    require_payable(line.beneficiary)


def _shortest(line: SweepLine) -> str:
    debit, somebody = line.account, line.beneficiary
    if somebody is not None:
        return rail_to(currency=DOLLARS, debit_bic=debit.bank.bic, credit_bic=somebody.bank_bic)
    credit = line.credit_account
    return rail_for(
        currency=DOLLARS, same_bank=credit is not None and credit.bank_id == debit.bank_id
    )


def _ends_of(line: SweepLine) -> str:
    """Return the digest of payer and payee as the account's bank will read them."""
    window = reads.window_for(rail=line.rail, account=line.account, now=clock.now())
    trial = orders.trial_of(
        Proposal(
            reference=TRIAL,
            purpose=Purpose.SWEEP,
            debit_account=line.account,
            credit_account=line.credit_account,
            beneficiary=line.beneficiary,
            amount=Decimal(1),
            currency=DOLLARS,
            rail=line.rail,
            charge_bearer=orders.writing_of(line.account).terms(line.rail).charge_bearer,
            value_date=window.value_date,
            cutoff_at=window.cutoff_at,
        )
    )
    order = orders.prepared(trial)
    if order.errors:
        words = " ".join(finding.message for finding in order.errors)
        raise PreflightFailed(words, field="beneficiary")
    found = order_ends(orders.bytes_of(trial, order=order))
    if not found:
        raise PreflightFailed("The bank's format names no payer and payee.", field="account")
    return found
