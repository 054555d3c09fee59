"""Bank messages written by hand for tests: camt.052/053/054 and MT940 bytes, and their arrival."""

from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from xml.sax.saxutils import escape

from integrations import services as archive
from treasury.services.ingest import IngestResult, ingest_message

IBAN = "DE89370400440532013000"
LINE = "bank"
DAY = date(2026, 11, 20)


@dataclass(frozen=True, kw_only=True)
class E:
    """An entry to be written; a positive amount is a credit."""

    amount: str
    ref: str = ""
    e2e: str = ""
    uetr: str = ""
    text: str = ""
    booked: date | None = DAY
    value: date | None = DAY
    status: str = "BOOK"
    reversal: bool = False
    code: str = "PMNT-RCDT-ESCT"
    batch: int = 0
    currency: str = "EUR"

    def on(self, day: date) -> "E":
        return replace(self, booked=day, value=day)


@dataclass(frozen=True, kw_only=True)
class B:
    """A balance to be written; `line` is an included credit line."""

    code: str
    amount: str
    on: date = DAY
    at: str = ""
    line: str = ""
    currency: str = "EUR"


@dataclass(frozen=True, kw_only=True)
class S:
    """A statement, report or notification to be written."""

    id: str = "S1"
    seq: int | None = 1
    balances: tuple[B, ...] = ()
    entries: tuple[E, ...] = ()
    iban: str = IBAN
    number: str = ""
    currency: str = "EUR"
    created: str = "2026-11-20T20:00:00+01:00"
    start: str = ""
    end: str = ""
    page: int | None = None
    last: bool = True
    copy: str = ""
    extra: str = field(default="")


_TAGS = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def _sign(amount: str) -> tuple[str, str]:
    value = Decimal(amount)
    return f"{abs(value):f}", "DBIT" if value < 0 else "CRDT"


def _entry(one: E) -> str:
    size, sign = _sign(one.amount)
    domain, family, kind = one.code.split("-")
    refs = "".join(
        f"<{tag}>{escape(value)}</{tag}>"
        for tag, value in (("EndToEndId", one.e2e or "NOTPROVIDED"), ("UETR", one.uetr))
        if value
    )
    remittance = f"<RmtInf><Ustrd>{escape(one.text)}</Ustrd></RmtInf>" if one.text else ""
    details = f"<TxDtls><Refs>{refs}</Refs>{remittance}</TxDtls>"
    if one.batch:
        share = f"{Decimal(size) / one.batch:f}"
        part = f'<Amt Ccy="{one.currency}">{share}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        details = f"<Btch><NbOfTxs>{one.batch}</NbOfTxs></Btch>" + "".join(
            f"<TxDtls><Refs><EndToEndId>PART{number}</EndToEndId></Refs>{part}</TxDtls>"
            for number in range(one.batch)
        )
    return (
        f'<Ntry><Amt Ccy="{one.currency}">{size}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        + ("<RvslInd>true</RvslInd>" if one.reversal else "")
        + f"<Sts><Cd>{one.status}</Cd></Sts>"
        + (f"<BookgDt><Dt>{one.booked}</Dt></BookgDt>" if one.booked else "")
        + (f"<ValDt><Dt>{one.value}</Dt></ValDt>" if one.value else "")
        + (f"<AcctSvcrRef>{escape(one.ref)}</AcctSvcrRef>" if one.ref else "")
        + f"<BkTxCd><Domn><Cd>{domain}</Cd><Fmly><Cd>{family}</Cd>"
        f"<SubFmlyCd>{kind}</SubFmlyCd></Fmly></Domn></BkTxCd>"
        + f"<NtryDtls>{details}</NtryDtls></Ntry>"
    )


def _balance(one: B) -> str:
    size, sign = _sign(one.amount)
    day = f"<Dt><DtTm>{one.at}</DtTm></Dt>" if one.at else f"<Dt><Dt>{one.on}</Dt></Dt>"
    line = ""
    if one.line:
        line = f'<CdtLine><Incl>true</Incl><Amt Ccy="{one.currency}">{one.line}</Amt></CdtLine>'
    code, _, sub = one.code.partition("/")
    kind = f"<CdOrPrtry><Cd>{code}</Cd></CdOrPrtry>"
    if sub:
        kind += f"<SubTp><Cd>{sub}</Cd></SubTp>"
    return (
        f"<Bal><Tp>{kind}</Tp>{line}"
        f'<Amt Ccy="{one.currency}">{size}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{day}</Bal>'
    )


def _statement(tag: str, one: S) -> str:
    account = f"<IBAN>{one.iban}</IBAN>"
    if one.number:
        account = f"<Othr><Id>{one.number}</Id></Othr>"
    paging = ""
    if one.page is not None:
        last = "true" if one.last else "false"
        paging = f"<{tag}Pgntn><PgNb>{one.page}</PgNb><LastPgInd>{last}</LastPgInd></{tag}Pgntn>"
    period = ""
    if one.start:
        end = one.end or one.created
        period = f"<FrToDt><FrDtTm>{one.start}</FrDtTm><ToDtTm>{end}</ToDtTm></FrToDt>"
    return (
        f"<{tag}><Id>{one.id}</Id>{paging}"
        + (f"<ElctrncSeqNb>{one.seq}</ElctrncSeqNb>" if one.seq is not None else "")
        + f"<CreDtTm>{one.created}</CreDtTm>{period}"
        + (f"<CpyDplctInd>{one.copy}</CpyDplctInd>" if one.copy else "")
        + f"<Acct><Id>{account}</Id><Ccy>{one.currency}</Ccy></Acct>"
        + "".join(map(_balance, one.balances))
        + "".join(map(_entry, one.entries))
        + one.extra
        + f"</{tag}>"
    )


def camt(kind: str, *statements: S, message: str = "M1") -> bytes:
    """Return a camt message of kind 052, 053 or 054 in version 8."""
    root, tag = _TAGS[kind]
    body = "".join(_statement(tag, one) for one in statements)
    head = f"<GrpHdr><MsgId>{message}</MsgId><CreDtTm>{statements[0].created}</CreDtTm></GrpHdr>"
    space = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.08"
    return f'<Document xmlns="{space}"><{root}>{head}{body}</{root}></Document>'.encode()


def day_statement(
    *entries: E, opening: str = "1000.00", day: date = DAY, seq: int = 1, **more: object
) -> S:
    """Return a camt.053 statement of one day that adds up."""
    booked = sum((Decimal(one.amount) for one in entries if one.status == "BOOK"), Decimal(0))
    closing = Decimal(opening) + booked
    facts: dict[str, object] = {
        "id": f"STMT{day:%m%d}",
        "seq": seq,
        "created": f"{day}T23:00:00+01:00",
        "balances": (
            B(code="OPBD", amount=opening, on=day),
            B(code="CLBD", amount=f"{closing:f}", on=day),
        ),
        "entries": entries,
        **more,
    }
    return S(**facts)  # type: ignore[arg-type]


def mt940(
    *entries: E,
    opening: str = "1000.00",
    closing: str = "",
    day: date = DAY,
    seq: str = "1/1",
    account: str = IBAN,
    marks: tuple[str, str] = ("60F", "62F"),
) -> bytes:
    """Return an MT940; balances add up unless `closing` says otherwise."""
    total = Decimal(opening) + sum((Decimal(one.amount) for one in entries), Decimal(0))
    end = Decimal(closing) if closing else total
    lines = [":20:STARTUMS", f":25:{account}", f":28C:{seq}"]
    lines.append(f":{marks[0]}:{_mt_balance(Decimal(opening), day)}")
    for one in entries:
        size, sign = _sign(one.amount)
        mark = {"CRDT": "C", "DBIT": "D"}[sign]
        if one.reversal:
            mark = {"C": "RD", "D": "RC"}[mark]
        value, booked = one.value or day, one.booked or day
        ref = f"//{one.ref}" if one.ref else ""
        lines.append(
            f":61:{value:%y%m%d}{booked:%m%d}{mark}{size.replace('.', ',')}NTRFNONREF{ref}"
        )
        eref = f"/EREF/{one.e2e}" if one.e2e else ""
        lines.append(f":86:{eref}/REMI/{one.text}" if one.text else f":86:{eref or 'NN'}")
    lines.append(f":{marks[1]}:{_mt_balance(end, day)}")
    return ("\r\n".join(lines) + "\r\n-\r\n").encode()


def _mt_balance(amount: Decimal, day: date) -> str:
    sign = "D" if amount < 0 else "C"
    size = f"{abs(amount):f}".replace(".", ",")
    return f"{sign}{day:%y%m%d}EUR{size}"


_count = iter(range(10**9))


def arrive(data: bytes) -> IngestResult:
    """Archive bytes as the channel does, and read them."""
    message = archive.archive_inbound(connection_code=LINE, name=f"file{next(_count)}", data=data)
    return ingest_message(message_id=message.pk)


def again(message_id: UUID) -> IngestResult:
    """Read an archived message once more."""
    return ingest_message(message_id=message_id)


def at(text: str) -> datetime:
    return datetime.fromisoformat(text)
