"""Check an order before it leaves: all that a bank or a rail would refuse, in words."""

import re
import unicodedata
import uuid
from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from decimal import Decimal
from typing import Final
from zoneinfo import ZoneInfo

import pycountry
import schwifty
from schwifty.exceptions import SchwiftyException

from core.errors import Invalid
from core.money import minor_units, smallest_unit
from integrations.codecs.constants import AMOUNT_INTEGER_DIGITS_MAX
from integrations.codecs.fitting import fit, fit_party, shaped
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, PostalAddress
from integrations.codecs.rails import EEA_COUNTRIES, RAILS, SHARED_COUNTRIES, RailRule
from integrations.codecs.records import Finding, Severity
from integrations.dialects.writing import (
    STANDARD,
    AccountForm,
    AddressForm,
    RailTerms,
    Writing,
    purpose_form,
)

_REFERENCE: Final = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]+", re.ASCII)
_LEI: Final = re.compile(r"[A-Z0-9]{18}[0-9]{2}", re.ASCII)
_IFSC: Final = re.compile(r"[A-Z]{4}0[A-Z0-9]{6}", re.ASCII)
_SORT_CODE: Final = re.compile(r"[0-9]{6}", re.ASCII)
_ABA: Final = re.compile(r"[0-9]{9}", re.ASCII)
_TTC: Final = re.compile(r"[A-Z]{3}", re.ASCII)
_CREDITOR_REFERENCE: Final = re.compile(r"RF[0-9]{2}[A-Za-z0-9]{1,21}", re.ASCII)
_NUMBER: Final = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,34}", re.ASCII)
_REFERENCE_CHARS_MAX: Final = 35
_REMITTANCE_CHARS_MAX: Final = 140
_AMOUNT_DIGITS_MAX: Final = 18
_ADDRESS_LINES_MAX: Final = 2
_REPEAT_CHARS_MIN: Final = 3
_NO_TOWNS: Final = frozenset(
    {"NOTPROVIDED", "NOT PROVIDED", "UNKNOWN", "N/A", "NA", "NONE", "-", "X", "XX", "XXX", "TBD"}
)
_MIXED_TOWN: Final = re.compile(r"[0-9,;/]")
_CONTROL_CATEGORIES: Final = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
# Fifty crore rupees.
_INDIA_LEI_FROM: Final = Decimal(500_000_000)
# Money sent to ourselves must arrive whole.
_OWN_FUNDS_PURPOSES: Final = frozenset({"INTC", "CASH", "TREA", "CORT"})
_ADDRESS_CHARS_MAX: Final = {
    "town": 35, "country": 2, "department": 70, "sub_department": 70, "street": 70,
    "building_number": 16, "building_name": 35, "floor": 70, "post_box": 16, "room": 70,
    "post_code": 16, "town_location": 35, "district": 35, "country_subdivision": 35,
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Prepared:
    """An order exactly as it would leave, with everything that speaks against sending it."""

    instruction: PaymentInstruction
    findings: tuple[Finding, ...]

    @property
    def errors(self) -> tuple[Finding, ...]:
        """Return what must stop the order."""
        return tuple(one for one in self.findings if one.severity is Severity.ERROR)

    @property
    def warnings(self) -> tuple[Finding, ...]:
        """Return what a person should look at."""
        return tuple(one for one in self.findings if one.severity is Severity.WARNING)


def prepare(instruction: PaymentInstruction, *, rail: str, writing: Writing = STANDARD) -> Prepared:
    """Bring an order into its bank's form and check it.

    Severity ERROR must stop the order; WARNING is for a person to look at.
    """
    rule = RAILS.get(rail)
    if rule is None:
        known = ", ".join(RAILS)
        refusal = _error("RAIL_UNKNOWN", f"{rail} is not one of {known}.", "rail")
        return Prepared(instruction=instruction, findings=(refusal,))
    terms = writing.terms(rail)
    fitted = fit(instruction, rail=rail, writing=writing)
    order = fitted.instruction
    findings = [
        finding
        for check in (_references, _amount, _dates, _codes, _texts, _parties, _local_rules)
        for finding in check(order, rule)
    ]
    findings += _terms(order, rule, terms)
    findings += _interbank(order, writing)
    return Prepared(instruction=shaped(order, terms.address), findings=(*findings, *fitted.notes))


def preflight(
    instruction: PaymentInstruction, *, rail: str, writing: Writing = STANDARD
) -> tuple[Finding, ...]:
    """Return everything that speaks against sending this order over `rail`."""
    return prepare(instruction, rail=rail, writing=writing).findings


def payee_findings(
    party: Party, agent: Agent, *, rail: str, writing: Writing = STANDARD
) -> tuple[Finding, ...]:
    """Return what speaks against a payee's name, address and bank, whatever is paid there.

    The account number is not looked at: it was checked when it was written down.
    """
    rule, terms = RAILS[rail], writing.terms(rail)
    payee, notes = fit_party(party, "creditor", writing)
    name_chars_max = min(rule.name_chars_max, terms.name_chars_max)
    found = [
        *_name(payee.name, "creditor.name", replace(rule, name_chars_max=name_chars_max)),
        *_agent(agent, "creditor", iban=None, rule=rule),
    ]
    if payee.address is not None:
        found += _address(payee.address, "creditor.address")
    return (*found, *notes)


def _error(code: str, message: str, locator: str) -> Finding:
    return Finding(code=code, message=message, locator=locator, severity=Severity.ERROR)


def _warning(code: str, message: str, locator: str) -> Finding:
    return Finding(code=code, message=message, locator=locator, severity=Severity.WARNING)


# References and amounts


def _references(instruction: PaymentInstruction, _rule: RailRule) -> Iterator[Finding]:
    for name in ("message_id", "payment_information_id", "end_to_end_id", "instruction_id"):
        reference = getattr(instruction, name)
        if reference is None and name == "instruction_id":
            continue
        yield from _reference(reference or "", name)
    if instruction.end_to_end_id == "NOTPROVIDED":
        words = "An order needs a reference of its own, NOTPROVIDED is none."
        yield _error("REFERENCE_MISSING", words, "end_to_end_id")
    if not instruction.uetr:
        yield _error("UETR_MISSING", "The order has no UETR to be traced by.", "uetr")
    elif not _is_uetr(instruction.uetr):
        words = "A UETR is a random UUID (version 4) in lower case."
        yield _error("UETR_NOT_V4", words, "uetr")


def _reference(reference: str, name: str) -> Iterator[Finding]:
    if not reference:
        yield _error("REFERENCE_MISSING", f"{name} is empty.", name)
        return
    if len(reference) > _REFERENCE_CHARS_MAX:
        words = f"{name} has {len(reference)} characters, {_REFERENCE_CHARS_MAX} are allowed."
        yield _error("REFERENCE_TOO_LONG", words, name)
    if not _REFERENCE.fullmatch(reference):
        words = f"{name} has characters outside letters, digits and / - ? : ( ) . , ' +"
        yield _error("REFERENCE_CHARSET", words, name)
    if reference.startswith("/") or reference.endswith("/") or "//" in reference:
        words = f"{name} may not start or end with a slash or contain two in a row."
        yield _error("REFERENCE_SLASH", words, name)


def _is_uetr(text: str) -> bool:
    try:
        parsed = uuid.UUID(text)
    except ValueError:
        return False
    return parsed.version == 4 and str(parsed) == text  # noqa: PLR2004 - the UUID version


def _amount(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    amount, currency = instruction.amount, instruction.currency
    if not amount.is_finite() or amount <= 0:
        yield _error("AMOUNT_NOT_POSITIVE", f"{amount} cannot be paid.", "amount")
        return
    digits = len(amount.as_tuple().digits)
    if digits > _AMOUNT_DIGITS_MAX or amount.adjusted() >= AMOUNT_INTEGER_DIGITS_MAX:
        words = "The amount has more digits than a payment message can carry."
        yield _error("AMOUNT_TOO_LARGE", words, "amount")
        return
    try:
        known = pycountry.currencies.get(alpha_3=currency) is not None
        unit, decimals = smallest_unit(currency), minor_units(currency)
    except Invalid:
        known, unit, decimals = False, Decimal(1), 0
    if not known:
        yield _error("CURRENCY_UNKNOWN", f"{currency} is not a currency code.", "currency")
        return
    if amount % unit:
        words = f"{amount} has more decimals than {currency} has ({decimals})."
        yield _error("AMOUNT_PRECISION", words, "amount")
    yield from _rail_amount(instruction, rule)


def _rail_amount(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    amount = instruction.amount
    if rule.currency is not None and instruction.currency != rule.currency:
        words = f"This rail moves {rule.currency}, not {instruction.currency}."
        yield _error("CURRENCY_NOT_ON_RAIL", words, "currency")
    if rule.amount_max is not None and amount > rule.amount_max:
        words = f"This rail moves at most {rule.amount_max:,} in one payment."
        yield _error("AMOUNT_ABOVE_RAIL_MAXIMUM", words, "amount")
    if rule.amount_min is not None and amount < rule.amount_min:
        words = f"This rail moves at least {rule.amount_min:,} in one payment."
        yield _error("AMOUNT_BELOW_RAIL_MINIMUM", words, "amount")


def _dates(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    if instruction.created_at.tzinfo is None:
        yield _error("TIME_NAIVE", "The creation time has no time zone.", "created_at")
        return
    local_day = instruction.created_at.astimezone(ZoneInfo(rule.zone)).date()
    if instruction.execution_date < local_day:
        words = f"{instruction.execution_date} is before {local_day}, the rail's day."
        yield _error("EXECUTION_DATE_PAST", words, "execution_date")


# Codes and texts


def _codes(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    if instruction.charge_bearer not in rule.charge_bearers:
        allowed = ", ".join(sorted(rule.charge_bearers))
        words = f"Charges {instruction.charge_bearer} are not possible here, only {allowed}."
        yield _error("CHARGE_BEARER", words, "charge_bearer")
    purposes = {instruction.purpose, instruction.category_purpose}
    if instruction.charge_bearer == "CRED" and purposes & _OWN_FUNDS_PURPOSES:
        words = "Charges to the receiver would shorten our own funding; use DEBT."
        yield _error("CHARGES_SHORTEN_FUNDING", words, "charge_bearer")
    if rule.service_level and instruction.service_level != rule.service_level:
        words = f"This rail needs service level {rule.service_level}."
        yield _error("SERVICE_LEVEL", words, "service_level")
    if rule.is_sepa and instruction.local_instrument != rule.local_instrument:
        wanted = rule.local_instrument or "none"
        words = f"This rail needs the local instrument: {wanted}."
        yield _error("LOCAL_INSTRUMENT", words, "local_instrument")
    purpose = instruction.purpose
    if purpose and purpose_form(purpose) is None:
        words = (
            f"{purpose!r} is neither an ISO purpose (4 letters) nor one of the UAE (3 letters)"
            " or India (P or S and 4 digits)."
        )
        yield _error("PURPOSE_CODE", words, "purpose")
    if instruction.initiating_party_lei:
        yield from _lei(instruction.initiating_party_lei, "initiating_party_lei")


def _lei(lei: str, locator: str) -> Iterator[Finding]:
    if not (_LEI.fullmatch(lei) and _mod97(lei) == 1):
        yield _error("LEI_INVALID", f"{lei} is not a valid LEI.", locator)


def _mod97(text: str) -> int:
    return int("".join(str(int(character, 36)) for character in text)) % 97


def _texts(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    yield from _name(instruction.initiating_party_name, "initiating_party_name", rule)
    remittance, reference = instruction.remittance, instruction.creditor_reference
    if remittance:
        if len(remittance) > _REMITTANCE_CHARS_MAX:
            words = f"The remittance text has more than {_REMITTANCE_CHARS_MAX} characters."
            yield _error("REMITTANCE_TOO_LONG", words, "remittance")
        yield from _charset(remittance, "remittance")
    if reference and not _is_creditor_reference(reference):
        words = f"{reference} is not a valid creditor reference (RF…)."
        yield _error("CREDITOR_REFERENCE_INVALID", words, "creditor_reference")
    if rule.is_sepa and remittance and reference:
        words = "This rail carries either a text or a creditor reference, not both."
        yield _error("REMITTANCE_TWICE", words, "remittance")


def _is_creditor_reference(reference: str) -> bool:
    match = _CREDITOR_REFERENCE.fullmatch(reference)
    return match is not None and _mod97(reference[4:] + reference[:4]) == 1


def _name(name: str, locator: str, rule: RailRule) -> Iterator[Finding]:
    if not name.strip():
        yield _error("NAME_MISSING", "The name is empty.", locator)
    if len(name) > rule.name_chars_max:
        words = f"The name has {len(name)} characters, {rule.name_chars_max} are allowed."
        yield _error("NAME_TOO_LONG", words, locator)
    yield from _charset(name, locator)


def _charset(text: str, locator: str) -> Iterator[Finding]:
    """Refuse what XML or a line-based rail cannot carry; warn of letters a rail may replace."""
    if any(unicodedata.category(character) in _CONTROL_CATEGORIES for character in text):
        words = "The text has a line break or another character that cannot be sent."
        yield _error("TEXT_CONTROL_CHARACTER", words, locator)
    elif not all(_is_latin(character) for character in text):
        words = "The text has letters outside the Latin alphabet; the bank may replace them."
        yield _warning("TEXT_NOT_LATIN", words, locator)


def _is_latin(character: str) -> bool:
    return character.isascii() or "LATIN" in unicodedata.name(character, "")


# Parties, banks and addresses


def _parties(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    sides = (
        ("debtor", instruction.debtor, instruction.debtor_agent),
        ("creditor", instruction.creditor, instruction.creditor_agent),
    )
    for side, party, agent in sides:
        yield from _name(party.name, f"{side}.name", rule)
        if party.lei:
            yield from _lei(party.lei, f"{side}.lei")
        wrong_account = list(_account(party, side, rule))
        yield from wrong_account
        yield from _agent(agent, side, iban=None if wrong_account else party.iban, rule=rule)
        if party.address is not None:
            yield from _address(party.address, f"{side}.address")
    if instruction.creditor.address is None and _needs_town(instruction.creditor, rule):
        words = "The receiver's address is missing; town and country are needed."
        yield _error("ADDRESS_TOWN_REQUIRED", words, "creditor.address")
    if _same_account(instruction.debtor, instruction.creditor):
        words = "The payment would go from an account to itself."
        yield _error("ACCOUNTS_EQUAL", words, "creditor")


def _same_account(debtor: Party, creditor: Party) -> bool:
    ours, theirs = debtor.iban or debtor.number, creditor.iban or creditor.number
    return ours is not None and ours == theirs


def _needs_town(creditor: Party, rule: RailRule) -> bool:
    if rule.is_sepa:
        country = (creditor.iban or "")[:2]
        return bool(country) and country not in EEA_COUNTRIES
    return rule.needs_creditor_town


def _account(party: Party, side: str, rule: RailRule) -> Iterator[Finding]:
    if party.iban is not None:
        try:
            iban = schwifty.IBAN(party.iban)
        except SchwiftyException:
            yield _error("IBAN_INVALID", f"{party.iban} is not a valid IBAN.", f"{side}.iban")
            return
        if str(iban) != party.iban:
            words = "The IBAN must be written without blanks, in capitals."
            yield _error("IBAN_INVALID", words, f"{side}.iban")
        elif rule.is_sepa and not iban.in_sepa_zone:
            words = f"{party.iban[:2]} takes no part in SEPA."
            yield _error("IBAN_NOT_IN_SEPA", words, f"{side}.iban")
    elif rule.needs_ibans:
        yield _error("IBAN_MISSING", "This rail needs an IBAN.", f"{side}.iban")
    elif not party.number:
        yield _error("ACCOUNT_MISSING", "The account is missing.", side)
    elif not _NUMBER.fullmatch(party.number):
        words = "An account number has at most 34 letters and digits."
        yield _error("ACCOUNT_NUMBER", words, f"{side}.number")


def _agent(agent: Agent, side: str, *, iban: str | None, rule: RailRule) -> Iterator[Finding]:
    locator = f"{side}_agent"
    if agent.bic:
        yield from _bic(agent.bic, f"{locator}.bic", iban=iban)
    if agent.clearing_member:
        yield from _clearing_member(agent, locator)
    # In SEPA the receiver's IBAN is enough; the sender's bank is always named.
    optional = rule.is_sepa and side == "creditor"
    if not agent.bic and not agent.clearing_member and not optional:
        yield _error("AGENT_MISSING", "The bank is missing (BIC or clearing code).", locator)


def _bic(bic: str, locator: str, *, iban: str | None) -> Iterator[Finding]:
    try:
        parsed = schwifty.BIC(bic, enforce_swift_compliance=True)
    except SchwiftyException:
        yield _error("BIC_INVALID", f"{bic} is not a valid BIC.", locator)
        return
    if str(parsed) != bic:
        yield _error("BIC_INVALID", "The BIC must be written in capitals.", locator)
    elif bic[7] == "0":
        yield _error("BIC_TEST", f"{bic} is a test BIC; it reaches no bank.", locator)
    elif bic[7] == "1":
        words = f"{bic} is a passive participant; it cannot be reached."
        yield _error("BIC_PASSIVE", words, locator)
    elif iban and not _same_country(iban[:2], bic[4:6]):
        words = f"The IBAN is of {iban[:2]}, the BIC of {bic[4:6]}: please check."
        yield _warning("IBAN_BIC_COUNTRY", words, locator)


def _same_country(left: str, right: str) -> bool:
    return left == right or any({left, right} <= group for group in SHARED_COUNTRIES)


def _clearing_member(agent: Agent, locator: str) -> Iterator[Finding]:
    member, system = agent.clearing_member or "", agent.clearing_system
    valid = {
        "USABA": bool(_ABA.fullmatch(member)) and _aba_sum(member) % 10 == 0,
        "GBDSC": bool(_SORT_CODE.fullmatch(member)),
        "INFSC": bool(_IFSC.fullmatch(member)),
    }
    if system not in valid:
        words = f"{system} is not one of {', '.join(valid)}."
        yield _error("CLEARING_SYSTEM_UNKNOWN", words, f"{locator}.clearing_system")
    elif not valid[system]:
        words = f"{member} is not a valid bank code of {system}."
        yield _error("CLEARING_MEMBER_INVALID", words, f"{locator}.clearing_member")


def _aba_sum(member: str) -> int:
    return sum(weight * int(digit) for weight, digit in zip((3, 7, 1) * 3, member, strict=True))


def _address(address: PostalAddress, locator: str) -> Iterator[Finding]:
    if not address.town:
        if address.lines:
            words = "Free address lines alone are refused since November 2026."
            yield _error("ADDRESS_UNSTRUCTURED", words, locator)
        words = "The address has no town; it is needed and cannot be guessed."
        yield _error("ADDRESS_TOWN_REQUIRED", words, f"{locator}.town")
    elif address.town.strip(" .").upper() in _NO_TOWNS:
        words = f"“{address.town}” is no town; banks refuse what was filled in for form's sake."
        yield _error("ADDRESS_TOWN_INVENTED", words, f"{locator}.town")
    elif _MIXED_TOWN.search(address.town):
        words = f"“{address.town}” looks like more than a town; post code and country stand apart."
        yield _warning("ADDRESS_TOWN_MIXED", words, f"{locator}.town")
    if not address.country:
        words = "The address has no country."
        yield _error("ADDRESS_COUNTRY_REQUIRED", words, f"{locator}.country")
    elif pycountry.countries.get(alpha_2=address.country) is None:
        words = f"{address.country} is not a country code."
        yield _error("ADDRESS_COUNTRY_UNKNOWN", words, f"{locator}.country")
    yield from _address_lines(address, locator)
    yield from _address_lengths(address, locator)


def _address_lines(address: PostalAddress, locator: str) -> Iterator[Finding]:
    if len(address.lines) > _ADDRESS_LINES_MAX:
        words = f"At most {_ADDRESS_LINES_MAX} free address lines are allowed."
        yield _error("ADDRESS_LINES_TOO_MANY", words, f"{locator}.lines")
    structured = {
        getattr(address, name).casefold()
        for name in _ADDRESS_CHARS_MAX
        if name != "country" and len(getattr(address, name)) >= _REPEAT_CHARS_MIN
    }
    for line in address.lines:
        if not 0 < len(line) <= 70:  # noqa: PLR2004 - the schema's length of an address line
            words = "A free address line has 1 to 70 characters."
            yield _error("ADDRESS_LINE_LENGTH", words, f"{locator}.lines")
        if line.casefold() in structured or _contains_word(line, address.town):
            words = "A free address line repeats what a field of the address says."
            yield _error("ADDRESS_REPEATED", words, f"{locator}.lines")
        yield from _charset(line, f"{locator}.lines")


def _contains_word(line: str, town: str) -> bool:
    if len(town) < _REPEAT_CHARS_MIN:
        return False
    pattern = rf"(?<!\w){re.escape(town.casefold())}(?!\w)"
    return re.search(pattern, line.casefold()) is not None


def _address_lengths(address: PostalAddress, locator: str) -> Iterator[Finding]:
    for field in fields(address):
        chars_max = _ADDRESS_CHARS_MAX.get(field.name)
        if chars_max is None:
            continue
        content = getattr(address, field.name)
        if len(content) > chars_max:
            words = f"{field.name} has {len(content)} characters, {chars_max} are allowed."
            yield _error("ADDRESS_FIELD_TOO_LONG", words, f"{locator}.{field.name}")
        yield from _charset(content, f"{locator}.{field.name}")


# What a rail's terms and a bank's format ask for


def _terms(instruction: PaymentInstruction, rule: RailRule, terms: RailTerms) -> Iterator[Finding]:
    yield from _account_form(instruction, terms.account)
    yield from _address_form(instruction, rule, terms.address)
    if terms.name_chars_max < rule.name_chars_max:
        for side, party in (("debtor", instruction.debtor), ("creditor", instruction.creditor)):
            if terms.name_chars_max < len(party.name) <= rule.name_chars_max:
                words = (
                    f"The name has {len(party.name)} characters, this bank takes"
                    f" {terms.name_chars_max}."
                )
                yield _error("NAME_TOO_LONG", words, f"{side}.name")
    if terms.purpose_required and not instruction.purpose and instruction.currency != "AED":
        words = "This bank wants a purpose code on this rail."
        yield _error("PURPOSE_REQUIRED", words, "purpose")


def _account_form(instruction: PaymentInstruction, form: AccountForm) -> Iterator[Finding]:
    iban, system = instruction.creditor.iban, instruction.creditor_agent.clearing_system
    if form is AccountForm.IBAN and iban is None:
        yield _error("IBAN_MISSING", "This rail needs an IBAN.", "creditor.iban")
    elif form is AccountForm.UAE_IBAN and iban is not None and not iban.startswith("AE"):
        yield _error("IBAN_NOT_UAE", "This rail pays to IBANs of the UAE only.", "creditor.iban")
    elif form is AccountForm.ABA and system != "USABA":
        words = "The ABA number of the receiver's bank is missing (nine digits)."
        yield _error("ABA_REQUIRED", words, "creditor_agent.clearing_member")
    elif form is AccountForm.SORT_CODE and system != "GBDSC":
        words = "The sort code of the receiver's bank is missing (six digits)."
        yield _error("SORT_CODE_REQUIRED", words, "creditor_agent.clearing_member")
    elif form is AccountForm.IFSC and system != "INFSC" and instruction.currency != "INR":
        words = "The IFSC of the receiver's branch is missing."
        yield _error("IFSC_REQUIRED", words, "creditor_agent.clearing_member")


def _address_form(
    instruction: PaymentInstruction, rule: RailRule, form: AddressForm
) -> Iterator[Finding]:
    ends = rule.unstructured_until
    if form is AddressForm.UNSTRUCTURED and ends and instruction.execution_date >= ends:
        words = (
            f"This bank's profile asks for unstructured addresses; the rail refuses them since"
            f" {ends:%d %B %Y}. Change the profile to structured or hybrid."
        )
        yield _error("ADDRESS_UNSTRUCTURED", words, "creditor.address")
    if form is AddressForm.STRUCTURED:
        for side, party in (("debtor", instruction.debtor), ("creditor", instruction.creditor)):
            if party.address is not None and party.address.lines:
                words = "This bank takes no free address lines."
                yield _error("ADDRESS_LINES_REFUSED", words, f"{side}.address.lines")


def _interbank(instruction: PaymentInstruction, writing: Writing) -> Iterator[Finding]:
    if not writing.format.is_interbank:
        return
    if instruction.charge_bearer == "SLEV":
        words = f"{writing.format} knows charges DEBT, SHAR and CRED, not SLEV."
        yield _error("CHARGE_BEARER", words, "charge_bearer")
    for side in ("debtor", "creditor"):
        if not getattr(instruction, f"{side}_agent").bic:
            words = f"{writing.format} goes between banks: the BIC of the {side}'s bank is missing."
            yield _error("AGENT_BIC_REQUIRED", words, f"{side}_agent.bic")


# Rules of single countries


def _local_rules(instruction: PaymentInstruction, rule: RailRule) -> Iterator[Finding]:
    currencies = {instruction.currency, rule.currency}
    if "AED" in currencies:
        yield from _emirates(instruction)
    if "INR" in currencies:
        yield from _india(instruction)


def _emirates(instruction: PaymentInstruction) -> Iterator[Finding]:
    if not instruction.purpose or not _TTC.fullmatch(instruction.purpose):
        words = "Payments in AED need a purpose of the UAE central bank (three letters)."
        yield _error("PURPOSE_TTC_REQUIRED", words, "purpose")
    if instruction.creditor.iban is None:
        words = "Payments in AED need the receiver's IBAN."
        yield _error("IBAN_MISSING", words, "creditor.iban")


def _india(instruction: PaymentInstruction) -> Iterator[Finding]:
    if instruction.creditor_agent.clearing_system != "INFSC":
        words = "Payments in INR need the IFSC of the receiver's branch (INFSC)."
        yield _error("IFSC_REQUIRED", words, "creditor_agent.clearing_member")
    if not instruction.creditor.number:
        words = "India has no IBAN: the account number is needed."
        yield _error("ACCOUNT_MISSING", words, "creditor.number")
    if instruction.amount >= _INDIA_LEI_FROM and not instruction.debtor.lei:
        words = f"From {_INDIA_LEI_FROM:,} INR the sender's LEI is expected."
        yield _warning("LEI_EXPECTED", words, "debtor.lei")
