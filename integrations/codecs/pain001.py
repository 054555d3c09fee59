"""Write pain.001.001.09 (credit transfer order) and check bytes against its published schema.

The bytes depend on nothing but the instructions, so that a resend is the same file.
"""

import itertools
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal
from functools import lru_cache
from importlib import resources
from threading import Lock
from typing import Final

from lxml import etree

from core.errors import Invalid
from core.money import minor_units, smallest_unit
from integrations.codecs.constants import (
    AMOUNT_INTEGER_DIGITS_MAX,
    FINDINGS_MAX,
    INSTRUCTIONS_MAX,
)
from integrations.codecs.elements import Element, as_utf8
from integrations.codecs.errors import UnreadableMessage, UnwritableMessage
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, PostalAddress
from integrations.codecs.preflight import preflight
from integrations.codecs.records import Finding, Severity

__all__ = [
    "Agent",
    "Party",
    "PaymentInstruction",
    "PostalAddress",
    "amount_text",
    "preflight",
    "validate_schema",
    "write_pain001",
]

NAMESPACE: Final = "urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"
_SCHEMA_FILE: Final = "pain.001.001.09.xsd"
_SCHEMA_LOCK: Final = Lock()
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
_ISO_CODE_CHARS: Final = 4


def write_pain001(instructions: Sequence[PaymentInstruction]) -> bytes:
    """Write one message; instructions of one payment information block must stand together.

    Raises:
        UnwritableMessage: none or too many, different messages or debit sides mixed, a repeated
            reference, an amount the currency cannot express, or text that XML cannot carry.
    """
    _check_together(instructions)
    first = instructions[0]
    document = etree.Element(f"{{{NAMESPACE}}}Document", nsmap={None: NAMESPACE})
    root = _add(document, "CstmrCdtTrfInitn")
    header = _add(root, "GrpHdr")
    _add(header, "MsgId", first.message_id)
    _add(header, "CreDtTm", _moment_text(first))
    _add_totals(header, instructions)
    _add_initiator(header, first)
    for _, block in itertools.groupby(instructions, key=_block_key):
        _add_block(root, list(block))
    written: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
    return written


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


def _check_together(instructions: Sequence[PaymentInstruction]) -> None:
    if not 0 < len(instructions) <= INSTRUCTIONS_MAX:
        raise UnwritableMessage(
            f"A message carries 1 to {INSTRUCTIONS_MAX:,} payments, not {len(instructions):,}.",
            code="message_size",
        )
    if len({_message_key(instruction) for instruction in instructions}) > 1:
        raise UnwritableMessage(
            "All payments of a message share its id, creation time and initiating party.",
            code="message_mixed",
            locator="message_id",
        )
    if any(instruction.created_at.tzinfo is None for instruction in instructions):
        raise UnwritableMessage(
            "The creation time needs a time zone.", code="time_naive", locator="created_at"
        )
    blocks = [block_id for (block_id, *_), _ in itertools.groupby(instructions, key=_block_key)]
    if len(blocks) != len(set(blocks)):
        raise UnwritableMessage(
            "Payments of one block must stand together and share the debit side.",
            code="batch_mixed",
            locator="payment_information_id",
        )
    if len({instruction.end_to_end_id for instruction in instructions}) != len(instructions):
        raise UnwritableMessage(
            "Two payments have the same end-to-end reference.",
            code="reference_repeated",
            locator="end_to_end_id",
        )


def _message_key(instruction: PaymentInstruction) -> tuple[object, ...]:
    return (
        instruction.message_id,
        instruction.created_at,
        instruction.initiating_party_name,
        instruction.initiating_party_lei,
    )


def _block_key(instruction: PaymentInstruction) -> tuple[object, ...]:
    return (
        instruction.payment_information_id,
        instruction.execution_date,
        instruction.debtor,
        instruction.debtor_agent,
        instruction.charge_bearer,
        instruction.service_level,
        instruction.local_instrument,
        instruction.category_purpose,
    )


def _moment_text(instruction: PaymentInstruction) -> str:
    moment = instruction.created_at.astimezone(UTC).replace(microsecond=0, tzinfo=None)
    return f"{moment.isoformat()}Z"


def _add(parent: Element, name: str, content: str | None = None) -> Element:
    element = etree.SubElement(parent, f"{{{NAMESPACE}}}{name}")
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


def _add_path(parent: Element, *names: str, content: str) -> None:
    *outer, last = names
    for name in outer:
        parent = _add(parent, name)
    _add(parent, last, content)


def _add_totals(parent: Element, instructions: Sequence[PaymentInstruction]) -> None:
    """Write the count and the control sum: plain addition, whatever the currencies."""
    texts = [amount_text(one.amount, one.currency) for one in instructions]
    _add(parent, "NbOfTxs", str(len(instructions)))
    _add(parent, "CtrlSum", f"{sum(map(Decimal, texts), Decimal(0)):f}")


def _add_initiator(header: Element, instruction: PaymentInstruction) -> None:
    initiator = _add(header, "InitgPty")
    _add(initiator, "Nm", instruction.initiating_party_name)
    if instruction.initiating_party_lei:
        _add_path(initiator, "Id", "OrgId", "LEI", content=instruction.initiating_party_lei)


def _add_block(root: Element, instructions: list[PaymentInstruction]) -> None:
    first = instructions[0]
    block = _add(root, "PmtInf")
    _add(block, "PmtInfId", first.payment_information_id)
    _add(block, "PmtMtd", "TRF")
    # One debit per payment: a batch booking could not be matched to single payments.
    _add(block, "BtchBookg", "false")
    _add_totals(block, instructions)
    _add_payment_type(block, first)
    _add_path(block, "ReqdExctnDt", "Dt", content=first.execution_date.isoformat())
    _add_party(block, "Dbtr", first.debtor)
    _add_account(block, "DbtrAcct", first.debtor)
    _add_agent(block, "DbtrAgt", first.debtor_agent)
    _add(block, "ChrgBr", first.charge_bearer)
    for instruction in instructions:
        _add_transfer(block, instruction)


def _add_payment_type(block: Element, instruction: PaymentInstruction) -> None:
    codes = (
        ("SvcLvl", instruction.service_level),
        ("LclInstrm", instruction.local_instrument),
        ("CtgyPurp", instruction.category_purpose),
    )
    if any(code for _, code in codes):
        kind = _add(block, "PmtTpInf")
        for name, code in codes:
            if code:
                _add_path(kind, name, "Cd", content=code)


def _add_transfer(block: Element, instruction: PaymentInstruction) -> None:
    transfer = _add(block, "CdtTrfTxInf")
    identification = _add(transfer, "PmtId")
    if instruction.instruction_id:
        _add(identification, "InstrId", instruction.instruction_id)
    _add(identification, "EndToEndId", instruction.end_to_end_id)
    if instruction.uetr:
        _add(identification, "UETR", instruction.uetr)
    text = amount_text(instruction.amount, instruction.currency)
    instructed = _add(_add(transfer, "Amt"), "InstdAmt", text)
    instructed.set("Ccy", instruction.currency)
    if instruction.creditor_agent != Agent():
        _add_agent(transfer, "CdtrAgt", instruction.creditor_agent)
    _add_party(transfer, "Cdtr", instruction.creditor)
    _add_account(transfer, "CdtrAcct", instruction.creditor)
    if instruction.purpose:
        # ISO purposes have four letters; others (the three of the UAE) are proprietary.
        coded = len(instruction.purpose) == _ISO_CODE_CHARS
        _add_path(transfer, "Purp", "Cd" if coded else "Prtry", content=instruction.purpose)
    _add_remittance(transfer, instruction)


def _add_remittance(transfer: Element, instruction: PaymentInstruction) -> None:
    if not (instruction.remittance or instruction.creditor_reference):
        return
    remittance = _add(transfer, "RmtInf")
    if instruction.remittance:
        _add(remittance, "Ustrd", instruction.remittance)
    if instruction.creditor_reference:
        reference = _add(_add(remittance, "Strd"), "CdtrRefInf")
        _add_path(reference, "Tp", "CdOrPrtry", "Cd", content="SCOR")
        _add(reference, "Ref", instruction.creditor_reference)


def _add_party(parent: Element, name: str, party: Party) -> None:
    element = _add(parent, name)
    _add(element, "Nm", party.name)
    if party.address is not None:
        _add_address(element, party.address)
    if party.lei:
        _add_path(element, "Id", "OrgId", "LEI", content=party.lei)


def _add_address(element: Element, address: PostalAddress) -> None:
    postal = _add(element, "PstlAdr")
    for name, attribute in _ADDRESS_ELEMENTS:
        content = getattr(address, attribute)
        if content:
            _add(postal, name, content)
    for line in address.lines:
        _add(postal, "AdrLine", line)


def _add_account(parent: Element, name: str, party: Party) -> None:
    if not (party.iban or party.number):
        return
    account = _add(parent, name)
    if party.iban:
        _add_path(account, "Id", "IBAN", content=party.iban)
    else:
        _add_path(account, "Id", "Othr", "Id", content=party.number or "")
    if party.account_currency:
        _add(account, "Ccy", party.account_currency)


def _add_agent(parent: Element, name: str, agent: Agent) -> None:
    institution = _add(_add(parent, name), "FinInstnId")
    if agent.bic:
        _add(institution, "BICFI", agent.bic)
    if agent.clearing_member:
        member = _add(institution, "ClrSysMmbId")
        if agent.clearing_system:
            _add_path(member, "ClrSysId", "Cd", content=agent.clearing_system)
        _add(member, "MmbId", agent.clearing_member)


@lru_cache(maxsize=1)
def _schema() -> etree.XMLSchema:
    source = resources.files("sepaxml").joinpath("schemas", _SCHEMA_FILE)
    with source.open("rb") as stream:
        return etree.XMLSchema(etree.parse(stream, etree.XMLParser(no_network=True)))


def validate_schema(data: bytes) -> tuple[Finding, ...]:
    """Return what the published schema of pain.001.001.09 objects to; empty if nothing."""
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False
    )
    try:
        document = etree.fromstring(as_utf8(data), parser)
    except UnreadableMessage as error:
        return (_objection(error.message, error.locator),)
    except etree.XMLSyntaxError as error:
        return (_objection(f"Not well-formed: {error.msg}", f"line {error.lineno or 1}"),)
    # The compiled schema keeps its list of errors: one check at a time.
    with _SCHEMA_LOCK:
        schema = _schema()
        if schema.validate(document):
            return ()
        errors = itertools.islice(schema.error_log, FINDINGS_MAX)
        return tuple(
            _objection(error.message.replace(f"{{{NAMESPACE}}}", ""), f"line {error.line}")
            for error in errors
        )


def _objection(message: str, locator: str) -> Finding:
    return Finding(code="SCHEMA", message=message, locator=locator, severity=Severity.ERROR)
