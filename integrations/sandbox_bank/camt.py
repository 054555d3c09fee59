"""Writing camt.052, camt.053 and camt.054 in the versions .08 and .02."""

from collections.abc import Sequence
from datetime import datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from lxml import etree

from integrations.sandbox_bank.answers import utc_text
from integrations.sandbox_bank.currencies import to_text
from integrations.sandbox_bank.records import Account, Entry, Statement

REMITTANCE_CHARACTERS_MAX = 140
Element = Any
_BODIES = {
    "052": ("BkToCstmrAcctRpt", "Rpt"),
    "053": ("BkToCstmrStmt", "Stmt"),
    "054": ("BkToCstmrDbtCdtNtfctn", "Ntfctn"),
}


def write_statement(statement: Statement, *, version: str = "08") -> bytes:
    """Return the day's camt.053: opening, closing, available, every booked entry."""
    opening = [("OPBD" if statement.page == 1 else "ITBD", statement.opening)]
    closing = [("CLBD", statement.closing), ("CLAV", statement.available)]
    if not statement.is_last_page:
        closing = [("ITBD", statement.closing)]
    return _Writer("053", version).write(statement, [*opening, *closing])


def write_interim_report(statement: Statement, *, version: str = "08") -> bytes:
    """Return a camt.052 that repeats everything booked since the day opened."""
    return _Writer("052", version).write(
        statement,
        [
            ("OPBD", statement.opening),
            ("ITBD", statement.closing),
            ("ITAV", statement.available),
        ],
    )


def write_notification(statement: Statement) -> bytes:
    """Return a camt.054 for the entries given; notifications carry no balances."""
    return _Writer("054", "08").write(statement, [])


class _Writer:
    """One document being built; the two versions differ in a handful of element names."""

    def __init__(self, kind: str, version: str) -> None:
        self.kind = kind
        self.is_old = version == "02"
        self.namespace = f"urn:iso:std:iso:20022:tech:xsd:camt.{kind}.001.{version}"
        self.body_name, self.report_name = _BODIES[kind]

    def add(self, parent: Element, path: str, text: str | None = None) -> Element:
        for step in path.split("/"):
            parent = etree.SubElement(parent, f"{{{self.namespace}}}{step}")
        parent.text = text
        return parent

    def write(self, statement: Statement, balances: Sequence[tuple[str, int]]) -> bytes:
        document = etree.Element(f"{{{self.namespace}}}Document", nsmap={None: self.namespace})
        body = self.add(document, self.body_name)
        header = self.add(body, "GrpHdr")
        self.add(header, "MsgId", statement.message_id)
        self.add(header, "CreDtTm", utc_text(statement.created_at))
        report = self.add(body, self.report_name)
        self._head(report, statement)
        self._account(report, statement.account)
        for code, amount in balances:
            self._balance(report, statement, code, amount)
        if self.kind != "054":
            self._summary(report, statement)
        for number, entry in enumerate(statement.entries, start=1):
            self._entry(report, entry, statement.account, number)
        encoded: bytes = etree.tostring(document, xml_declaration=True, encoding="UTF-8")
        return encoded

    def _head(self, report: Element, statement: Statement) -> None:
        self.add(report, "Id", statement.statement_id)
        if self.kind == "053" and not self.is_old:
            pages = self.add(report, "StmtPgntn")
            self.add(pages, "PgNb", str(statement.page))
            self.add(pages, "LastPgInd", "true" if statement.is_last_page else "false")
        if self.kind != "054":
            self.add(report, "ElctrncSeqNb", str(statement.sequence))
        self.add(report, "CreDtTm", utc_text(statement.created_at))
        if self.kind == "054":
            return
        zone = ZoneInfo(statement.account.timezone)
        period = self.add(report, "FrToDt")
        opens = datetime.combine(statement.bank_date, time(0), zone)
        closes = datetime.combine(statement.bank_date, time(23, 59, 59), zone)
        self.add(period, "FrDtTm", opens.isoformat())
        last = closes if self.kind == "053" else min(closes, statement.created_at.astimezone(zone))
        self.add(period, "ToDtTm", max(opens, last).replace(microsecond=0).isoformat())

    def _account(self, report: Element, account: Account) -> None:
        block = self.add(report, "Acct")
        if account.iban:
            self.add(block, "Id/IBAN", account.iban)
        else:
            self.add(block, "Id/Othr/Id", account.number)
        self.add(block, "Ccy", account.currency)
        self.add(block, "Ownr/Nm", account.owner_name)
        servicer = self.add(block, "Svcr/FinInstnId")
        self.add(servicer, "BIC" if self.is_old else "BICFI", account.bank_bic)
        if account.clearing_system:
            member = self.add(servicer, "ClrSysMmbId")
            self.add(member, "ClrSysId/Cd", account.clearing_system)
            self.add(member, "MmbId", account.clearing_code)
        self.add(servicer, "Nm", account.bank_name)

    def _balance(self, report: Element, statement: Statement, code: str, amount: int) -> None:
        account = statement.account
        balance = self.add(report, "Bal")
        self.add(balance, "Tp/CdOrPrtry/Cd", code)
        if code in {"CLAV", "ITAV"} and account.credit_line:
            line = self.add(balance, "CdtLine")
            self.add(line, "Incl", "true")
            self.add(line, "Amt", to_text(account.credit_line, account.currency)).set(
                "Ccy", account.currency
            )
        self._signed(balance, amount, account.currency)
        if code in {"ITBD", "ITAV"}:
            self.add(balance, "Dt/DtTm", utc_text(statement.created_at))
        else:
            self.add(balance, "Dt/Dt", statement.bank_date.isoformat())

    def _signed(self, parent: Element, amount: int, currency: str) -> None:
        self.add(parent, "Amt", to_text(abs(amount), currency)).set("Ccy", currency)
        self.add(parent, "CdtDbtInd", "DBIT" if amount < 0 else "CRDT")

    def _summary(self, report: Element, statement: Statement) -> None:
        currency = statement.account.currency
        received = [entry.amount for entry in statement.entries if entry.amount > 0]
        paid = [-entry.amount for entry in statement.entries if entry.amount < 0]
        summary = self.add(report, "TxsSummry")
        for name, amounts in (("TtlCdtNtries", received), ("TtlDbtNtries", paid)):
            total = self.add(summary, name)
            self.add(total, "NbOfNtries", str(len(amounts)))
            self.add(total, "Sum", to_text(sum(amounts), currency))

    def _entry(self, report: Element, entry: Entry, account: Account, number: int) -> None:
        line = self.add(report, "Ntry")
        self.add(line, "NtryRef", str(number))
        self._signed(line, entry.amount, account.currency)
        if entry.is_reversal:
            self.add(line, "RvslInd", "true")
        self.add(line, "Sts" if self.is_old else "Sts/Cd", "BOOK")
        self.add(line, "BookgDt/Dt", entry.booking_date.isoformat())
        self.add(line, "ValDt/Dt", entry.value_date.isoformat())
        self.add(line, "AcctSvcrRef", entry.reference)
        domain, family, sub_family = entry.code
        code = self.add(line, "BkTxCd/Domn")
        self.add(code, "Cd", domain)
        self.add(code, "Fmly/Cd", family)
        self.add(code[-1], "SubFmlyCd", sub_family)
        details = self.add(line, "NtryDtls")
        if entry.batch_count:
            batch = self.add(details, "Btch")
            if entry.payment_information_id:
                self.add(batch, "PmtInfId", entry.payment_information_id)
            self.add(batch, "NbOfTxs", str(entry.batch_count))
            self._batch_total(batch, entry, account.currency)
        else:
            self._details(details, entry, account)
        self.add(line, "AddtlNtryInf", (entry.remittance or "Booking")[:500])

    def _batch_total(self, batch: Element, entry: Entry, currency: str) -> None:
        self.add(batch, "TtlAmt", to_text(abs(entry.amount), currency)).set("Ccy", currency)
        self.add(batch, "CdtDbtInd", "DBIT" if entry.amount < 0 else "CRDT")

    def _details(self, parent: Element, entry: Entry, account: Account) -> None:
        details = self.add(parent, "TxDtls")
        references = self.add(details, "Refs")
        named = [
            ("MsgId", entry.message_id),
            ("AcctSvcrRef", entry.reference),
            ("PmtInfId", entry.payment_information_id),
            ("InstrId", entry.instruction_id),
            ("EndToEndId", entry.end_to_end_id or "NOTPROVIDED"),
            ("UETR", "" if self.is_old else entry.uetr),
        ]
        for name, value in named:
            if value:
                self.add(references, name, value)
        if not self.is_old:
            self._signed(details, entry.amount, account.currency)
        self._parties(details, entry)
        if entry.remittance:
            self.add(details, "RmtInf/Ustrd", entry.remittance[:REMITTANCE_CHARACTERS_MAX])
        if entry.return_code:
            self.add(details, "RtrInf/Rsn/Cd", entry.return_code)

    def _parties(self, details: Element, entry: Entry) -> None:
        if not entry.counterparty_name:
            return
        side = "Cdtr" if entry.amount < 0 else "Dbtr"
        parties = self.add(details, "RltdPties")
        self.add(
            parties, f"{side}/Nm" if self.is_old else f"{side}/Pty/Nm", entry.counterparty_name
        )
        if entry.counterparty_account:
            kind = "IBAN" if entry.counterparty_account[:2].isalpha() else "Othr/Id"
            self.add(parties, f"{side}Acct/Id/{kind}", entry.counterparty_account)
        if entry.counterparty_bic:
            agent = self.add(details, f"RltdAgts/{side}Agt/FinInstnId")
            self.add(agent, "BIC" if self.is_old else "BICFI", entry.counterparty_bic)
