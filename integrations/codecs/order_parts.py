"""Parts that all outgoing messages share: parties, accounts, banks, amounts, reports."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Final

from lxml import etree

from core.errors import Invalid
from core.money import minor_units, smallest_unit
from integrations.codecs.constants import AMOUNT_INTEGER_DIGITS_MAX
from integrations.codecs.elements import Element
from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.instructions import (
    Agent,
    Party,
    PaymentInstruction,
    PostalAddress,
    RegulatoryReport,
)

NAMESPACE_PREFIX: Final = "urn:iso:std:iso:20022:tech:xsd:"
# The order of the schema; the free lines come last.
_ADDRESS_ELEMENTS: Final = (
    ("Dept", "department"),
    ("SubDept", "sub_department"),
    ("StrtNm", "street"),
    ("BldgNb", "building_number"),
    ("BldgNm", "building_name"),
    ("Flr", "floor"),
    ("PstBx", "post_box"),
    ("Room", "room"),
    ("PstCd", "post_code"),
    ("TwnNm", "town"),
    ("TwnLctnNm", "town_location"),
    ("DstrctNm", "district"),
    ("CtrySubDvsn", "country_subdivision"),
    ("Ctry", "country"),
)
# What an address of 2009 has; the rest came later.
EARLY_ADDRESS_FIELDS: Final = frozenset(
    {
        "department", "sub_department", "street", "building_number", "post_code", "town",
        "country_subdivision", "country",
    }
)  # fmt: skip
_ISO_CODE_CHARS: Final = 4


def amount_text(amount: Decimal, currency: str) -> str:
    """Return the amount with exactly the decimals of its currency: 100 JPY, 1.250 KWD.

    Raises:
        UnwritableMessage: not positive, too large, or with more decimals than the currency.
    """
    try:
        decimals, unit = minor_units(currency), smallest_unit(currency)
    except Invalid as error:
        raise UnwritableMessage(
            error.message, code="currency_unknown", locator="currency"
        ) from error
    if not amount.is_finite() or amount <= 0 or amount.adjusted() >= AMOUNT_INTEGER_DIGITS_MAX:
        raise UnwritableMessage(
            f"{amount} is not an amount that can be paid.",
            code="amount_unpayable",
            locator="amount",
        )
    if amount % unit:
        raise UnwritableMessage(
            f"{amount} has more decimals than {currency} has ({decimals}).",
            code="amount_too_precise",
            locator="amount",
        )
    return f"{amount:.{decimals}f}"


def moment_text(at: datetime) -> str:
    """Return a moment as messages write it, to the second, in UTC."""
    return f"{at.astimezone(UTC).replace(microsecond=0, tzinfo=None).isoformat()}Z"


def written(document: Element) -> bytes:
    """Return the bytes of a finished message."""
    data: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    return data


@dataclass(frozen=True, slots=True, kw_only=True)
class Message:
    """Writes the elements of one message version; `is_early` is the generation of 2009."""

    name: str
    is_early: bool = False

    @property
    def namespace(self) -> str:
        """Return the namespace of the version."""
        return f"{NAMESPACE_PREFIX}{self.name}"

    def document(self, root: str) -> tuple[Element, Element]:
        """Return a new document and its message element."""
        document = etree.Element(f"{{{self.namespace}}}Document", nsmap={None: self.namespace})
        return document, self.add(document, root)

    def add(self, parent: Element, name: str, content: str | None = None) -> Element:
        """Add one element.

        Raises:
            UnwritableMessage: text that XML cannot carry.
        """
        element = etree.SubElement(parent, f"{{{self.namespace}}}{name}")
        if content is not None:
            try:
                element.text = content
            except ValueError as error:
                raise UnwritableMessage(
                    f"{name} has a character that XML cannot carry.",
                    code="text_unwritable",
                    locator=name,
                ) from error
        return element

    def path(self, parent: Element, *names: str, content: str) -> None:
        """Add elements inside each other, the last with a text."""
        *outer, last = names
        for name in outer:
            parent = self.add(parent, name)
        self.add(parent, last, content)

    def amount(self, parent: Element, name: str, instruction: PaymentInstruction) -> None:
        """Add an amount with its currency."""
        text = amount_text(instruction.amount, instruction.currency)
        self.add(parent, name, text).set("Ccy", instruction.currency)

    def totals(self, parent: Element, instructions: Iterable[PaymentInstruction]) -> None:
        """Add the count and the control sum: plain addition, whatever the currencies."""
        texts = [amount_text(one.amount, one.currency) for one in instructions]
        self.add(parent, "NbOfTxs", str(len(texts)))
        self.add(parent, "CtrlSum", f"{sum(map(Decimal, texts), Decimal(0)):f}")

    def payment_type(self, parent: Element, instruction: PaymentInstruction) -> None:
        """Add service level, local instrument and category, as far as there are any."""
        codes = (
            ("SvcLvl", instruction.service_level),
            ("LclInstrm", instruction.local_instrument),
            ("CtgyPurp", instruction.category_purpose),
        )
        if any(code for _, code in codes):
            kind = self.add(parent, "PmtTpInf")
            for name, code in codes:
                if code:
                    self.path(kind, name, "Cd", content=code)

    def party(self, parent: Element, name: str, party: Party) -> None:
        """Add a company or person with address and identifier."""
        element = self.add(parent, name)
        self.add(element, "Nm", party.name)
        if party.address is not None:
            self.address(element, party.address)
        if party.lei:
            self.lei(element, party.lei)

    def lei(self, element: Element, lei: str) -> None:
        """Add the identifier of a company; early messages have no place of its own for it."""
        organisation = self.add(self.add(element, "Id"), "OrgId")
        if not self.is_early:
            self.add(organisation, "LEI", lei)
            return
        other = self.add(organisation, "Othr")
        self.add(other, "Id", lei)
        self.path(other, "SchmeNm", "Prtry", content="LEI")

    def address(self, element: Element, address: PostalAddress) -> None:
        """Add an address: what is known apart first, free lines last."""
        postal = self.add(element, "PstlAdr")
        for name, attribute in _ADDRESS_ELEMENTS:
            content = getattr(address, attribute)
            if content and (not self.is_early or attribute in EARLY_ADDRESS_FIELDS):
                self.add(postal, name, content)
        for line in address.lines:
            self.add(postal, "AdrLine", line)

    def account(self, parent: Element, name: str, party: Party) -> None:
        """Add an account by IBAN or number."""
        if not (party.iban or party.number):
            return
        account = self.add(parent, name)
        if party.iban:
            self.path(account, "Id", "IBAN", content=party.iban)
        else:
            self.path(account, "Id", "Othr", "Id", content=party.number or "")
        if party.account_currency:
            self.add(account, "Ccy", party.account_currency)

    def agent(self, parent: Element, name: str, agent: Agent) -> None:
        """Add a bank by BIC, clearing code or both."""
        institution = self.add(self.add(parent, name), "FinInstnId")
        if agent.bic:
            self.add(institution, "BIC" if self.is_early else "BICFI", agent.bic)
        if agent.clearing_member:
            member = self.add(institution, "ClrSysMmbId")
            if agent.clearing_system:
                self.path(member, "ClrSysId", "Cd", content=agent.clearing_system)
            self.add(member, "MmbId", agent.clearing_member)

    def purpose(self, parent: Element, instruction: PaymentInstruction) -> None:
        """Add the purpose; those of authorities (not of four letters) are proprietary."""
        code = instruction.purpose
        if code and not instruction.purpose_is_reported:
            coded = len(code) == _ISO_CODE_CHARS
            self.path(parent, "Purp", "Cd" if coded else "Prtry", content=code)

    def reports(self, parent: Element, reports: Iterable[RegulatoryReport]) -> None:
        """Add the reports to authorities."""
        for report in reports:
            element = self.add(parent, "RgltryRptg")
            self.add(element, "DbtCdtRptgInd", report.indicator)
            if report.authority_name or report.authority_country:
                authority = self.add(element, "Authrty")
                self._filled(authority, Nm=report.authority_name, Ctry=report.authority_country)
            if report.type or report.country or report.code or report.information:
                details = self.add(element, "Dtls")
                self._filled(details, Tp=report.type, Ctry=report.country, Cd=report.code)
                for line in report.information:
                    self.add(details, "Inf", line)

    def remittance(self, parent: Element, instruction: PaymentInstruction) -> None:
        """Add what the payee reads: a text, or a creditor reference."""
        if not (instruction.remittance or instruction.creditor_reference):
            return
        remittance = self.add(parent, "RmtInf")
        if instruction.remittance:
            self.add(remittance, "Ustrd", instruction.remittance)
        if instruction.creditor_reference:
            reference = self.add(self.add(remittance, "Strd"), "CdtrRefInf")
            self.path(reference, "Tp", "CdOrPrtry", "Cd", content="SCOR")
            self.add(reference, "Ref", instruction.creditor_reference)

    def _filled(self, parent: Element, **texts: str) -> None:
        for name, text in texts.items():
            if text:
                self.add(parent, name, text)
