"""The same bank day in every version of camt.052, 053 and 054: what moved from one to the next.

Versions differ in where things stand: the status as text or code, parties with and without `Pty`,
`BIC` or `BICFI`, transactions below the entry or in `NtryDtls`, charges flat or in records, pages
in the group header or the statement, and the UETR, which is known from version 8 on.
"""

from dataclasses import dataclass
from typing import Final

VERSIONS: Final = tuple(range(1, 14))
UETR: Final = "7a1f0b3c-5d2e-4f60-8a71-9b2c3d4e5f60"
_NAMES: Final = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}
_CODED_STATUS: Final = 8
_PARTY_LEVEL: Final = 8
_BICFI: Final = 3
_RECORDS: Final = 3
_PAGES_INSIDE: Final = 3
_UETR: Final = 8


@dataclass(frozen=True, kw_only=True)
class Layout:
    """Where one version puts things."""

    kind: str
    version: int

    @property
    def root(self) -> str:
        name, _ = _NAMES[self.kind]
        # The first versions call the message element after the version as well.
        return f"{name}V{self.version:02}" if self.version == 1 else name

    @property
    def container(self) -> str:
        return _NAMES[self.kind][1]

    @property
    def namespace(self) -> str:
        return f"urn:iso:std:iso:20022:tech:xsd:camt.{self.kind}.001.{self.version:02}"

    def status(self, code: str) -> str:
        return (
            f"<Sts><Cd>{code}</Cd></Sts>" if self.version >= _CODED_STATUS else f"<Sts>{code}</Sts>"
        )

    def party(self, name: str) -> str:
        inner = f"<Nm>{name}</Nm>"
        return f"<Pty>{inner}</Pty>" if self.version >= _PARTY_LEVEL else inner

    def agent(self, bic: str) -> str:
        tag = "BICFI" if self.version >= _BICFI else "BIC"
        return f"<FinInstnId><{tag}>{bic}</{tag}></FinInstnId>"

    def charges(self, amount: str) -> str:
        inner = f'<Amt Ccy="EUR">{amount}</Amt><CdtDbtInd>DBIT</CdtDbtInd>'
        record = f"<Rcrd>{inner}</Rcrd>" if self.version >= _RECORDS else inner
        return f"<Chrgs>{record}</Chrgs>"

    def balance_type(self, code: str) -> str:
        inner = f"<Cd>{code}</Cd>"
        return (
            f"<Tp>{inner}</Tp>" if self.version == 1 else f"<Tp><CdOrPrtry>{inner}</CdOrPrtry></Tp>"
        )

    def transaction(self, inner: str) -> str:
        whole = f"<TxDtls>{inner}</TxDtls>"
        return whole if self.version == 1 else f"<NtryDtls>{whole}</NtryDtls>"

    @property
    def uetr(self) -> str:
        return f"<UETR>{UETR}</UETR>" if self.version >= _UETR else ""

    @property
    def pages(self) -> tuple[str, str]:
        """Return pagination for the group header and for the statement."""
        inner = "<PgNb>1</PgNb><LastPgInd>true</LastPgInd>"
        if self.version < _PAGES_INSIDE:
            return f"<MsgPgntn>{inner}</MsgPgntn>", ""
        name = {"052": "RptPgntn", "053": "StmtPgntn", "054": "NtfctnPgntn"}[self.kind]
        return "", f"<{name}>{inner}</{name}>"


def document(layout: Layout) -> bytes:
    """Return a day with a foreign payment received, a direct debit's reversal, and our own code."""
    outer, inner = layout.pages
    text = f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="{layout.namespace}"><{layout.root}>
<GrpHdr><MsgId>M-{layout.version}</MsgId><CreDtTm>2026-11-20T18:00:00+01:00</CreDtTm>{outer}</GrpHdr>
<{layout.container}><Id>S-1</Id>{inner}<ElctrncSeqNb>7</ElctrncSeqNb>
<CreDtTm>2026-11-20T18:00:00+01:00</CreDtTm>
<Acct><Id><IBAN>DE89370400440532013000</IBAN></Id><Ccy>EUR</Ccy></Acct>
{_balances(layout)}{_payment(layout)}{_reversal(layout)}
</{layout.container}></{layout.root}></Document>"""
    return text.encode()


def _balances(layout: Layout) -> str:
    if layout.kind == "054":
        return ""
    return "".join(
        f"<Bal>{layout.balance_type(code)}{line}<Amt Ccy='EUR'>{amount}</Amt>"
        f"<CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>2026-11-20</Dt></Dt></Bal>"
        for code, amount, line in (
            ("OPBD", "1000.00", ""),
            ("CLBD", "1140.00", ""),
            (
                "CLAV",
                "1640.00",
                "<CdtLine><Incl>true</Incl><Amt Ccy='EUR'>500.00</Amt></CdtLine>",
            ),
        )
    )


def _payment(layout: Layout) -> str:
    detail = f"""<Refs><AcctSvcrRef>BANK-1</AcctSvcrRef><EndToEndId>E2E-1</EndToEndId>
{layout.uetr}</Refs>
<AmtDtls><InstdAmt><Amt Ccy="USD">100.00</Amt></InstdAmt><TxAmt><Amt Ccy="EUR">90.00</Amt>
<CcyXchg><SrcCcy>USD</SrcCcy><TrgtCcy>EUR</TrgtCcy><UnitCcy>USD</UnitCcy><XchgRate>0.92</XchgRate>
</CcyXchg></TxAmt></AmtDtls>
<RltdPties><Dbtr>{layout.party("Acme Inc")}</Dbtr>
<DbtrAcct><Id><Othr><Id>123</Id></Othr></Id></DbtrAcct>
</RltdPties><RltdAgts><DbtrAgt>{layout.agent("CHASUS33")}</DbtrAgt></RltdAgts>
<RmtInf><Ustrd>Invoice 7</Ustrd></RmtInf>"""
    return f"""<Ntry><Amt Ccy="EUR">90.00</Amt><CdtDbtInd>CRDT</CdtDbtInd>{layout.status("BOOK")}
<BookgDt><Dt>2026-11-20</Dt></BookgDt><ValDt><Dt>2026-11-21</Dt></ValDt>
<AcctSvcrRef>BANK-1</AcctSvcrRef>
<BkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>XBCT</SubFmlyCd></Fmly></Domn>
<Prtry><Cd>NTRF+051</Cd><Issr>DK</Issr></Prtry></BkTxCd>{layout.charges("2.00")}
{layout.transaction(detail)}<NewThing><OfNextYear>kept</OfNextYear></NewThing></Ntry>"""


def _reversal(layout: Layout) -> str:
    detail = """<Refs><EndToEndId>E2E-2</EndToEndId></Refs>
<RtrInf><OrgnlBkTxCd><Domn><Cd>PMNT</Cd><Fmly><Cd>IDDT</Cd><SubFmlyCd>ESDD</SubFmlyCd></Fmly></Domn>
</OrgnlBkTxCd><Rsn><Cd>MD06</Cd></Rsn><AddtlInf>Refund wanted</AddtlInf></RtrInf>"""
    return f"""<Ntry><Amt Ccy="EUR">50.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><RvslInd>true</RvslInd>
{layout.status("BOOK")}<BookgDt><DtTm>2026-11-20T23:30:00-05:00</DtTm></BookgDt>
<BkTxCd><Prtry><Cd>X-99</Cd></Prtry></BkTxCd>{layout.transaction(detail)}</Ntry>"""
