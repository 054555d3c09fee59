"""Banks we deal with, and where they are paid. In an opened tenant two people change these."""

from dataclasses import asdict, dataclass
from decimal import Decimal
from uuid import UUID

from core.changes.selectors import acting
from core.errors import Invalid
from fx.models import Counterparty, SettlementInstruction
from fx.services import payees
from treasury.selectors import beneficiaries


@dataclass(frozen=True, slots=True, kw_only=True)
class CounterpartyIn:
    """A bank and how much may be dealt with it, in dollars; None is no limit."""

    code: str
    name: str
    bic: str
    day_usd_max: Decimal | None = None
    settlement_usd_max: Decimal | None = None
    tenor_days_max: int = 370
    lei: str = ""


def create_counterparty(*, wish: CounterpartyIn) -> Counterparty:
    """Enter a bank to deal with."""
    return Counterparty.objects.create(**asdict(wish))


def give_instruction(
    *, party: Counterparty, currency: str, beneficiary: UUID
) -> SettlementInstruction:
    """Write down where a bank receives a currency, in place of where it did before.

    Raises:
        NotFound: no such beneficiary.
        Invalid: the beneficiary's account holds another currency.
    """
    account = beneficiaries.beneficiary(beneficiary)
    if account.currency != currency:
        raise Invalid(
            f"{account.name} receives {account.currency} there, not {currency}.", field="currency"
        )
    SettlementInstruction.objects.filter(
        counterparty=party, currency=currency, is_active=True
    ).update(is_active=False)
    made = SettlementInstruction.objects.create(
        counterparty=party, currency=currency, beneficiary=account
    )
    payees.back_in_force(made, actor=acting(), reason="it was entered.")
    return made
