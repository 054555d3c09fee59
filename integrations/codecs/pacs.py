"""Write pacs.008 and pacs.009, credit transfers as banks exchange them, with their header.

For counterparts that take interbank messages from us; `sender_bic` is who we are among banks.
"""

from collections.abc import Sequence
from typing import Final

from lxml import etree

from integrations.codecs.elements import Element
from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.instructions import Agent, Party, PaymentInstruction
from integrations.codecs.order_parts import Message, moment_text, written
from integrations.codecs.pain001 import require_together
from integrations.dialects.writing import Format, Writing

HEADER: Final = Message(name="head.001.001.02")
ENVELOPE: Final = "Envelope"
# The account that is debited is the one we hold with the receiver of the message.
_SETTLEMENT_METHOD: Final = "INDA"


def write_pacs008(instructions: Sequence[PaymentInstruction], *, writing: Writing) -> bytes:
    """Write customer credit transfers between banks.

    Raises:
        UnwritableMessage: they cannot share a message, or something cannot be expressed.
    """
    message, document, root = _opened(instructions, writing, "FIToFICstmrCdtTrf")
    for instruction in instructions:
        transfer = _transfer(message, root, instruction)
        message.add(transfer, "ChrgBr", instruction.charge_bearer)
        _add_senders(message, transfer, instruction, writing)
        message.party(transfer, "Dbtr", instruction.debtor)
        message.account(transfer, "DbtrAcct", instruction.debtor)
        message.agent(transfer, "DbtrAgt", instruction.debtor_agent)
        message.agent(transfer, "CdtrAgt", instruction.creditor_agent)
        message.party(transfer, "Cdtr", instruction.creditor)
        message.account(transfer, "CdtrAcct", instruction.creditor)
        _add_note(message, transfer, instruction)
        message.purpose(transfer, instruction)
        message.reports(transfer, instruction.regulatory)
        message.remittance(transfer, instruction)
    return _finished(document, instructions[0], writing)


def write_pacs009(instructions: Sequence[PaymentInstruction], *, writing: Writing) -> bytes:
    """Write credit transfers of institutions on their own account (CORE, no cover payments).

    Raises:
        UnwritableMessage: they cannot share a message, or something cannot be expressed.
    """
    message, document, root = _opened(instructions, writing, "FICdtTrf")
    for instruction in instructions:
        transfer = _transfer(message, root, instruction)
        _add_senders(message, transfer, instruction, writing)
        _add_institution(message, transfer, "Dbtr", instruction.debtor, bic=writing.sender_bic)
        message.account(transfer, "DbtrAcct", instruction.debtor)
        message.agent(transfer, "DbtrAgt", instruction.debtor_agent)
        message.agent(transfer, "CdtrAgt", instruction.creditor_agent)
        _add_institution(message, transfer, "Cdtr", instruction.creditor, bic="")
        message.account(transfer, "CdtrAcct", instruction.creditor)
        _add_note(message, transfer, instruction)
        message.purpose(transfer, instruction)
        if instruction.remittance:
            message.path(transfer, "RmtInf", "Ustrd", content=instruction.remittance)
    return _finished(document, instructions[0], writing)


def _opened(
    instructions: Sequence[PaymentInstruction], writing: Writing, root_name: str
) -> tuple[Message, Element, Element]:
    require_together(instructions)
    first = instructions[0]
    message = Message(name=writing.format)
    document, root = message.document(root_name)
    header = message.add(root, "GrpHdr")
    message.add(header, "MsgId", first.message_id)
    message.add(header, "CreDtTm", moment_text(first.created_at))
    message.totals(header, instructions)
    message.path(header, "SttlmInf", "SttlmMtd", content=_SETTLEMENT_METHOD)
    message.agent(header, "InstgAgt", Agent(bic=writing.sender_bic))
    message.agent(header, "InstdAgt", first.debtor_agent)
    return message, document, root


def _transfer(message: Message, root: Element, instruction: PaymentInstruction) -> Element:
    transfer = message.add(root, "CdtTrfTxInf")
    identification = message.add(transfer, "PmtId")
    if instruction.instruction_id:
        message.add(identification, "InstrId", instruction.instruction_id)
    message.add(identification, "EndToEndId", instruction.end_to_end_id)
    message.add(identification, "TxId", instruction.end_to_end_id)
    if instruction.uetr:
        message.add(identification, "UETR", instruction.uetr)
    message.payment_type(transfer, instruction)
    message.amount(transfer, "IntrBkSttlmAmt", instruction)
    message.add(transfer, "IntrBkSttlmDt", instruction.execution_date.isoformat())
    return transfer


def _add_senders(
    message: Message, transfer: Element, instruction: PaymentInstruction, writing: Writing
) -> None:
    message.agent(transfer, "InstgAgt", Agent(bic=writing.sender_bic))
    message.agent(transfer, "InstdAgt", instruction.debtor_agent)


def _add_institution(
    message: Message, transfer: Element, name: str, party: Party, *, bic: str
) -> None:
    """Add a party as the institution it acts as; a BIC alone says enough."""
    institution = message.add(message.add(transfer, name), "FinInstnId")
    if bic:
        message.add(institution, "BICFI", bic)
    if party.lei:
        message.add(institution, "LEI", party.lei)
    if not bic:
        message.add(institution, "Nm", party.name)
        if party.address is not None:
            message.address(institution, party.address)


def _add_note(message: Message, transfer: Element, instruction: PaymentInstruction) -> None:
    if instruction.note_to_bank:
        message.path(transfer, "InstrForNxtAgt", "InstrInf", content=instruction.note_to_bank)


def _finished(document: Element, first: PaymentInstruction, writing: Writing) -> bytes:
    if not writing.business_header:
        return written(document)
    if not first.debtor_agent.bic:
        raise UnwritableMessage(
            "The header names the bank that receives it by its BIC.",
            code="receiver_missing",
            locator="debtor_agent.bic",
        )
    envelope = etree.Element(ENVELOPE)
    envelope.append(_header(first, writing))
    envelope.append(document)
    return written(envelope)


def _header(first: PaymentInstruction, writing: Writing) -> Element:
    header = etree.Element(f"{{{HEADER.namespace}}}AppHdr", nsmap={None: HEADER.namespace})
    for name, bic in (("Fr", writing.sender_bic), ("To", first.debtor_agent.bic or "")):
        HEADER.path(header, name, "FIId", "FinInstnId", "BICFI", content=bic)
    HEADER.add(header, "BizMsgIdr", first.message_id)
    HEADER.add(header, "MsgDefIdr", writing.format)
    HEADER.add(header, "CreDt", moment_text(first.created_at))
    return header


WRITERS: Final = {
    Format.PACS_008_08: write_pacs008,
    Format.PACS_009_08: write_pacs009,
    Format.PACS_009_09: write_pacs009,
}
