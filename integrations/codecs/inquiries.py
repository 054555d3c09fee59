"""Write what we ask of banks: camt.060 for a statement or report, pacs.028 for a payment's fate."""

from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.instructions import Agent, Party
from integrations.codecs.order_parts import Message, moment_text, written

CAMT060: Final = Message(name="camt.060.001.05")
PACS028: Final = Message(name="pacs.028.001.03")
REPORTS: Final = ("camt.052", "camt.053", "camt.054")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReportRequest:
    """A wish for statements or reports of one account over some days."""

    message_id: str
    created_at: datetime
    report: str
    account: Party
    bank: Agent
    first_day: date
    last_day: date


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusRequest:
    """A question what became of one payment."""

    message_id: str
    created_at: datetime
    sender_bic: str
    bank: Agent
    original_message_id: str
    original_message_name: str
    end_to_end_id: str
    instruction_id: str | None = None
    uetr: str | None = None


def write_camt060(request: ReportRequest) -> bytes:
    """Write a request for account reports.

    Raises:
        UnwritableMessage: an unknown kind of report, days in the wrong order, or no account.
    """
    if request.report not in REPORTS:
        raise UnwritableMessage(
            f"{request.report} is none of {', '.join(REPORTS)}.",
            code="report_unknown",
            locator="report",
        )
    if request.last_day < request.first_day:
        raise UnwritableMessage(
            "The last day is before the first.", code="days_reversed", locator="last_day"
        )
    if not (request.account.iban or request.account.number):
        raise UnwritableMessage(
            "A report is asked for one account.", code="account_missing", locator="account"
        )
    document, root = CAMT060.document("AcctRptgReq")
    header = CAMT060.add(root, "GrpHdr")
    CAMT060.add(header, "MsgId", request.message_id)
    CAMT060.add(header, "CreDtTm", moment_text(request.created_at))
    wish = CAMT060.add(root, "RptgReq")
    CAMT060.add(wish, "Id", request.message_id)
    CAMT060.add(wish, "ReqdMsgNmId", request.report)
    CAMT060.account(wish, "Acct", request.account)
    owner = CAMT060.add(CAMT060.add(wish, "AcctOwnr"), "Pty")
    CAMT060.add(owner, "Nm", request.account.name)
    CAMT060.agent(wish, "AcctSvcr", request.bank)
    period = CAMT060.add(wish, "RptgPrd")
    days = CAMT060.add(period, "FrToDt")
    CAMT060.add(days, "FrDt", request.first_day.isoformat())
    CAMT060.add(days, "ToDt", request.last_day.isoformat())
    CAMT060.add(period, "Tp", "ALLL")
    return written(document)


def write_pacs028(request: StatusRequest) -> bytes:
    """Write a request for the status of one payment.

    Raises:
        UnwritableMessage: text that XML cannot carry.
    """
    document, root = PACS028.document("FIToFIPmtStsReq")
    header = PACS028.add(root, "GrpHdr")
    PACS028.add(header, "MsgId", request.message_id)
    PACS028.add(header, "CreDtTm", moment_text(request.created_at))
    PACS028.agent(header, "InstgAgt", Agent(bic=request.sender_bic))
    PACS028.agent(header, "InstdAgt", request.bank)
    transaction = PACS028.add(root, "TxInf")
    PACS028.add(transaction, "StsReqId", request.message_id)
    group = PACS028.add(transaction, "OrgnlGrpInf")
    PACS028.add(group, "OrgnlMsgId", request.original_message_id)
    PACS028.add(group, "OrgnlMsgNmId", request.original_message_name)
    if request.instruction_id:
        PACS028.add(transaction, "OrgnlInstrId", request.instruction_id)
    PACS028.add(transaction, "OrgnlEndToEndId", request.end_to_end_id)
    PACS028.add(transaction, "OrgnlTxId", request.end_to_end_id)
    if request.uetr:
        PACS028.add(transaction, "OrgnlUETR", request.uetr)
    return written(document)
