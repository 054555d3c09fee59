"""Write pain.001 (credit transfer order) in the versions of 2019 (.09) and 2009 (.03).

The bytes depend on nothing but the instructions and the bank's way of writing, so that the same
order is the same file.
"""

import itertools
from collections.abc import Sequence
from datetime import datetime, time
from typing import Final
from zoneinfo import ZoneInfo

from integrations.codecs.constants import INSTRUCTIONS_MAX
from integrations.codecs.elements import Element
from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, PostalAddress
from integrations.codecs.order_parts import Message, amount_text, moment_text, written
from integrations.codecs.preflight import preflight
from integrations.codecs.schemas import validate_schema
from integrations.dialects.writing import STANDARD, ExecutionDate, Format, Writing

__all__ = [
    "Agent",
    "Party",
    "PaymentInstruction",
    "PostalAddress",
    "amount_text",
    "preflight",
    "require_together",
    "validate_schema",
    "write_pain001",
]

_VERSIONS: Final = {
    Format.PAIN_001_09: Message(name=Format.PAIN_001_09),
    Format.PAIN_001_03: Message(name=Format.PAIN_001_03, is_early=True),
}


def write_pain001(
    instructions: Sequence[PaymentInstruction], *, writing: Writing = STANDARD
) -> bytes:
    """Write one message; instructions of one payment information block must stand together.

    Raises:
        UnwritableMessage: none or too many, different messages or debit sides mixed, a repeated
            reference, an amount the currency cannot express, or text that XML cannot carry.
    """
    require_together(instructions)
    message = _VERSIONS.get(writing.format, _VERSIONS[Format.PAIN_001_09])
    first = instructions[0]
    document, root = message.document("CstmrCdtTrfInitn")
    header = message.add(root, "GrpHdr")
    message.add(header, "MsgId", first.message_id)
    message.add(header, "CreDtTm", moment_text(first.created_at))
    message.totals(header, instructions)
    initiator = message.add(header, "InitgPty")
    message.add(initiator, "Nm", first.initiating_party_name)
    if first.initiating_party_lei:
        message.lei(initiator, first.initiating_party_lei)
    for _, block in itertools.groupby(instructions, key=_block_key):
        _add_block(message, root, list(block), writing)
    return written(document)


def require_together(instructions: Sequence[PaymentInstruction]) -> None:
    """Refuse payments that cannot share a message.

    Raises:
        UnwritableMessage: none or too many, different messages or debit sides mixed, or a
            repeated reference.
    """
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
        instruction.execution_zone,
        instruction.debtor,
        instruction.debtor_agent,
        instruction.charge_bearer,
        instruction.service_level,
        instruction.local_instrument,
        instruction.category_purpose,
    )


def _add_block(
    message: Message, root: Element, instructions: list[PaymentInstruction], writing: Writing
) -> None:
    first = instructions[0]
    block = message.add(root, "PmtInf")
    message.add(block, "PmtInfId", first.payment_information_id)
    message.add(block, "PmtMtd", "TRF")
    # One debit per payment unless the bank wants it so: a batch booking matches no single payment.
    message.add(block, "BtchBookg", "true" if writing.batch_booking else "false")
    message.totals(block, instructions)
    message.payment_type(block, first)
    _add_execution_date(message, block, first, writing)
    message.party(block, "Dbtr", first.debtor)
    message.account(block, "DbtrAcct", first.debtor)
    message.agent(block, "DbtrAgt", first.debtor_agent)
    message.add(block, "ChrgBr", first.charge_bearer)
    for instruction in instructions:
        _add_transfer(message, block, instruction)


def _add_execution_date(
    message: Message, block: Element, instruction: PaymentInstruction, writing: Writing
) -> None:
    day = instruction.execution_date
    if message.is_early:
        message.add(block, "ReqdExctnDt", day.isoformat())
    elif writing.execution_date is ExecutionDate.TIME:
        start = datetime.combine(day, time(), tzinfo=ZoneInfo(instruction.execution_zone))
        message.path(block, "ReqdExctnDt", "DtTm", content=start.isoformat())
    else:
        message.path(block, "ReqdExctnDt", "Dt", content=day.isoformat())


def _add_transfer(message: Message, block: Element, instruction: PaymentInstruction) -> None:
    transfer = message.add(block, "CdtTrfTxInf")
    identification = message.add(transfer, "PmtId")
    if instruction.instruction_id:
        message.add(identification, "InstrId", instruction.instruction_id)
    message.add(identification, "EndToEndId", instruction.end_to_end_id)
    if instruction.uetr and not message.is_early:
        message.add(identification, "UETR", instruction.uetr)
    message.amount(message.add(transfer, "Amt"), "InstdAmt", instruction)
    if instruction.creditor_agent != Agent():
        message.agent(transfer, "CdtrAgt", instruction.creditor_agent)
    message.party(transfer, "Cdtr", instruction.creditor)
    message.account(transfer, "CdtrAcct", instruction.creditor)
    if instruction.note_to_bank:
        message.add(transfer, "InstrForDbtrAgt", instruction.note_to_bank)
    message.purpose(transfer, instruction)
    message.reports(transfer, instruction.regulatory)
    message.remittance(transfer, instruction)
