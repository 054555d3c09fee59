"""Which accounts there are, and what their money is worth in dollars."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_HALF_EVEN, Decimal
from typing import Final, NamedTuple, Protocol
from uuid import UUID

from django.db import connection
from django.db.models import QuerySet

from core import policies
from core.crypto import blind_index
from core.money import Money
from integrations.codecs.records import AccountRef
from treasury.engine.numbers import spellings
from treasury.errors import AccountUnknown
from treasury.models import Bank, BankAccount, LegalEntity, UsdRate
from treasury.policies import RATE_AGE_HOURS_MAX


@dataclass(frozen=True, slots=True, kw_only=True)
class UsdEquivalent:
    """What an amount is worth; all three are None when no rate is fresh enough to say so."""

    amount: Decimal | None
    rate: Decimal | None
    as_of: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Dollars for one unit of a currency, and since when."""

    usd_per_unit: Decimal
    as_of: datetime
    source: str


def account(account_id: UUID | str) -> BankAccount:
    """Return one account with its entity and bank.

    Raises:
        AccountUnknown: there is none.
    """
    found = BankAccount.objects.select_related("entity", "bank").filter(pk=account_id).first()
    if found is None:
        raise AccountUnknown("There is no such account.", id=str(account_id))
    return found


def accounts(currency: str | None = None, *, active: bool = True) -> QuerySet[BankAccount]:
    """Return the accounts, of one currency or all; closed ones only on request."""
    found = BankAccount.objects.select_related("entity", "bank")
    if active:
        found = found.filter(is_active=True)
    return found.filter(currency=currency) if currency else found


class Held(Protocol):
    """What of an account its available money asks for."""

    @property
    def pk(self) -> UUID: ...
    @property
    def currency(self) -> str: ...
    @property
    def min_balance(self) -> Decimal: ...
    @property
    def required_collateral(self) -> Decimal: ...
    @property
    def statement_hours_expected(self) -> int: ...


class Holding(NamedTuple):
    """An account as far as its available money asks: quicker to read than the whole of it."""

    pk: UUID
    currency: str
    min_balance: Decimal
    required_collateral: Decimal
    statement_hours_expected: int


_HOLDINGS: Final = """
SELECT a.id, a.currency, a.min_balance, a.required_collateral, a.statement_hours_expected
  FROM treasury_bankaccount a
 WHERE a.is_active AND a.currency = ANY(%s)
 ORDER BY a.id
"""


def holdings(currencies: Sequence[str]) -> list[Holding]:
    """Return the open accounts of currencies."""
    with connection.cursor() as cursor:
        cursor.execute(_HOLDINGS, [list(currencies)])
        return [Holding(*row) for row in cursor.fetchall()]


def accounts_numbered(ref: AccountRef) -> list[BankAccount]:
    """Return every account of ours that a bank's account reference may mean, in any currency."""
    number = ref.iban or ref.number
    if not number:
        return []
    indexes = [blind_index(spelling) for spelling in spellings(number)]
    found = BankAccount.objects.select_related("entity", "bank").filter(number_index__in=indexes)
    return sorted(found, key=lambda one: indexes.index(one.number_index))


def find_account(ref: AccountRef) -> BankAccount | None:
    """Return the account a bank's reference means: number and currency, None if we have none.

    Without a currency the number must belong to one account only.
    """
    found = accounts_numbered(ref)
    if ref.currency:
        return next((one for one in found if one.currency == ref.currency), None)
    return found[0] if len(found) == 1 else None


def entities() -> QuerySet[LegalEntity]:
    """Return our companies."""
    return LegalEntity.objects.all()


def banks() -> QuerySet[Bank]:
    """Return the banks we hold accounts with."""
    return Bank.objects.all()


def usd_rates(*, now: datetime) -> dict[str, Rate]:
    """Return the newest rate per currency that is not older than policy allows; USD is one."""
    oldest = now - timedelta(hours=policies.get(RATE_AGE_HOURS_MAX))
    newest = (
        UsdRate.objects.filter(as_of__lte=now, as_of__gte=oldest)
        .order_by("currency", "-as_of")
        .distinct("currency")
    )
    found = {
        row.currency: Rate(usd_per_unit=row.usd_per_unit, as_of=row.as_of, source=row.source)
        for row in newest
    }
    return {**found, "USD": Rate(usd_per_unit=Decimal(1), as_of=now, source="unit")}


def usd_equivalent(*, money: Money, now: datetime) -> UsdEquivalent:
    """Return what `money` is worth in dollars, or nothing at all: a missing rate is never one."""
    rate = usd_rates(now=now).get(money.currency)
    if rate is None:
        return UsdEquivalent(amount=None, rate=None, as_of=None)
    return UsdEquivalent(
        amount=in_usd(money.amount, rate), rate=rate.usd_per_unit, as_of=rate.as_of
    )


def in_usd(amount: Decimal, rate: Rate) -> Decimal:
    """Convert at one rate, to a hundredth of a cent."""
    return (amount * rate.usd_per_unit).quantize(Decimal("0.0001"), ROUND_HALF_EVEN)
