"""Static data: companies, banks, accounts. Numbers are checked here and stored encrypted."""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import schwifty
from django.db import IntegrityError, transaction
from schwifty.exceptions import SchwiftyException

from calendars.constants import HOUSE_ZONE
from core import clock
from core.crypto import blind_index
from core.errors import Invalid
from core.money import minor_units
from treasury.engine.numbers import (
    IN_NUMBER,
    LOCAL_NUMBER,
    US_NUMBER,
    aba_holds,
    compact,
    comparable,
    ifsc_holds,
    lei_holds,
    looks_like_iban,
)
from treasury.errors import AlreadyKnown
from treasury.models import AccountKind, Bank, BankAccount, IntradayMode, LegalEntity

HINT_CHARS: Final = 4
Row = TypeVar("Row", LegalEntity, Bank, BankAccount)


@dataclass(frozen=True, slots=True, kw_only=True)
class EntityIn:
    """One of our companies."""

    name: str
    lei: str
    town: str
    country: str
    street: str = ""
    building_number: str = ""
    post_code: str = ""
    closed_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountIn:
    """An account to open; `number` is an IBAN, or a local number with its clearing code."""

    entity: LegalEntity
    bank: Bank
    label: str
    currency: str
    number: str
    timezone: str
    clearing_code: str = ""
    kind: str = AccountKind.NOSTRO
    rda_procedure: str = ""
    min_balance: Decimal = Decimal(0)
    required_collateral: Decimal = Decimal(0)
    overdraft_limit: Decimal = Decimal(0)
    intraday_mode: str = IntradayMode.CUMULATIVE
    statement_hours_expected: int = 30
    closed_until: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountTerms:
    """What may change on an open account: limits and expectations, never its number."""

    label: str
    min_balance: Decimal
    required_collateral: Decimal
    overdraft_limit: Decimal
    intraday_mode: str
    statement_hours_expected: int
    is_active: bool
    closed_until: date | None = None


@transaction.atomic
def create_entity(*, entity: EntityIn) -> LegalEntity:
    """Record a company of ours.

    Raises:
        Invalid: the LEI or the country cannot be right.
        AlreadyKnown: there is one of that name.
    """
    if not lei_holds(entity.lei):
        raise Invalid(f"{entity.lei} is not a valid LEI.", field="lei")
    _check_country(entity.country)
    _check_closing(entity.closed_until)
    row = LegalEntity(
        name=entity.name,
        lei=entity.lei,
        street=entity.street,
        building_number=entity.building_number,
        post_code=entity.post_code,
        town=entity.town,
        country=entity.country,
        closed_until=entity.closed_until,
    )
    return _saved(row, f"There is a company named {entity.name} already.")


@transaction.atomic
def create_bank(*, bic: str, name: str, country: str = "", connection: str = "") -> Bank:
    """Record a bank; its country follows from the BIC unless given.

    Raises:
        Invalid: the BIC has a wrong form, or belongs to a test system.
        AlreadyKnown: there is one with that BIC.
    """
    try:
        # A registry look-up would refuse real banks: only form and country are checked.
        checked = schwifty.BIC(bic, enforce_swift_compliance=True)
    except SchwiftyException as error:
        raise Invalid(f"{bic} is not a valid BIC.", field="bic") from error
    _check_country(country or checked.country_code)
    row = Bank(
        bic=str(checked.compact),
        name=name,
        country=country or checked.country_code,
        connection=connection,
    )
    return _saved(row, f"There is a bank with the BIC {bic} already.")


@transaction.atomic
def correct_entity(*, entity: LegalEntity) -> LegalEntity:
    """Store a corrected company.

    Raises:
        Invalid: the LEI or the country cannot be right.
        AlreadyKnown: there is one of that name.
    """
    if not lei_holds(entity.lei):
        raise Invalid(f"{entity.lei} is not a valid LEI.", field="lei")
    _check_country(entity.country)
    _check_closing(entity.closed_until)
    return _saved(entity, f"There is a company named {entity.name} already.")


@transaction.atomic
def correct_bank(*, bank: Bank) -> Bank:
    """Store a corrected bank; its BIC stays.

    Raises:
        Invalid: the country cannot be right.
        AlreadyKnown: there is one with that BIC.
    """
    _check_country(bank.country)
    return _saved(bank, f"There is a bank with the BIC {bank.bic} already.")


@transaction.atomic
def open_account(*, account: AccountIn) -> BankAccount:
    """Record an account of ours.

    Raises:
        Invalid: number, clearing code, currency, zone or a limit cannot be right.
        AlreadyKnown: number and currency, or the label, are in use.
    """
    minor_units(account.currency)
    _check_zone(account.timezone)
    _check_closing(account.closed_until)
    for field in ("min_balance", "required_collateral", "overdraft_limit"):
        if not (amount := getattr(account, field)).is_finite() or amount < 0:
            raise Invalid(f"{field} cannot be {amount}.", field=field)
    number, is_iban = checked_number(
        account.number, country=account.bank.country, clearing_code=account.clearing_code
    )
    row = BankAccount(
        entity=account.entity,
        bank=account.bank,
        label=account.label,
        currency=account.currency,
        kind=AccountKind(account.kind),
        is_iban=is_iban,
        number=number,
        number_index=blind_index(comparable(number)),
        number_hint=number[-HINT_CHARS:],
        clearing_code=compact(account.clearing_code),
        timezone=account.timezone,
        rda_procedure=account.rda_procedure,
        min_balance=account.min_balance,
        required_collateral=account.required_collateral,
        overdraft_limit=account.overdraft_limit,
        intraday_mode=IntradayMode(account.intraday_mode),
        statement_hours_expected=account.statement_hours_expected,
        closed_until=account.closed_until,
    )
    return _saved(row, f"{account.label}: number and currency, or the label, are in use.")


@transaction.atomic
def change_terms(*, account_id: UUID, terms: AccountTerms) -> BankAccount:
    """Change limits and expectations of an account.

    Raises:
        Invalid: a limit is negative or not finite.
        AlreadyKnown: the label is in use.
    """
    row = BankAccount.objects.select_for_update().get(pk=account_id)
    for field in ("min_balance", "required_collateral", "overdraft_limit"):
        if not (amount := getattr(terms, field)).is_finite() or amount < 0:
            raise Invalid(f"{field} cannot be {amount}.", field=field)
        setattr(row, field, amount)
    _check_closing(terms.closed_until)
    row.closed_until = terms.closed_until
    row.label = terms.label
    row.intraday_mode = IntradayMode(terms.intraday_mode)
    row.statement_hours_expected = terms.statement_hours_expected
    row.is_active = terms.is_active
    return _saved(row, f"There is an account labelled {terms.label} already.")


def checked_number(number: str, *, country: str, clearing_code: str) -> tuple[str, bool]:
    """Return the number in compact form and whether it is an IBAN.

    Raises:
        Invalid: wrong check digits, or a clearing code that does not fit the country.
    """
    plain = compact(number)
    if looks_like_iban(plain):
        try:
            return str(schwifty.IBAN(plain).compact), True
        except SchwiftyException as error:
            raise Invalid(f"The IBAN {number} is not valid: {error}.", field="number") from error
    if country == "US":
        _demand(US_NUMBER.fullmatch(plain) is not None, "A US account has 4 to 17 digits.")
        _demand(aba_holds(clearing_code), "The ABA number is wrong.", "clearing_code")
    elif country == "IN":
        _demand(IN_NUMBER.fullmatch(plain) is not None, "An Indian account has 9 to 18 digits.")
        _demand(ifsc_holds(clearing_code), "The IFSC is wrong.", "clearing_code")
    else:
        _demand(
            LOCAL_NUMBER.fullmatch(plain) is not None, "A number has 1 to 34 letters and digits."
        )
    return plain, False


def _demand(holds: bool, message: str, field: str = "number") -> None:  # noqa: FBT001
    if not holds:
        raise Invalid(message, field=field)


def _check_country(code: str) -> None:
    _demand(len(code) == 2 and code.isalpha() and code.isupper(), "Not a country.", "country")  # noqa: PLR2004


def _check_closing(until: date | None) -> None:
    _demand(
        until is None or until < clock.today(HOUSE_ZONE),
        "Only days that are over can be closed.",
        "closed_until",
    )


def _check_zone(name: str) -> None:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise Invalid(f"{name} is not an IANA time zone.", field="timezone") from error


def _saved(row: Row, message: str) -> Row:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise AlreadyKnown(message) from error
    return row
