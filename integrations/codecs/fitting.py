"""Bring an order into the form that one bank wants on one rail, and say what was changed."""

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Final

import schwifty
from schwifty.exceptions import SchwiftyException

from integrations.codecs.instructions import (
    Agent,
    Party,
    PaymentInstruction,
    PostalAddress,
    RegulatoryReport,
)
from integrations.codecs.order_parts import EARLY_ADDRESS_FIELDS
from integrations.codecs.rails import RAILS
from integrations.codecs.records import Finding
from integrations.codecs.text import carried
from integrations.dialects.writing import (
    PLACES,
    AccountForm,
    AddressForm,
    Charset,
    Format,
    PurposePlace,
    RailTerms,
    RegulatoryRule,
    Writing,
)

_CHARSET_NAMES: Final = {
    Charset.UTF_8: "every letter",
    Charset.LATIN_1: "Latin-1",
    Charset.ASCII: "ASCII",
    Charset.SWIFT_X: "SWIFT's character set X",
}
_REPORT_LINE_CHARS_MAX: Final = 35
_NOTE_CHARS_MAX: Final = 140
_REPORT_CODE_CHARS_MAX: Final = 10


@dataclass(frozen=True, slots=True, kw_only=True)
class Fitted:
    """An order as its bank will read it, with notes on every text that was rewritten."""

    instruction: PaymentInstruction
    notes: tuple[Finding, ...]


def fit(instruction: PaymentInstruction, *, rail: str, writing: Writing) -> Fitted:
    """Return the order in the bank's letters, account form, purposes and reports.

    Addresses keep their fields, so that they can be checked; `shaped` gives them their last form.
    """
    terms = writing.terms(rail)
    texts = _Texts(writing)
    rewritten = texts.of_order(instruction)
    fitted = _with_account(_with_purposes(rewritten, rail=rail, writing=writing), terms)
    note = _filled(writing.note_to_bank, fitted)
    rule = RAILS.get(rail)
    fitted = replace(
        fitted,
        note_to_bank=texts.plain(note)[:_NOTE_CHARS_MAX] if note else fitted.note_to_bank,
        regulatory=tuple(texts.of_report(report) for report in fitted.regulatory),
        execution_zone=rule.zone if rule else fitted.execution_zone,
    )
    if not writing.lei:
        fitted = replace(
            fitted,
            initiating_party_lei=None,
            debtor=replace(fitted.debtor, lei=None),
            creditor=replace(fitted.creditor, lei=None),
        )
    return Fitted(instruction=fitted, notes=(*texts.notes, *_left_out(fitted, writing)))


def fit_party(party: Party, side: str, writing: Writing) -> tuple[Party, tuple[Finding, ...]]:
    """Return a party in the bank's letters, with notes on what was rewritten."""
    texts = _Texts(writing)
    return texts.of_party(party, side), tuple(texts.notes)


def shaped(instruction: PaymentInstruction, form: AddressForm) -> PaymentInstruction:
    """Return the order with its addresses in the form that the bank wants."""
    if form is not AddressForm.UNSTRUCTURED:
        return instruction
    return replace(
        instruction,
        debtor=_in_lines(instruction.debtor),
        creditor=_in_lines(instruction.creditor),
    )


def _in_lines(party: Party) -> Party:
    address = party.address
    if address is None or not (address.town or address.street):
        return party
    street = " ".join(filter(None, (address.street, address.building_number)))
    town = " ".join(filter(None, (address.post_code, address.town)))
    lines = tuple(filter(None, (street, *address.lines, town)))
    return replace(party, address=PostalAddress(country=address.country, lines=lines))


class _Texts:
    """Rewrites the texts of one order and remembers which ones changed."""

    def __init__(self, writing: Writing) -> None:
        self.notes: list[Finding] = []
        self._writing = writing

    def plain(self, text: str) -> str:
        """Return a text in the bank's letters, without a note."""
        return carried(text, self._writing.charset, self._writing.replacements)

    def of(self, text: str, locator: str) -> str:
        """Return a text in the bank's letters; a change is noted."""
        found = self.plain(text)
        if found != text:
            words = (
                f"{locator} is sent as “{found}”, not “{text}”: the bank's line does not carry"
                f" letters outside {_CHARSET_NAMES[self._writing.charset]}."
            )
            self.notes.append(Finding(code="TEXT_REWRITTEN", message=words, locator=locator))
        return found

    def of_order(self, instruction: PaymentInstruction) -> PaymentInstruction:
        """Return the order with every text for people rewritten; references are never touched."""
        remittance = instruction.remittance
        return replace(
            instruction,
            initiating_party_name=self.plain(instruction.initiating_party_name),
            debtor=self.of_party(instruction.debtor, "debtor"),
            creditor=self.of_party(instruction.creditor, "creditor"),
            remittance=self.of(remittance, "remittance") if remittance else remittance,
        )

    def of_report(self, report: RegulatoryReport) -> RegulatoryReport:
        """Return a report in the bank's letters, its lines cut to what they may hold."""
        lines = (self.plain(line)[:_REPORT_LINE_CHARS_MAX] for line in report.information)
        return replace(
            report,
            authority_name=self.plain(report.authority_name),
            information=tuple(filter(None, lines)),
        )

    def of_party(self, party: Party, side: str) -> Party:
        """Return a party with name and address rewritten."""
        address = party.address
        return replace(
            party,
            name=self.of(party.name, f"{side}.name"),
            address=self._address(address, f"{side}.address") if address else None,
        )

    def _address(self, address: PostalAddress, locator: str) -> PostalAddress:
        parts = {
            one.name: self.of(getattr(address, one.name), f"{locator}.{one.name}")
            for one in fields(address)
            if one.name != "lines"
        }
        lines = tuple(self.of(line, f"{locator}.lines") for line in address.lines)
        return PostalAddress(**parts, lines=lines)


def _left_out(instruction: PaymentInstruction, writing: Writing) -> Iterator[Finding]:
    """Name what a message of 2009 has no place for."""
    if writing.format is not Format.PAIN_001_03:
        return
    for side in ("debtor", "creditor"):
        address = getattr(instruction, side).address
        for one in fields(PostalAddress) if address else ():
            if one.name in EARLY_ADDRESS_FIELDS or one.name == "lines":
                continue
            if getattr(address, one.name):
                locator = f"{side}.address.{one.name}"
                words = f"{locator} has no place in {writing.format} and is left out."
                yield Finding(code="ADDRESS_PART_LEFT_OUT", message=words, locator=locator)


# Accounts


def _with_account(instruction: PaymentInstruction, terms: RailTerms) -> PaymentInstruction:
    """Write a British IBAN as sort code and number where the bank wants it so."""
    iban = instruction.creditor.iban
    if terms.account is not AccountForm.SORT_CODE or not iban or not iban.startswith("GB"):
        return instruction
    try:
        known = schwifty.IBAN(iban)
    except SchwiftyException:
        return instruction
    agent = instruction.creditor_agent
    sort_code = agent.clearing_member or known.branch_code
    return replace(
        instruction,
        creditor=replace(instruction.creditor, iban=None, number=known.account_code),
        creditor_agent=Agent(bic=agent.bic, clearing_system="GBDSC", clearing_member=sort_code),
    )


# Purposes and reports to authorities


def _with_purposes(
    instruction: PaymentInstruction, *, rail: str, writing: Writing
) -> PaymentInstruction:
    terms = writing.terms(rail)
    ours = instruction.purpose or ""
    code = terms.purpose_codes.get(ours, ours)
    named = replace(instruction, purpose=code or None)
    reports = tuple(
        _report(rule, named) for rule in writing.regulatory if rule.applies(rail=rail, purpose=code)
    )
    wants_report = terms.purpose_place is not PurposePlace.PURPOSE
    if code and wants_report and all(report.code != code for report in reports):
        reports = (*reports, RegulatoryReport(code=code[:_REPORT_CODE_CHARS_MAX]))
    is_reported = any(report.code == code for report in reports) if code else False
    only_there = terms.purpose_place is PurposePlace.REGULATORY or _is_foreign(code)
    return replace(
        named,
        regulatory=(*instruction.regulatory, *reports),
        purpose_is_reported=is_reported and only_there,
    )


def _is_foreign(code: str) -> bool:
    """Return whether a purpose is neither of ISO nor of the UAE: it has its place in a report."""
    return bool(code) and len(code) not in (3, 4)


def _report(rule: RegulatoryRule, instruction: PaymentInstruction) -> RegulatoryReport:
    return RegulatoryReport(
        indicator=rule.indicator,
        authority_name=rule.authority_name,
        authority_country=rule.authority_country,
        type=rule.type,
        country=rule.country,
        code=rule.code or (instruction.purpose or "")[:_REPORT_CODE_CHARS_MAX],
        information=tuple(_filled(line, instruction) for line in rule.information),
    )


def _filled(words: str, instruction: PaymentInstruction) -> str:
    """Return a profile's words with what the order says in their places."""
    said = {
        "reference": instruction.end_to_end_id,
        "purpose": instruction.purpose or "",
        "debtor": instruction.debtor.name,
        "creditor": instruction.creditor.name,
    }
    for place in PLACES:
        words = words.replace(f"{{{place}}}", said[place])
    return words
