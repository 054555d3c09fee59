"""Turn the entries (Ntry) and transactions (TxDtls) of camt.052, 053 and 054 into records.

Covers the layouts from version 1 on: `BIC` and `BICFI`, status as text or code, parties with
and without the `Pty` level, charges flat or in records.
"""

from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal
from typing import Final

from integrations.codecs.camt_parts import Parts, pick, plain_amount, plain_day, plan
from integrations.codecs.elements import (
    Element,
    child,
    children,
    first_text,
    local_name,
    locate,
    text,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.records import (
    AccountRef,
    Charge,
    EntryStatus,
    ExchangeInfo,
    MessageKind,
    ParsedDetail,
    ParsedEntry,
)
from integrations.codecs.values import (
    Findings,
    fit_amount,
    read_amount,
    read_count,
    read_date,
    read_rate,
    reference,
    shown,
)
from integrations.dialects.reading import Reversals

SIGNS: Final = {"CRDT": 1, "DBIT": -1}
_TRUE: Final = frozenset({"true", "1"})
STATUSES: Final = {str(status): status for status in EntryStatus}
# Remittance text is cut into pieces of this length: a full piece runs on into the next one.
_REMITTANCE_PIECE_CHARS: Final = 140
_DOMAIN_CODE: Final = ("Domn/Cd", "Domn/Fmly/Cd", "Domn/Fmly/SubFmlyCd", "Prtry/Cd")
_CODES: Final = tuple(f"BkTxCd/{path}" for path in _DOMAIN_CODE)
_ORIGINAL_CODES: Final = tuple(f"OrgnlBkTxCd/{path}" for path in _DOMAIN_CODE)
_BATCH: Final = plan("CdtDbtInd", "RvslInd")
_ENTRY: Final = plan(
    "Amt/", "BookgDt/Dt", "BookgDt/DtTm", "ValDt/Dt", "ValDt/DtTm", "Sts/Cd", "Sts/Prtry",
    "NtryRef", "AcctSvcrRef", "AddtlNtryInf", "Chrgs/", "AmtDtls/", "Btch/", "NtryDtls/", *_CODES,
)  # fmt: skip
_DETAIL: Final = plan(
    "Refs/AcctSvcrRef", "Refs/EndToEndId", "Refs/InstrId", "Refs/TxId", "Refs/UETR",
    "Refs/PmtInfId", "Refs/MsgId", "Refs/MndtId", "Refs/ClrSysRef", "Amt/", "CdtDbtInd",
    "AmtDtls/", "RltdPties/", "RltdAgts/", "RmtInf/", "RtrInf/", "Chrgs/", "Purp/Cd",
    "Purp/Prtry", "AddtlTxInf", *_CODES,
)  # fmt: skip
_RETURN: Final = plan("Rsn/Cd", "Rsn/Prtry", *_ORIGINAL_CODES)
_STATUS: Final = ("Sts/Cd", "Sts/Prtry")
_REASON: Final = ("Rsn/Cd", "Rsn/Prtry")
_PURPOSE: Final = ("Purp/Cd", "Purp/Prtry")
_NAME: Final = ("Nm", "Pty/Nm", "Agt/FinInstnId/Nm")
_ACCOUNT: Final = ("Id/IBAN", "Id/Othr/Id", "Id/PrtryAcct/Id", "Id/BBAN")
_AGENT: Final = ("FinInstnId/BICFI", "FinInstnId/BIC", "FinInstnId/CmbndId/BIC")


class Role:
    """Where the parties of one role stand below RltdPties and RltdAgts, best place first."""

    def __init__(self, role: str) -> None:
        self.names = tuple(f"{one}/{path}" for one in (role, f"Ultmt{role}") for path in _NAME)
        self.accounts = tuple(f"{role}Acct/{path}" for path in _ACCOUNT)
        self.banks = tuple(f"{role}Agt/{path}" for path in _AGENT)
        self.parties = plan(*self.names, *self.accounts)
        self.agents = plan(*self.banks)


NO_DETAIL: Final = ParsedDetail(amount=None, currency=None)
DEBTOR: Final = Role("Dbtr")
CREDITOR: Final = Role("Cdtr")


@dataclass(slots=True)
class Batch:
    """An entry whose end tag has not been read: where it is, and what it says of its parts.

    `turn` is -1 where the indicators are those of the entry that is taken back.
    """

    locator: str = ""
    sign: int = 0
    is_reversal: bool = False
    turn: int = 1
    count: int | None = None
    total: Decimal | None = None
    payment_information_id: str | None = None
    message_id: str | None = None
    details: list[ParsedDetail] = field(default_factory=list)


def read_flag(value: str | None) -> bool | None:
    return None if value is None else value.lower() in _TRUE


def read_sign(indicator: str | None, *, what: str, locator: str) -> int:
    """Return +1 for CRDT and -1 for DBIT.

    Raises:
        UnreadableMessage: neither; a sign is never guessed.
    """
    if indicator not in SIGNS:
        raise UnreadableMessage(
            f"{what} does not say whether it is a credit or a debit.",
            code="sign_missing",
            locator=locator,
        )
    return SIGNS[indicator]


def read_money(
    element: Element | None, *, what: str, locator: str, currency: str, findings: Findings
) -> tuple[Decimal, str]:
    """Read `<Amt Ccy="EUR">12.50</Amt>`; `currency` stands in where the attribute is missing.

    Raises:
        UnreadableMessage: no amount, an unreadable one, or no currency at all.
    """
    written = text(element)
    stated = "" if element is None else str(element.get("Ccy") or "").strip().upper()
    code = stated or currency
    plain = plain_amount(written, stated) if stated else None
    if plain is not None:
        return plain, stated
    amount = read_amount(written, what=what, locator=locator)
    if not code:
        raise UnreadableMessage(
            f"{what} has no currency.", code="currency_missing", locator=locator
        )
    if not stated:
        findings.add("currency_assumed", f"{what} has no currency; {code} was taken.", locator)
    fitted = fit_amount(
        amount,
        code,
        note=lambda words: findings.add("amount_precision", f"{what}: {words}", locator),
    )
    return fitted, code


def read_day(
    day: str | None, moment: str | None, *, findings: Findings, locator: str
) -> date | None:
    """Read `Dt` or `DtTm`; a date-time gives the bank's local day, whatever its offset."""
    if day is None:
        day = None if moment is None else moment.partition("T")[0]
    plain = None if day is None else plain_day(day)
    if plain is not None:
        return plain
    return read_date(day, note=lambda code, words: findings.add(code, words, locator))


def read_account(element: Element | None, *, findings: Findings) -> AccountRef:
    """Read the account a statement is about."""
    iban = text(element, "Id", "IBAN")
    number = first_text(
        element, ("Id", "Othr", "Id"), ("Id", "PrtryAcct", "Id"), ("Id", "BBAN"), ("Id", "UPIC")
    )
    if iban is None and number is None:
        locator = "" if element is None else locate(element)
        findings.add("account_unknown", "The statement does not name its account.", locator)
    agent = child(child(element, "Svcr"), "FinInstnId")
    owner = child(element, "Ownr")
    return AccountRef(
        iban=None if iban is None else iban.replace(" ", "").upper(),
        number=number,
        currency=text(element, "Ccy"),
        bic=agent_bic(agent),
        name=text(element, "Nm") or party_name(owner),
    )


def agent_bic(institution: Element | None) -> str | None:
    return first_text(institution, ("BICFI",), ("BIC",), ("CmbndId", "BIC"))


def party_name(party: Element | None) -> str:
    found = first_text(party, ("Nm",), ("Pty", "Nm"), ("Agt", "FinInstnId", "Nm"))
    return found or ""


def join_codes(
    domain: str | None, family: str | None, sub_family: str | None, own: str | None
) -> str | None:
    """Return `PMNT/RCDT/ESCT` for a domain code, `PRTRY:…` for the bank's own, else None."""
    if domain or family or sub_family:
        return f"{domain or ''}/{family or ''}/{sub_family or ''}"
    return f"PRTRY:{own}" if own else None


def _transaction_code(found: Parts, paths: tuple[str, ...] = _CODES) -> str | None:
    domain, family, sub_family, own = (found.texts.get(path) for path in paths)
    return join_codes(domain, family, sub_family, own)


def read_status(
    found: Parts, *, kind: MessageKind, findings: Findings, locator: str
) -> EntryStatus:
    """Read an entry's status, as text (to version 7) or as a code.

    Without a status an entry of a statement (053) is booked, any other is only information.
    """
    status = found.first(_STATUS) or text(found.elements.get("Sts"))
    if status in STATUSES:
        return STATUSES[status]
    assumed = EntryStatus.BOOK if kind is MessageKind.CAMT053 else EntryStatus.INFO
    if status is not None:
        assumed = EntryStatus.INFO
    findings.add(
        "status_unknown",
        f"The entry's status {shown(status) if status else 'is missing'};"
        f" it was taken as {assumed}.",
        locator,
    )
    return assumed


def _read_charge(element: Element, *, findings: Findings) -> Charge | None:
    amount = child(element, "Amt")
    if amount is None:
        amount = child(element, "TtlChrgsAndTaxAmt")
    locator = locate(element)
    if amount is None:
        return None
    value, currency = read_money(
        amount, what="A charge", locator=locator, currency="XXX", findings=findings
    )
    kind = first_text(element, ("Tp", "Cd"), ("Tp", "Prtry", "Id"), ("Tp", "Prtry"))
    return Charge(
        amount=-value if text(element, "CdtDbtInd") == "CRDT" else value,
        currency=currency,
        included=read_flag(text(element, "ChrgInclInd")),
        bearer=text(element, "Br"),
        kind=kind or "",
    )


def read_charges(parent: Element, *, findings: Findings) -> tuple[Charge, ...]:
    """Read charges: records inside one `Chrgs` (from version 4), or repeated `Chrgs` before."""
    found = []
    for block in children(parent, "Chrgs"):
        for element in children(block, "Rcrd") or [block]:
            charge = _read_charge(element, findings=findings)
            if charge is not None:
                found.append(charge)
    return tuple(found)


def read_exchange(details: Element | None, *, findings: Findings) -> ExchangeInfo | None:
    """Read the first currency exchange of `AmtDtls`, with the instructed amount if given."""
    if details is None:
        return None
    exchange = next(
        (found for part in details if (found := child(part, "CcyXchg")) is not None), None
    )
    if exchange is None:
        return None
    locator = locate(exchange)
    rate = read_rate(text(exchange, "XchgRate"))
    if rate is None:
        findings.add("rate_unreadable", "A currency exchange has no readable rate.", locator)
    instructed = child(child(details, "InstdAmt"), "Amt")
    amount, currency = None, None
    if instructed is not None:
        amount, currency = read_money(
            instructed,
            what="An instructed amount",
            locator=locator,
            currency="XXX",
            findings=findings,
        )
    return ExchangeInfo(
        source_currency=text(exchange, "SrcCcy"),
        target_currency=text(exchange, "TrgtCcy"),
        unit_currency=text(exchange, "UnitCcy"),
        rate=rate,
        contract=text(exchange, "CtrctId"),
        instructed_amount=amount,
        instructed_currency=currency,
    )


def _read_remittance(element: Element | None) -> tuple[str, tuple[str, ...]]:
    """Return the joined free text and the structured references."""
    if element is None:
        return "", ()
    pieces: list[str] = []
    references: list[str] = []
    for part in element:
        name = local_name(part.tag)
        if name == "Ustrd" and part.text:
            pieces.append(part.text)
        elif name == "Strd":
            creditor = text(part, "CdtrRefInf", "Ref") or text(part, "CdtrRefInf", "CdtrRef")
            if creditor is not None:
                references.append(creditor)
            numbers = (text(document, "Nb") for document in children(part, "RfrdDocInf"))
            references.extend(number for number in numbers if number is not None)
            pieces.extend(extra.text for extra in children(part, "AddtlRmtInf") if extra.text)
    return join_pieces(pieces), tuple(references)


def join_pieces(pieces: list[str], *, piece_chars: int = _REMITTANCE_PIECE_CHARS) -> str:
    """Join cut text: a piece of full length runs on, after a shorter one a blank is due."""
    joined = ""
    due_blank = False
    for piece in pieces:
        joined += f" {piece}" if due_blank else piece
        due_blank = len(piece) < piece_chars and not piece.endswith(" ")
    return joined.strip()


def _counterparty(found: Parts, *, credit: bool, either_side: bool) -> tuple[str, str, str | None]:
    """Return name, account and bank of the other side: for a credit the debtor.

    Where the roles may be those of an earlier payment, the second choice is the other role.
    """
    parties, agents = found.elements.get("RltdPties"), found.elements.get("RltdAgts")
    if parties is None:
        return "", "", None
    roles = (DEBTOR, CREDITOR) if credit else (CREDITOR, DEBTOR)
    for role in roles if either_side else roles[:1]:
        stated = pick(parties, role.parties)
        name, account = stated.first(role.names) or "", stated.first(role.accounts) or ""
        if name or account:
            return name, account, pick(agents, role.agents).first(role.banks)
    return "", "", None


def _detail_amount(
    found: Parts, *, batch: Batch, findings: Findings, locator: str
) -> tuple[Decimal | None, str | None]:
    element = found.elements.get("Amt")
    if element is None:
        element = child(child(found.elements.get("AmtDtls"), "TxAmt"), "Amt")
    if element is None:
        return None, None
    sign = batch.sign
    if "CdtDbtInd" in found.texts:
        stated = found.texts["CdtDbtInd"]
        sign = batch.turn * read_sign(stated, what="A transaction", locator=locator)
    amount, currency = read_money(
        element, what="A transaction", locator=locator, currency="XXX", findings=findings
    )
    return sign * amount, currency


def read_batch(entry: Element, *, locator: str, reversals: Reversals = Reversals.OWN) -> Batch:
    """Read what an entry says of its transactions as a whole.

    By the standard a reversal's indicator is its own; some banks give that of the original.

    Raises:
        UnreadableMessage: no sign.
    """
    texts = pick(entry, _BATCH).texts
    sign = read_sign(texts.get("CdtDbtInd"), what="An entry", locator=locator)
    is_reversal = read_flag(texts.get("RvslInd")) is True
    turn = -1 if is_reversal and reversals is Reversals.ORIGINAL else 1
    return Batch(locator=locator, sign=turn * sign, is_reversal=is_reversal, turn=turn)


def read_detail(
    element: Element, *, batch: Batch, locator: str, findings: Findings
) -> ParsedDetail:
    """Read one TxDtls of the entry behind `batch`.

    Raises:
        UnreadableMessage: an amount that is not a number, or no sign.
    """
    found = pick(element, _DETAIL)
    texts, elements = found.texts, found.elements
    returned = elements.get("RtrInf")
    amount, currency = _detail_amount(found, batch=batch, findings=findings, locator=locator)
    # A reversal or return names the parties in the roles of the payment it undoes.
    undoes = batch.is_reversal or returned is not None
    name, account, bank = _counterparty(
        found, credit=(batch.sign > 0) != undoes, either_side=undoes
    )
    remittance, references = _read_remittance(elements.get("RmtInf"))
    undone = pick(returned, _RETURN)
    uetr = texts.get("Refs/UETR")
    return ParsedDetail(
        amount=amount,
        currency=currency,
        bank_reference=reference(texts.get("Refs/AcctSvcrRef")),
        end_to_end_id=reference(texts.get("Refs/EndToEndId")),
        instruction_id=reference(texts.get("Refs/InstrId")),
        transaction_id=reference(texts.get("Refs/TxId")),
        uetr=None if uetr is None else uetr.lower(),
        payment_information_id=reference(texts.get("Refs/PmtInfId")),
        message_id=reference(texts.get("Refs/MsgId")),
        mandate_id=reference(texts.get("Refs/MndtId")),
        clearing_reference=reference(texts.get("Refs/ClrSysRef")),
        transaction_code=_transaction_code(found),
        counterparty_name=name,
        counterparty_account=account,
        counterparty_bic=bank,
        remittance=remittance,
        structured_references=references,
        purpose=found.first(_PURPOSE),
        return_reason=undone.first(_REASON),
        return_text=" ".join(extra.text or "" for extra in children(returned, "AddtlInf")),
        original_transaction_code=_transaction_code(undone, _ORIGINAL_CODES),
        charges=read_charges(element, findings=findings) if "Chrgs" in elements else (),
        exchange=read_exchange(elements.get("AmtDtls"), findings=findings),
        additional_info=texts.get("AddtlTxInf") or "",
        locator=locator,
    )


def absorb_batch(batch: Batch, element: Element, *, currency: str, findings: Findings) -> None:
    """Note what `Btch` states: number of transactions, their total, the order's references."""
    batch.count = read_count(text(element, "NbOfTxs"))
    batch.payment_information_id = reference(text(element, "PmtInfId"))
    batch.message_id = reference(text(element, "MsgId"))
    total = child(element, "TtlAmt")
    if total is not None:
        batch.total, _ = read_money(
            total,
            what="A batch total",
            locator=locate(element),
            currency=currency,
            findings=findings,
        )


def _read_dates(
    texts: dict[str, str | None], *, findings: Findings, locator: str
) -> tuple[date | None, date | None]:
    booked, value = (
        read_day(
            texts.get(f"{name}/Dt"), texts.get(f"{name}/DtTm"), findings=findings, locator=locator
        )
        for name in ("BookgDt", "ValDt")
    )
    if value is None and booked is None:
        findings.add("entry_without_date", "The entry has neither booking nor value date.", locator)
    return booked, value or booked


def _check_details(batch: Batch, *, amount: Decimal, currency: str, findings: Findings) -> None:
    """Report a batch whose parts are not all there, or do not sum to the entry, with the gap."""
    details = batch.details
    if batch.total is not None and abs(batch.total) != abs(amount):
        findings.add(
            "batch_total_differs",
            f"The batch totals {batch.total}, the entry is {amount} {currency}:"
            f" a gap of {abs(amount) - abs(batch.total)}.",
            batch.locator,
        )
    if len(details) < 2:  # noqa: PLR2004 - a single transaction may be net of charges
        return
    locator = details[0].locator
    if batch.count is not None and batch.count != len(details):
        findings.add(
            "batch_incomplete",
            f"The batch states {batch.count} transactions, {len(details)} are listed:"
            f" {_listed(details, currency)} of {amount} {currency}.",
            locator,
        )
        return
    parts = _listed(details, currency)
    in_one_currency = all(detail.currency == currency for detail in details)
    if in_one_currency and parts != amount:
        findings.add(
            "details_do_not_sum",
            f"The transactions of the batch sum to {parts}, the entry is {amount} {currency}:"
            f" a gap of {amount - parts}.",
            locator,
        )


def _listed(details: list[ParsedDetail], currency: str) -> Decimal:
    """Return the sum of the parts that are in the entry's currency."""
    amounts = (one.amount for one in details if one.currency == currency)
    return sum((part for part in amounts if part is not None), Decimal(0))


def _siblings(element: Element, name: str) -> list[Element]:
    """Return the younger siblings of that local name."""
    return [one for one in element.itersiblings() if local_name(one.tag) == name]


def _pick_entry(element: Element, *, batch: Batch, currency: str, findings: Findings) -> Parts:
    """Return what an Ntry says, after absorbing into `batch` what it states of its parts."""
    found = pick(element, _ENTRY)
    own, block = found.elements.get("Btch"), found.elements.get("NtryDtls")
    stated = [] if own is None else [own]
    if block is not None:
        blocks = [block, *_siblings(block, "NtryDtls")]
        stated += [batch_block for one in blocks if (batch_block := child(one, "Btch")) is not None]
    for one in stated:
        absorb_batch(batch, one, currency=currency, findings=findings)
    return found


def read_entry(
    element: Element, *, batch: Batch, kind: MessageKind, currency: str, findings: Findings
) -> ParsedEntry:
    """Read one Ntry whose sign and transactions are already in `batch`.

    `RvslInd` never flips the sign: a reversal's indicator already says which way money moved.

    Raises:
        UnreadableMessage: an amount that is not a number, or no sign or currency.
    """
    locator = batch.locator
    found = _pick_entry(element, batch=batch, currency=currency, findings=findings)
    texts, elements = found.texts, found.elements
    value, code = read_money(
        elements.get("Amt"),
        what="An entry",
        locator=locator,
        currency=currency,
        findings=findings,
    )
    amount = batch.sign * value
    booked, value_date = _read_dates(texts, findings=findings, locator=locator)
    _check_details(batch, amount=amount, currency=code, findings=findings)
    alone = len(batch.details) == 1 and (batch.count or 1) == 1
    single = batch.details[0] if alone else NO_DETAIL
    charges = read_charges(element, findings=findings) if "Chrgs" in elements else ()
    exchange = read_exchange(elements.get("AmtDtls"), findings=findings)
    return ParsedEntry(
        amount=amount,
        currency=code,
        status=read_status(found, kind=kind, findings=findings, locator=locator),
        is_reversal=batch.is_reversal,
        booking_date=booked,
        value_date=value_date,
        entry_reference=reference(texts.get("NtryRef")),
        bank_reference=reference(texts.get("AcctSvcrRef")) or single.bank_reference,
        transaction_code=_transaction_code(found) or single.transaction_code,
        end_to_end_id=single.end_to_end_id,
        instruction_id=single.instruction_id,
        transaction_id=single.transaction_id,
        uetr=single.uetr,
        payment_information_id=single.payment_information_id or batch.payment_information_id,
        message_id=single.message_id or batch.message_id,
        mandate_id=single.mandate_id,
        batch_count=batch.count,
        batch_total=batch.total,
        details=tuple(batch.details),
        counterparty_name=single.counterparty_name,
        counterparty_account=single.counterparty_account,
        counterparty_bic=single.counterparty_bic,
        remittance=single.remittance,
        structured_references=single.structured_references,
        return_reason=single.return_reason,
        original_transaction_code=single.original_transaction_code,
        charges=charges or single.charges,
        exchange=exchange or single.exchange,
        additional_info=texts.get("AddtlNtryInf") or "",
        locator=locator,
    )
