"""A bank on a Monday afternoon when every western rail is open, and a customer who writes to it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

import pytest
from lxml import etree

from integrations.sandbox_bank.accounts_file import DEMO_ACCOUNTS, load_accounts
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.office import Office

MONDAY_AFTERNOON = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
USD_OPERATING, USD_FUNDING = "4010007781", "4020009945"
INR_COLLECTION, INR_PAYOUT = "50100011122233", "50100044455566"
GBP_OPERATING, GBP_SECOND = "GB30SBNK99000110203344", "GB33SBKT99000255667788"
STRUCTURED = "<TwnNm>New York</TwnNm><Ctry>US</Ctry>"


@dataclass(frozen=True, kw_only=True)
class Order:
    """One transfer as the customer writes it; tests change a field to make it wrong."""

    end_to_end_id: str = "FMP-1"
    uetr: str = ""
    amount: str = "2750000.00"
    currency: str = "USD"
    day: str = "2026-11-23"
    service_level: str = "URGP"
    instrument: str = ""
    debtor: str = USD_OPERATING
    debtor_bic: str = "SBNKUS33XXX"
    debtor_currency: str = "USD"
    creditor: str = USD_FUNDING
    creditor_bic: str = "SBKTUS33XXX"
    creditor_name: str = "Demo Remit Limited"
    address: str = STRUCTURED

    def account(self, name: str) -> str:
        if name[:2].isalpha():
            return f"<Id><IBAN>{name}</IBAN></Id>"
        return f"<Id><Othr><Id>{name}</Id></Othr></Id>"

    def xml(self, number: int) -> str:
        uetr = self.uetr or str(UUID(int=uuid5(NAMESPACE_URL, f"{self}{number}").int, version=4))
        local = f"<LclInstrm><Cd>{self.instrument}</Cd></LclInstrm>" if self.instrument else ""
        address = f"<PstlAdr>{self.address}</PstlAdr>" if self.address else ""
        return f"""<PmtInf><PmtInfId>P-{self.end_to_end_id}</PmtInfId><PmtMtd>TRF</PmtMtd>
 <PmtTpInf><SvcLvl><Cd>{self.service_level}</Cd></SvcLvl>{local}</PmtTpInf>
 <ReqdExctnDt><Dt>{self.day}</Dt></ReqdExctnDt><Dbtr><Nm>Demo Remit Limited</Nm></Dbtr>
 <DbtrAcct>{self.account(self.debtor)}<Ccy>{self.debtor_currency}</Ccy></DbtrAcct>
 <DbtrAgt><FinInstnId><BICFI>{self.debtor_bic}</BICFI></FinInstnId></DbtrAgt><ChrgBr>DEBT</ChrgBr>
 <CdtTrfTxInf><PmtId><InstrId>I-{self.end_to_end_id}</InstrId>
  <EndToEndId>{self.end_to_end_id}</EndToEndId><UETR>{uetr}</UETR></PmtId>
  <Amt><InstdAmt Ccy="{self.currency}">{self.amount}</InstdAmt></Amt>
  <CdtrAgt><FinInstnId><BICFI>{self.creditor_bic}</BICFI></FinInstnId></CdtrAgt>
  <Cdtr><Nm>{self.creditor_name}</Nm>{address}</Cdtr>
  <CdtrAcct>{self.account(self.creditor)}</CdtrAcct>
  <RmtInf><Ustrd>prefunding</Ustrd></RmtInf></CdtTrfTxInf></PmtInf>"""


@dataclass
class Customer:
    """Writes payment files with fresh message ids and reads what comes back."""

    bank: Bank
    files: int = 0

    def file(self, *orders: Order, message_id: str = "", count: str = "", total: str = "") -> bytes:
        self.files += 1
        message_id = message_id or f"TMS-{self.files:06d}"
        total = total or str(sum(Decimal(order.amount) for order in orders))
        body = "".join(order.xml(number) for number, order in enumerate(orders))
        return f"""<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:pain.001.001.09"><CstmrCdtTrfInitn><GrpHdr>
<MsgId>{message_id}</MsgId><CreDtTm>2026-11-23T14:00:00Z</CreDtTm>
<NbOfTxs>{count or len(orders)}</NbOfTxs><CtrlSum>{total}</CtrlSum>
<InitgPty><Nm>Demo Remit Limited</Nm></InitgPty></GrpHdr>{body}</CstmrCdtTrfInitn></Document>
""".encode()

    def send(self, *orders: Order, **file: str) -> dict[str, object]:
        return self.bank.receive(self.file(*orders, **file), door="http").body

    def pass_time(self, **span: float) -> None:
        self.bank.advance_clock(seconds=timedelta(**span).total_seconds())

    def messages(self, kind: str) -> list[Any]:
        found = self.bank.messages(after=0, channel="all")
        return [etree.fromstring(self.bank.message(m["n"])[1]) for m in found if m["kind"] == kind]

    def statuses(self, end_to_end_id: str) -> list[str]:
        """The transaction statuses told to the customer, in order."""
        lines = [
            line
            for report in self.messages("pain.002")
            for line in report.iterfind(".//{*}TxInfAndSts")
        ]
        return [
            line.findtext("{*}TxSts")
            for line in lines
            if line.findtext("{*}OrgnlEndToEndId") == end_to_end_id
        ]

    def balance(self, account: str) -> int:
        return self.bank.book.require_account(account).balance


def make_bank(home: Path, *, interim_minutes: int = 30, channel: str = "http") -> Bank:
    book = Book(home)
    office = Office(book=book, clock=MONDAY_AFTERNOON.timestamp, interim_minutes=interim_minutes)
    bank = Bank(office)
    bank.put_accounts(replace(account, channel=channel) for account in load_accounts(DEMO_ACCOUNTS))
    return bank


@pytest.fixture
def order() -> type[Order]:
    return Order


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    bank = make_bank(tmp_path / "home")
    yield bank
    bank.book.close()


@pytest.fixture
def folder_bank(tmp_path: Path) -> Iterator[Bank]:
    bank = make_bank(tmp_path / "home", channel="folder")
    yield bank
    bank.book.close()


@pytest.fixture
def customer(bank: Bank) -> Customer:
    return Customer(bank)


@pytest.fixture
def customer_of() -> Callable[[Bank], Customer]:
    return Customer
