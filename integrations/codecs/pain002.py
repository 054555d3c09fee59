"""Read pain.002: the bank's answer about a payment file, a batch in it, or single payments."""

from dataclasses import dataclass, field
from typing import Final

from integrations.codecs.constants import DETAILS_MAX, UNKNOWN_ELEMENTS_MAX
from integrations.codecs.elements import (
    Element,
    by_name,
    children,
    drop_elders,
    drop_previous,
    finished_elements,
    first_text,
    local_name,
    locate,
    text,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.records import (
    Charge,
    MessageKind,
    PaymentStatus,
    StatusReason,
    StatusReport,
    StatusScope,
)
from integrations.codecs.values import Findings, read_amount, read_datetime, reference, shown

_AWAITED: Final = ("GrpHdr", "OrgnlGrpInfAndSts", "TxInfAndSts", "OrgnlPmtInfAndSts")
_KNOWN: Final = frozenset(
    {
        "RCVD", "ACTC", "ACCP", "ACSP", "ACFC", "ACWC", "ACWP", "ACSC", "ACCC", "PDNG", "PART",
        "PATC", "PRES", "RJCT", "CANC", "BLCK",
    }
)  # fmt: skip


@dataclass(slots=True)
class _Block:
    """A payment information block whose end tag has not been read."""

    name: str | None = None
    status: str | None = None
    reasons: list[StatusReason] = field(default_factory=list)


class StatusReader:
    """Reads the status report of a bank to its customer; between banks only a little differs."""

    kind = MessageKind.PAIN002

    def __init__(self, *, version: str) -> None:
        self.version = version
        self.findings = Findings()
        self.header: Element | None = None
        self.group: Element | None = None
        self.block = _Block()
        self.payments: list[PaymentStatus] = []
        self.unknown_count = 0

    def read(self, data: bytes) -> StatusReport:
        """Read the bytes; see `read_pain002`."""
        for name, element in finished_elements(data, _AWAITED):
            if name == "TxInfAndSts":
                self._end_payment(element)
            elif name == "OrgnlPmtInfAndSts":
                self._end_block(element)
            elif name == "GrpHdr" and self.header is None:
                self.header = element
            elif self.group is None:
                self.group = element
            else:
                self._count_unknown(element)
        return self._report()

    def _original(self) -> str:
        """Return the message id of the file that the report answers."""
        original = text(self.group, "OrgnlMsgId")
        if original is None:
            raise UnreadableMessage(
                "The status report does not say which of our files it answers.",
                code="original_message_missing",
            )
        return original

    def _report(self) -> StatusReport:
        original = self._original()
        group_status = self._known(text(self.group, "GrpSts"), locator=_where(self.group))
        if group_status is None and not self.payments:
            self.findings.add("status_missing", "The status report carries no status at all.")
        return StatusReport(
            message_id=text(self.header, "MsgId") or "",
            created_at=read_datetime(
                text(self.header, "CreDtTm"),
                note=lambda code, words: self.findings.add(code, words, _where(self.header)),
            ),
            original_message_id=original,
            original_message_name=text(self.group, "OrgnlMsgNmId") or "",
            group_status=group_status,
            transactions=tuple(self.payments),
            reasons=_reasons(self.group),
            version=self.version,
            kind=self.kind,
            findings=self.findings.all(),
        )

    def _known(self, status: str | None, *, locator: str) -> str | None:
        if status is not None and status not in _KNOWN:
            self.findings.add("status_unknown", f"The status {shown(status)} is new.", locator)
        return status

    def _count_unknown(self, element: Element) -> None:
        self.unknown_count += 1
        if self.unknown_count > UNKNOWN_ELEMENTS_MAX:
            raise UnreadableMessage(
                f"The file has more than {UNKNOWN_ELEMENTS_MAX:,} elements that no"
                " status report has.",
                code="content_unexpected",
                locator=locate(element),
            )

    def _absorb(self, name: str, element: Element) -> None:
        """Note a child of a block that is about to be dropped."""
        if name == "OrgnlPmtInfId":
            self.block.name = text(element)
        elif name == "PmtInfSts":
            self.block.status = self._known(text(element), locator=locate(element))
        elif name == "StsRsnInf":
            self.block.reasons.extend(_read_reason(element))
        elif name not in {"TxInfAndSts", "GrpHdr", "OrgnlGrpInfAndSts"}:
            self._count_unknown(element)

    def _add(self, payment: PaymentStatus) -> None:
        if len(self.payments) >= DETAILS_MAX:
            raise UnreadableMessage(
                f"The report has more than {DETAILS_MAX:,} statuses; ask the bank to split it.",
                code="too_many_records",
                locator=payment.locator,
            )
        self.payments.append(payment)

    def _end_payment(self, element: Element) -> None:
        if _is_block(element.getparent()):
            drop_elders(element, absorb=self._absorb)
        else:
            drop_previous(element)
        fields = by_name(element)
        locator = locate(element)
        status = self._known(text(fields.get("TxSts")), locator=locator)
        status = status or self.block.status or text(self.group, "GrpSts")
        if status is None:
            words = "A payment is listed without a status; nothing follows from that."
            self.findings.add("status_missing", words, locator)
        else:
            self._add(self._payment(element, fields, status=status))
        element.clear()

    def _payment(
        self, element: Element, fields: dict[str, Element], *, status: str
    ) -> PaymentStatus:
        uetr = text(fields.get("OrgnlUETR"))
        reasons = _reasons(element) or tuple(self.block.reasons)
        return PaymentStatus(
            status=status,
            original_payment_information_id=self.block.name,
            original_instruction_id=reference(text(fields.get("OrgnlInstrId"))),
            original_end_to_end_id=reference(text(fields.get("OrgnlEndToEndId"))),
            original_uetr=None if uetr is None else uetr.lower(),
            reason_code=reasons[0].code if reasons else None,
            reason_text=_all_text(reasons),
            bank_reference=reference(text(fields.get("AcctSvcrRef"))),
            clearing_reference=reference(text(fields.get("ClrSysRef"))),
            original_message_id=first_text(element, ("OrgnlGrpInf", "OrgnlMsgId")),
            said_at=read_datetime(
                text(fields.get("AccptncDtTm")),
                note=lambda code, words: self.findings.add(code, words, locate(element)),
            ),
            said_by=_agent_of(element),
            charges=self._charges(element),
            locator=locate(element),
        )

    def _charges(self, element: Element) -> tuple[Charge, ...]:
        """Read what banks on the way say they took; an amount that is none is a finding."""
        found = []
        for block in children(element, "ChrgsInf"):
            stated = next(iter(children(block, "Amt")), None)
            currency = "" if stated is None else (stated.get("Ccy") or "")
            try:
                amount = read_amount(text(stated), what="A charge", locator=locate(block))
            except UnreadableMessage as error:
                self.findings.add(error.code, error.message, locate(block))
            else:
                found.append(Charge(amount=amount, currency=currency[:3]))
        return tuple(found)

    def _end_block(self, element: Element) -> None:
        for part in element:
            self._absorb(local_name(part.tag), part)
        block, self.block = self.block, _Block()
        if block.status is not None:
            reasons = tuple(block.reasons)
            self._add(
                PaymentStatus(
                    status=block.status,
                    scope=StatusScope.BATCH,
                    original_payment_information_id=block.name,
                    reason_code=reasons[0].code if reasons else None,
                    reason_text=_all_text(reasons),
                    locator=locate(element),
                )
            )
        element.clear()
        drop_previous(element)


def _where(element: Element | None) -> str:
    return "" if element is None else locate(element)


def _all_text(reasons: tuple[StatusReason, ...]) -> str:
    return "; ".join(reason.text for reason in reasons if reason.text)


def _agent_of(element: Element) -> str | None:
    """Return the BIC of the bank that speaks."""
    bank = ("FinInstnId", "BICFI")
    older = ("FinInstnId", "BIC")
    return first_text(
        element,
        ("InstdAgt", *bank), ("InstgAgt", *bank), ("InstdAgt", *older), ("InstgAgt", *older),
    )  # fmt: skip


def _is_block(element: Element | None) -> bool:
    return element is not None and local_name(element.tag) == "OrgnlPmtInfAndSts"


def _read_reason(block: Element) -> list[StatusReason]:
    code = first_text(block, ("Rsn", "Cd"), ("Rsn", "Prtry"), ("StsRsn", "Cd"))
    words = " ".join(
        part.text.strip()
        for part in block
        if part.text and local_name(part.tag) in {"AddtlInf", "AddtlStsRsnInf"}
    )
    return [StatusReason(code=code or "", text=words)] if code or words else []


def _reasons(element: Element | None) -> tuple[StatusReason, ...]:
    """Read the reasons given directly under a status."""
    blocks = children(element, "StsRsnInf")
    return tuple(reason for block in blocks for reason in _read_reason(block))


def read_pain002(data: bytes, *, version: str) -> StatusReport:
    """Read a status report whose bytes come from `elements.as_utf8`.

    Raises:
        UnreadableMessage: not well-formed, or it does not name the file it answers.
    """
    return StatusReader(version=version).read(data)
