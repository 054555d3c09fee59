"""Write camt.056: ask the banks on the way to stop a payment, or to send its money back."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from integrations.codecs.elements import Element
from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.instructions import Agent
from integrations.codecs.order_parts import Message, amount_text, moment_text, written

CAMT056_VERSIONS: Final = ("camt.056.001.08", "camt.056.001.09")
# Why a payment is recalled; the ones that a customer can give.
REASONS: Final = {
    "AC03": "The account that was paid is wrong.",
    "AGNT": "The bank that was paid is wrong.",
    "AM09": "The amount is wrong.",
    "CUST": "The payer wants it back.",
    "CURR": "The currency is wrong.",
    "DUPL": "It was paid twice.",
    "FRAD": "It is a fraud.",
    "TECH": "A technical fault sent it.",
    "UPAY": "It was not due.",
}
_INFORMATION_LINES_MAX: Final = 2
_INFORMATION_CHARS_MAX: Final = 105


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """A payment to be called back: whom we ask, which message carried it, and why."""

    case_id: str
    created_at: datetime
    requester_name: str
    bank: Agent
    original_message_id: str
    original_message_name: str
    end_to_end_id: str
    amount: Decimal
    currency: str
    settlement_date: date
    reason: str
    requester_bic: str = ""
    requester_lei: str | None = None
    original_created_at: datetime | None = None
    instruction_id: str | None = None
    uetr: str | None = None
    information: tuple[str, ...] = ()


def write_camt056(recall: Recall, *, version: str = CAMT056_VERSIONS[0]) -> bytes:
    """Write one recall of one payment.

    Raises:
        UnwritableMessage: an unknown version or reason, too much text, or an amount that the
            currency cannot express.
    """
    _check(recall, version)
    message = Message(name=version)
    document, root = message.document("FIToFIPmtCxlReq")
    assignment = message.add(root, "Assgnmt")
    message.add(assignment, "Id", recall.case_id)
    _add_requester(message, message.add(assignment, "Assgnr"), recall)
    message.agent(message.add(assignment, "Assgne"), "Agt", recall.bank)
    message.add(assignment, "CreDtTm", moment_text(recall.created_at))
    case = message.add(root, "Case")
    message.add(case, "Id", recall.case_id)
    _add_requester(message, message.add(case, "Cretr"), recall)
    message.path(root, "CtrlData", "NbOfTxs", content="1")
    _add_transaction(message, message.add(message.add(root, "Undrlyg"), "TxInf"), recall)
    return written(document)


def _check(recall: Recall, version: str) -> None:
    if version not in CAMT056_VERSIONS:
        raise UnwritableMessage(
            f"{version} is none of {', '.join(CAMT056_VERSIONS)}.", code="version_unknown"
        )
    if recall.reason not in REASONS:
        raise UnwritableMessage(
            f"{recall.reason} is none of {', '.join(REASONS)}.",
            code="reason_unknown",
            locator="reason",
        )
    too_long = any(len(line) > _INFORMATION_CHARS_MAX for line in recall.information)
    if too_long or len(recall.information) > _INFORMATION_LINES_MAX:
        raise UnwritableMessage(
            f"A recall carries {_INFORMATION_LINES_MAX} lines of {_INFORMATION_CHARS_MAX}"
            " characters.",
            code="information_too_long",
            locator="information",
        )


def _add_requester(message: Message, parent: Element, recall: Recall) -> None:
    if recall.requester_bic:
        message.agent(parent, "Agt", Agent(bic=recall.requester_bic))
        return
    party = message.add(parent, "Pty")
    message.add(party, "Nm", recall.requester_name)
    if recall.requester_lei:
        message.lei(party, recall.requester_lei)


def _add_transaction(message: Message, transaction: Element, recall: Recall) -> None:
    message.add(transaction, "CxlId", recall.case_id)
    group = message.add(transaction, "OrgnlGrpInf")
    message.add(group, "OrgnlMsgId", recall.original_message_id)
    message.add(group, "OrgnlMsgNmId", recall.original_message_name)
    if recall.original_created_at:
        message.add(group, "OrgnlCreDtTm", moment_text(recall.original_created_at))
    if recall.instruction_id:
        message.add(transaction, "OrgnlInstrId", recall.instruction_id)
    message.add(transaction, "OrgnlEndToEndId", recall.end_to_end_id)
    message.add(transaction, "OrgnlTxId", recall.end_to_end_id)
    if recall.uetr:
        message.add(transaction, "OrgnlUETR", recall.uetr)
    text = amount_text(recall.amount, recall.currency)
    message.add(transaction, "OrgnlIntrBkSttlmAmt", text).set("Ccy", recall.currency)
    message.add(transaction, "OrgnlIntrBkSttlmDt", recall.settlement_date.isoformat())
    reason = message.add(transaction, "CxlRsnInf")
    message.path(reason, "Rsn", "Cd", content=recall.reason)
    for line in recall.information:
        message.add(reason, "AddtlInf", line)
