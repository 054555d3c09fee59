"""Whom we may pay besides ourselves: written by one person, verified by another, never deleted."""

from dataclasses import dataclass
from typing import Final
from uuid import UUID

import schwifty
from django.db import IntegrityError, transaction
from schwifty.exceptions import SchwiftyException

from core import clock
from core.crypto import blind_index
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import (
    BACK_OFFICE,
    RISK_OFFICER,
    STATIC_DATA,
    TREASURY_CHECKER,
    TREASURY_MANAGER,
)
from core.money import minor_units
from treasury.engine.numbers import PAYMENT_PURPOSE, compact, comparable
from treasury.errors import AlreadyKnown, NotAnotherPerson
from treasury.models import Beneficiary, BeneficiaryState
from treasury.selectors import beneficiaries as reads
from treasury.services.static import HINT_CHARS, checked_number

KEEPERS: Final = (STATIC_DATA, TREASURY_MANAGER)
VERIFIERS: Final = (STATIC_DATA, TREASURY_CHECKER, TREASURY_MANAGER, BACK_OFFICE)
BLOCKERS: Final = (*VERIFIERS, RISK_OFFICER)
_NAME_CHARS_MAX: Final = 140


@dataclass(frozen=True, slots=True, kw_only=True)
class BeneficiaryIn:
    """Somebody to pay; `number` is an IBAN, or a local number with its clearing code."""

    name: str
    number: str
    bank_bic: str
    currency: str
    town: str
    country: str
    clearing_code: str = ""
    bank_name: str = ""
    street: str = ""
    building_number: str = ""
    post_code: str = ""
    payment_purpose: str = ""


@transaction.atomic
def create_beneficiary(*, beneficiary: BeneficiaryIn, actor: User) -> Beneficiary:
    """Put somebody on the list of those we may pay; not verified yet.

    Raises:
        Forbidden: this person does not keep the list.
        Invalid: a field cannot be right; names it.
        AlreadyKnown: that account stands on the list.
    """
    _require(actor, KEEPERS, "Keeping the list of beneficiaries takes the role static_data.")
    return _created(beneficiary, is_typed_in=False)


@transaction.atomic
def type_in_beneficiary(*, beneficiary: BeneficiaryIn) -> Beneficiary:
    """Keep an account that a maker typed into one proposal; it stands on no list.

    Raises:
        Invalid: a field cannot be right; names it.
        AlreadyKnown: that account stands on the list: it is chosen, not typed.
    """
    index = blind_index(comparable(compact(beneficiary.number)))
    known = reads.listed().filter(number_index=index, currency=beneficiary.currency).first()
    if known is not None:
        raise AlreadyKnown(f"{known.name} stands on the list: choose it there.", field="number")
    return _created(beneficiary, is_typed_in=True)


@transaction.atomic
def change_beneficiary(
    *, beneficiary_id: UUID, beneficiary: BeneficiaryIn, actor: User
) -> Beneficiary:
    """Change a beneficiary; whatever steers money ends its verification and starts its cool-off.

    Raises:
        Forbidden: this person does not keep the list.
        NotFound: no such beneficiary.
        Invalid: a field cannot be right; names it.
        AlreadyKnown: that account stands on the list already.
    """
    _require(actor, KEEPERS, "Keeping the list of beneficiaries takes the role static_data.")
    row = _locked(beneficiary_id)
    for name, value in _fields(beneficiary).items():
        setattr(row, name, value)
    return _saved(row)


@transaction.atomic
def verify_beneficiary(*, beneficiary_id: UUID, actor: User) -> Beneficiary:
    """Record that a second person confirmed the account, by a call to a number known before.

    Raises:
        Forbidden: this person may not.
        NotAnotherPerson: the same person wrote or last changed it.
        NotFound: no such beneficiary.
    """
    _require(actor, VERIFIERS, "Verifying takes a person of static data, back office or checking.")
    row = _locked(beneficiary_id)
    if row.is_verified:
        return row
    if row.changed_by is not None and row.changed_by.person_number == actor.person_number:
        raise NotAnotherPerson("Another person verifies what you wrote.", beneficiary=str(row.pk))
    row.is_verified, row.verified_by = True, actor
    row.save(update_fields=["is_verified", "verified_by"])
    return _fresh(row)


@transaction.atomic
def block_beneficiary(*, beneficiary_id: UUID, actor: User) -> Beneficiary:
    """Stop all payments to a beneficiary at once.

    Raises:
        Forbidden: this person may not.
        NotFound: no such beneficiary.
    """
    _require(actor, BLOCKERS, "Blocking takes a person of static data, risk or checking.")
    return _in_state(_locked(beneficiary_id), BeneficiaryState.BLOCKED)


@transaction.atomic
def unblock_beneficiary(*, beneficiary_id: UUID, actor: User) -> Beneficiary:
    """Let a beneficiary be paid again, after verification and cool-off like a new one.

    Raises:
        Forbidden: this person does not keep the list.
        NotFound: no such beneficiary.
    """
    _require(actor, KEEPERS, "Keeping the list of beneficiaries takes the role static_data.")
    return _in_state(_locked(beneficiary_id), BeneficiaryState.ACTIVE)


def _require(actor: User, roles: tuple[str, ...], words: str) -> None:
    if actor.is_service or not actor.has_role(*roles):
        raise Forbidden(words)


def _locked(beneficiary_id: UUID) -> Beneficiary:
    found = reads.beneficiary(beneficiary_id)
    return Beneficiary.objects.select_for_update(of=("self",)).get(pk=found.pk)


def _in_state(row: Beneficiary, state: BeneficiaryState) -> Beneficiary:
    if row.state != state:
        row.state = state
        row.save(update_fields=["state"])
    return _fresh(row)


def _created(given: BeneficiaryIn, *, is_typed_in: bool) -> Beneficiary:
    row = Beneficiary(is_typed_in=is_typed_in, created_at=clock.now(), **_fields(given))
    return _saved(row)


def _fields(given: BeneficiaryIn) -> dict[str, object]:
    """Return the checked fields of a row."""
    minor_units(given.currency)
    _check_texts(given)
    bic = _checked_bic(given.bank_bic)
    code = compact(given.clearing_code)
    number, is_iban = checked_number(given.number, country=bic[4:6], clearing_code=code)
    return {
        "name": given.name.strip(),
        "currency": given.currency,
        "bank_bic": bic,
        "bank_name": given.bank_name.strip(),
        "is_iban": is_iban,
        "number": number,
        "number_index": blind_index(comparable(number)),
        "number_hint": number[-HINT_CHARS:],
        "clearing_code": code,
        "street": given.street.strip(),
        "building_number": given.building_number.strip(),
        "post_code": given.post_code.strip(),
        "town": given.town.strip(),
        "country": given.country,
        "payment_purpose": given.payment_purpose,
    }


def _check_texts(given: BeneficiaryIn) -> None:
    if not 0 < len(given.name.strip()) <= _NAME_CHARS_MAX:
        raise Invalid(f"A name has 1 to {_NAME_CHARS_MAX} characters.", field="name")
    if not given.town.strip():
        # Since November 2026 the rails refuse addresses without a structured town and country.
        raise Invalid("The town is needed: rails refuse addresses without it.", field="town")
    if len(given.country) != 2 or not given.country.isalpha() or not given.country.isupper():  # noqa: PLR2004
        raise Invalid("Write the country as two capital letters.", field="country")
    if given.payment_purpose and not PAYMENT_PURPOSE.fullmatch(given.payment_purpose):
        raise Invalid(
            "A purpose has four capital letters, in the UAE three; India's is like P1301.",
            field="payment_purpose",
        )


def _checked_bic(text: str) -> str:
    try:
        # A registry look-up would refuse real banks: only form and country are checked.
        return str(schwifty.BIC(text, enforce_swift_compliance=True).compact)
    except SchwiftyException as error:
        raise Invalid(f"{text} is not a valid BIC.", field="bank_bic") from error


def _saved(row: Beneficiary) -> Beneficiary:
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        raise AlreadyKnown("This account stands on the list already.", field="number") from error
    return _fresh(row)


def _fresh(row: Beneficiary) -> Beneficiary:
    return reads.beneficiary(row.pk)  # the database stamped it
