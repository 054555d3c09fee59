"""Bank messages of our own making, in the old and the new layout of each format."""

from dataclasses import dataclass

IBAN = "GB29NWBK60161331926819"
OTHER_IBAN = "DE89370400440532013000"


@dataclass(frozen=True, kw_only=True)
class Layout:
    """The differences between versions that a reader has to bridge."""

    version: str = "08"
    root: str = "camt.053"

    @property
    def is_old(self) -> bool:
        return int(self.version) < 8

    def status(self, code: str) -> str:
        return f"<Sts>{code}</Sts>" if self.is_old else f"<Sts><Cd>{code}</Cd></Sts>"

    def party(self, role: str, name: str) -> str:
        inner = f"<Nm>{name}</Nm>"
        return f"<{role}>{inner if self.is_old else f'<Pty>{inner}</Pty>'}</{role}>"

    def bic(self, code: str) -> str:
        tag = "BIC" if self.is_old else "BICFI"
        return f"<FinInstnId><{tag}>{code}</{tag}></FinInstnId>"


NEW = Layout()


def balance(
    code: str, amount: str, *, on: str = "2026-11-20", sign: str = "CRDT", extra: str = ""
) -> str:
    return (
        f"<Bal><Tp><CdOrPrtry><Cd>{code}</Cd></CdOrPrtry></Tp>{extra}"
        f'<Amt Ccy="USD">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>'
        f"<Dt><Dt>{on}</Dt></Dt></Bal>"
    )


def entry(
    amount: str,
    *,
    sign: str = "CRDT",
    status: str = "BOOK",
    details: str = "",
    extra: str = "",
    dates: str = "<BookgDt><Dt>2026-11-20</Dt></BookgDt><ValDt><Dt>2026-11-20</Dt></ValDt>",
    reference: str = "BK-1",
    layout: Layout = NEW,
) -> str:
    wrapped = f"<NtryDtls>{details}</NtryDtls>" if details else ""
    return (
        f'<Ntry><Amt Ccy="USD">{amount}</Amt><CdtDbtInd>{sign}</CdtDbtInd>{extra}'
        f"{layout.status(status)}{dates}<AcctSvcrRef>{reference}</AcctSvcrRef>"
        "<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>XBCT</SubFmlyCd></Fmly>"
        f"</Domn></BkTxCd>{wrapped}</Ntry>"
    )


def transaction(
    amount: str = "",
    *,
    end_to_end_id: str = "NOTPROVIDED",
    refs: str = "",
    inner: str = "",
) -> str:
    stated = f'<Amt Ccy="USD">{amount}</Amt>' if amount else ""
    return (
        f"<TxDtls><Refs><EndToEndId>{end_to_end_id}</EndToEndId>{refs}</Refs>"
        f"{stated}{inner}</TxDtls>"
    )


def statement(
    *parts: str,
    identifier: str = "ST-1",
    sequence: int = 17,
    extra: str = "",
    layout: Layout = NEW,
    account: str = f"<Id><IBAN>{IBAN}</IBAN></Id><Ccy>USD</Ccy>",
) -> str:
    tag = {"camt.052": "Rpt", "camt.053": "Stmt", "camt.054": "Ntfctn"}[layout.root]
    owner = "<Ownr><Nm>Example Remit Ltd</Nm></Ownr>"
    servicer = f"<Svcr>{layout.bic('NWBKGB2L')}</Svcr>"
    return (
        f"<{tag}><Id>{identifier}</Id>{extra}<ElctrncSeqNb>{sequence}</ElctrncSeqNb>"
        "<CreDtTm>2026-11-20T23:30:00+00:00</CreDtTm>"
        "<FrToDt><FrDtTm>2026-11-20T00:00:00</FrDtTm><ToDtTm>2026-11-20T23:59:59</ToDtTm></FrToDt>"
        f"<Acct>{account}{owner}{servicer}</Acct>{''.join(parts)}</{tag}>"
    )


def message(*statements: str, layout: Layout = NEW, header: str = "") -> bytes:
    root = {
        "camt.052": "BkToCstmrAcctRpt",
        "camt.053": "BkToCstmrStmt",
        "camt.054": "BkToCstmrDbtCdtNtfctn",
    }[layout.root]
    return (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:{layout.root}.001.{layout.version}">'
        f"<{root}><GrpHdr><MsgId>MSG-1</MsgId><CreDtTm>2026-11-20T23:30:00Z</CreDtTm>{header}"
        f"</GrpHdr>{''.join(statements)}</{root}></Document>"
    ).encode()


def mt940(*lines: str, opening: str = ":60F:C261119USD1000,00", closing: str = "") -> bytes:
    fields = [":20:REF-1", f":25:{IBAN}", ":28C:17/1", opening, *lines]
    if closing:
        fields.append(closing)
    return "\r\n".join([*fields, "-", ""]).encode()


def status_report(body: str, *, group: str = "", version: str = "10") -> bytes:
    return (
        f'<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.002.001.{version}">'
        "<CstmrPmtStsRpt><GrpHdr><MsgId>ACK-1</MsgId>"
        "<CreDtTm>2026-11-20T10:00:00+01:00</CreDtTm></GrpHdr>"
        "<OrgnlGrpInfAndSts><OrgnlMsgId>TMS-1</OrgnlMsgId>"
        f"<OrgnlMsgNmId>pain.001.001.09</OrgnlMsgNmId>{group}</OrgnlGrpInfAndSts>"
        f"{body}</CstmrPmtStsRpt></Document>"
    ).encode()
