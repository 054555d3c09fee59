"""Read camt.029: the banks' answer to a recall, for one payment or several."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final

from integrations.codecs.elements import (
    Element,
    children,
    finished_elements,
    first_text,
    locate,
    text,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.records import Finding, MessageKind
from integrations.codecs.values import Findings, read_datetime, reference

ANSWERS_MAX: Final = 10_000
# The words of both levels, in the ones of a single payment.
_CONFIRMATIONS: Final = {
    "CNCL": "ACCR", "ACCR": "ACCR", "ACNR": "ACCR", "IPAY": "ACCR",
    "RJCR": "RJCR", "RJNR": "RJCR",
    "PDCR": "PDCR", "PDNG": "PDCR", "PECR": "PDCR", "UWFW": "PDCR",
}  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallAnswer:
    """What a bank says to a recall: ACCR accepted, RJCR refused, PDCR still open."""

    status: str
    case_id: str = ""
    original_end_to_end_id: str | None = None
    original_uetr: str | None = None
    reason_code: str = ""
    reason_text: str = ""
    locator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecallReport:
    """A camt.029 with its answers."""

    message_id: str
    created_at: datetime | None
    answers: tuple[RecallAnswer, ...]
    version: str = ""
    kind: MessageKind = MessageKind.CAMT029
    findings: tuple[Finding, ...] = ()


def read_camt029(data: bytes, *, version: str) -> RecallReport:
    """Read an answer whose bytes come from `elements.as_utf8`.

    Raises:
        UnreadableMessage: not well-formed, or it answers nothing.
    """
    findings = Findings()
    parts: dict[str, Element] = {}
    answers: list[RecallAnswer] = []
    for name, element in finished_elements(data, ("Assgnmt", "Sts", "RslvdCase", "TxInfAndSts")):
        if name != "TxInfAndSts":
            parts.setdefault(name, element)
        elif len(answers) < ANSWERS_MAX:
            answers.extend(_of_payment(element, parts.get("RslvdCase"), findings))
    overall = _CONFIRMATIONS.get(text(parts.get("Sts"), "Conf") or "")
    if not answers and overall:
        case = text(parts.get("RslvdCase"), "Id") or text(parts.get("Assgnmt"), "Id") or ""
        answers = [RecallAnswer(status=overall, case_id=case)]
    if not answers:
        raise UnreadableMessage(
            "The message answers no recall that can be told.", code="recall_answer_missing"
        )
    return RecallReport(
        message_id=text(parts.get("Assgnmt"), "Id") or "",
        created_at=read_datetime(text(parts.get("Assgnmt"), "CreDtTm"), note=findings.add),
        answers=tuple(answers),
        version=version,
        findings=findings.all(),
    )


def _of_payment(element: Element, case: Element | None, findings: Findings) -> list[RecallAnswer]:
    stated = text(element, "TxCxlSts") or ""
    status = _CONFIRMATIONS.get(stated)
    if status is None:
        words = f"The answer {stated[:10] or 'without a status'} is new; it was left out."
        findings.add("recall_status_unknown", words, locate(element))
        return []
    reasons = children(element, "CxlStsRsnInf")
    uetr = text(element, "OrgnlUETR")
    return [
        RecallAnswer(
            status=status,
            case_id=first_text(element, ("RslvdCase", "Id")) or text(case, "Id") or "",
            original_end_to_end_id=reference(text(element, "OrgnlEndToEndId")),
            original_uetr=None if uetr is None else uetr.lower(),
            reason_code=next(
                filter(None, (first_text(one, ("Rsn", "Cd"), ("Rsn", "Prtry")) for one in reasons)),
                "",
            ),
            reason_text="; ".join(
                words for one in reasons for words in [text(one, "AddtlInf")] if words
            ),
            locator=locate(element),
        )
    ]
