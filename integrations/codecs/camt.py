"""Read camt.052 (intraday report), camt.053 (statement) and camt.054 (notification).

One pass over the file: a complete entry becomes a record and its elements are dropped.
"""

from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from integrations.codecs.camt_entries import (
    Batch,
    absorb_batch,
    read_account,
    read_batch,
    read_day,
    read_detail,
    read_entry,
    read_flag,
    read_money,
    read_sign,
)
from integrations.codecs.camt_shapes import read_plain
from integrations.codecs.constants import (
    BALANCES_MAX,
    DETAILS_MAX,
    ENTRIES_MAX,
    STATEMENTS_MAX,
    UNKNOWN_ELEMENTS_MAX,
)
from integrations.codecs.elements import (
    Element,
    child,
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
    AccountRef,
    Carried,
    MessageKind,
    ParsedBalance,
    ParsedEntry,
    ParsedMessage,
    ParsedStatement,
)
from integrations.codecs.values import (
    Findings,
    iban_checksum_holds,
    read_count,
    read_datetime,
)
from integrations.dialects.reading import PLAIN, Dialect

_CONTAINERS: Final = frozenset({"Stmt", "Rpt", "Ntfctn"})
_AWAITED: Final = ("GrpHdr", "Bal", "TxDtls", "Ntry", *sorted(_CONTAINERS))
_TEXTS: Final = frozenset(
    {
        "Id", "ElctrncSeqNb", "LglSeqNb", "CreDtTm", "CpyDplctInd",
        "AddtlStmtInf", "AddtlRptInf", "AddtlNtfctnInf",
    }
)  # fmt: skip
_KNOWN: Final = frozenset({"Bal", "Ntry", "TxsSummry", "RptgSrc", "RltdAcct", "Intrst"})
_PAGINATION: Final = frozenset({"StmtPgntn", "RptPgntn", "NtfctnPgntn"})
_PAGE_BREAK: Final = "INTM"
# A balance at the start of a period carries the period's first day, any other the last one.
_OPENING_CODES: Final = frozenset({"OPBD", "OPAV", "PRCD"})


@dataclass(slots=True)
class _Page:
    number: int | None = None
    last: bool | None = None


@dataclass(slots=True)
class _OpenStatement:
    """A statement whose end tag has not been read yet."""

    texts: dict[str, str] = field(default_factory=dict)
    account: AccountRef | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    page: _Page | None = None
    balances: list[ParsedBalance] = field(default_factory=list)
    entries: list[ParsedEntry] = field(default_factory=list)

    @property
    def currency(self) -> str:
        """Return the account's currency, else the first balance's or entry's, else empty."""
        if self.account is not None and self.account.currency:
            return self.account.currency
        stated: list[ParsedBalance | ParsedEntry] = [*self.balances[:1], *self.entries[:1]]
        return stated[0].currency if stated else ""


class _CamtReader:
    def __init__(self, *, kind: MessageKind, version: str, dialect: Dialect) -> None:
        self.kind = kind
        self.version = version
        self.dialect = dialect
        self.findings = Findings()
        self.message_id = ""
        self.created_at: datetime | None = None
        self.page = _Page()
        self.statements: list[ParsedStatement] = []
        self.open = _OpenStatement()
        self.batch: Batch | None = None
        # The first transaction of an entry: it waits to see whether others or the end come next.
        self.waiting: Element | None = None
        self.entries_count = 0
        self.unknown_count = 0
        self.details_count = 0

    def read(self, data: bytes) -> ParsedMessage:
        try:
            for name, element in finished_elements(data, _AWAITED):
                self._take(name, element)
        except UnreadableMessage:
            # What is wrong with the transaction that waits was in the file first.
            self._read_waiting()
            raise
        if not self.statements:
            raise UnreadableMessage(
                "The message contains no statement, report or notification.",
                code="no_statement",
            )
        return ParsedMessage(
            kind=self.kind,
            version=self.version,
            message_id=self.message_id,
            created_at=self.created_at,
            statements=tuple(self.statements),
            findings=self.findings.all(),
        )

    def _take(self, name: str, element: Element) -> None:
        if name == "Ntry":
            self._end_entry(element)
            return
        self._read_waiting()
        if name == "TxDtls":
            self._end_detail(element)
        elif name in _CONTAINERS:
            self._end_statement(element)
        elif name == "Bal":
            self._end_balance(element)
        else:
            self._header(element)

    def _note(self, locator: str, code: str, message: str) -> None:
        self.findings.add(code, message, locator)

    def _moment(self, element: Element | None, *path: str) -> datetime | None:
        locator = "" if element is None else locate(element)
        return read_datetime(
            text(element, *path), note=lambda code, words: self._note(locator, code, words)
        )

    def _header(self, element: Element) -> None:
        self.message_id = text(element, "MsgId") or ""
        self.created_at = self._moment(element, "CreDtTm")
        self.page = _read_page(child(element, "MsgPgntn"))
        element.clear()
        drop_elders(element, absorb=self._absorb)

    def _absorb(self, name: str, element: Element) -> None:
        """Note a child of the statement that is about to be dropped."""
        if name in _TEXTS:
            self.open.texts.setdefault(name, text(element) or "")
        elif name == "Acct":
            self.open.account = read_account(element, findings=self.findings)
        elif name == "FrToDt":
            self.open.from_at = self._moment(element, "FrDtTm")
            self.open.to_at = self._moment(element, "ToDtTm")
        elif name in _PAGINATION:
            self.open.page = _read_page(element)
        elif name not in _KNOWN:
            self._count_unknown(element)

    def _count_unknown(self, element: Element) -> None:
        self.unknown_count += 1
        if self.unknown_count > UNKNOWN_ELEMENTS_MAX:
            raise UnreadableMessage(
                f"The file has more than {UNKNOWN_ELEMENTS_MAX:,} elements that no"
                " bank message has.",
                code="content_unexpected",
                locator=locate(element),
            )

    def _absorb_batch(self, name: str, element: Element) -> None:
        if name == "Btch" and self.batch is not None:
            absorb_batch(self.batch, element, currency=self.open.currency, findings=self.findings)
        elif name != "TxDtls":
            self._count_unknown(element)

    def _open_batch(self, entry: Element) -> Batch:
        """Return what is known of the entry that is being read."""
        if self.batch is None:
            locator = f"{locate(entry)}, entry {self.entries_count + 1}"
            self.batch = read_batch(entry, locator=locator)
        return self.batch

    def _end_detail(self, element: Element) -> None:
        block = element.getparent()
        entry = block.getparent() if _is(block, "NtryDtls") else block
        if not _is(entry, "Ntry"):
            self._count_unknown(element)
            return
        self.details_count += 1
        if self.details_count > DETAILS_MAX:
            raise _too_many(DETAILS_MAX, "transactions", element)
        if self.batch is None and block is not entry:
            self.waiting = element
        else:
            self._read_detail(element, block=block, entry=entry)

    def _read_waiting(self) -> None:
        """Read the transaction that was left waiting as if it had just ended."""
        element, self.waiting = self.waiting, None
        if element is not None:
            block = element.getparent()
            self._read_detail(element, block=block, entry=block.getparent())

    def _read_detail(self, element: Element, *, block: Element, entry: Element) -> None:
        batch = self._open_batch(entry)
        locator = f"{locate(element)}, entry {self.entries_count + 1}"
        batch.details.append(
            read_detail(element, batch=batch, locator=locator, findings=self.findings)
        )
        element.clear()
        if block is entry:
            drop_previous(element)
        else:
            drop_elders(element, absorb=self._absorb_batch)

    def _end_entry(self, element: Element) -> None:
        if not _is_container(element.getparent()):
            self._read_waiting()
            self.batch = None
            self._count_unknown(element)
            return
        entry = self._plain_entry(element)
        if entry is None:
            self._read_waiting()
            batch, self.batch = self._open_batch(element), None
            self._count_entry(element)
            entry = read_entry(
                element,
                batch=batch,
                kind=self.kind,
                currency=self.open.currency,
                findings=self.findings,
            )
        else:
            self._count_entry(element)
        self.open.entries.append(entry)
        element.clear()

    def _count_entry(self, element: Element) -> None:
        self.entries_count += 1
        if self.entries_count > ENTRIES_MAX:
            raise _too_many(ENTRIES_MAX, "entries", element)
        drop_elders(element, absorb=self._absorb)

    def _plain_entry(self, element: Element) -> ParsedEntry | None:
        """Read an entry with one transaction or none the fast way; None if it takes the other."""
        if self.batch is not None or self.entries_count >= ENTRIES_MAX:
            return None
        found = read_plain(element, detail=self.waiting, number=self.entries_count + 1)
        if found is not None:
            self.waiting = None
        return found

    def _end_balance(self, element: Element) -> None:
        if not _is_container(element.getparent()):
            self._count_unknown(element)
            return
        if len(self.open.balances) >= BALANCES_MAX:
            raise _too_many(BALANCES_MAX, "balances in one statement", element)
        drop_elders(element, absorb=self._absorb)
        self.open.balances.append(self._read_balance(element))
        element.clear()

    def _read_balance(self, element: Element) -> ParsedBalance:
        locator = locate(element)
        kind = child(element, "Tp")
        code = first_text(kind, ("CdOrPrtry", "Cd"), ("CdOrPrtry", "Prtry"), ("Cd",)) or ""
        what = f"The balance {code}".rstrip()
        value, currency = read_money(
            child(element, "Amt"),
            what=what,
            locator=locator,
            currency=self.open.currency,
            findings=self.findings,
        )
        indicator = text(element, "CdtDbtInd")
        # Zero has no sign; everything else must say which side of zero it is on.
        sign = 1 if value == 0 else read_sign(indicator, what=what, locator=locator)
        dated = child(element, "Dt")
        day = read_day(
            text(dated, "Dt"), text(dated, "DtTm"), findings=self.findings, locator=locator
        )
        carried = None
        if text(kind, "SubTp", "Cd") == _PAGE_BREAK and code in {"OPBD", "CLBD"}:
            carried = Carried.FROM if code == "OPBD" else Carried.TO
            code = "ITBD"
        return ParsedBalance(
            code=code,
            amount=sign * value,
            currency=currency,
            on=day or self._assumed_day(code, what=what, locator=locator),
            at=self._moment(child(element, "Dt"), "DtTm"),
            credit_line_included=self._included_line(element, currency=currency),
            carried=carried,
            locator=locator,
        )

    def _assumed_day(self, code: str, *, what: str, locator: str) -> date:
        opening = code in _OPENING_CODES
        period = self.open.from_at if opening else self.open.to_at
        moment = period or self.open.to_at or self.created_at
        if moment is None:
            raise UnreadableMessage(
                f"{what} has no date.", code="balance_date_missing", locator=locator
            )
        words = f"{what} has no date; {moment.date()} was taken from the period or message."
        self.findings.add("balance_date_assumed", words, locator)
        return moment.date()

    def _included_line(self, element: Element, *, currency: str) -> Decimal | None:
        """Return the sum of the credit lines that the bank counted into the balance."""
        included = [
            read_money(
                child(line, "Amt"),
                what="A credit line",
                locator=locate(line),
                currency=currency,
                findings=self.findings,
            )[0]
            for line in children(element, "CdtLine")
            if read_flag(text(line, "Incl")) is True and child(line, "Amt") is not None
        ]
        return sum(included, Decimal(0)) if included else None

    def _end_statement(self, element: Element) -> None:
        if len(self.statements) >= STATEMENTS_MAX:
            raise _too_many(STATEMENTS_MAX, "statements", element)
        for part in element:
            self._absorb(local_name(part.tag), part)
        self.statements.append(self._finished(locate(element)))
        self.open = _OpenStatement()
        element.clear()
        drop_elders(element, absorb=lambda _name, _element: None)

    def _finished(self, locator: str) -> ParsedStatement:
        texts, page = self.open.texts, self.open.page or self.page
        account = self.open.account
        if account is None:
            self.findings.add("account_unknown", "A statement names no account.", locator)
            account = AccountRef()
        self._check(account, locator=locator)
        extra = (texts.get(name, "") for name in sorted(_TEXTS) if name.startswith("Addtl"))
        return ParsedStatement(
            statement_id=texts.get("Id", ""),
            account=account,
            currency=self.open.currency,
            electronic_sequence=read_count(texts.get("ElctrncSeqNb")),
            legal_sequence=read_count(texts.get("LglSeqNb")),
            page_number=page.number,
            last_page=page.last,
            copy_duplicate=texts.get("CpyDplctInd") or None,
            from_at=self.open.from_at,
            to_at=self.open.to_at,
            created_at=read_datetime(
                texts.get("CreDtTm"), note=lambda code, words: self._note(locator, code, words)
            ),
            balances=tuple(self.open.balances),
            entries=tuple(self.open.entries),
            additional_info=" ".join(part for part in extra if part),
            locator=locator,
        )

    def _check(self, account: AccountRef, *, locator: str) -> None:
        currency = self.open.currency
        if not currency:
            self.findings.add(
                "currency_unknown", "The statement does not say its currency.", locator
            )
        stated = {balance.currency for balance in self.open.balances}
        stated.update(entry.currency for entry in self.open.entries)
        foreign = stated - {currency}
        if foreign:
            words = f"The statement is in {currency}, but also has amounts in"
            self.findings.add("currencies_mixed", f"{words} {', '.join(sorted(foreign))}.", locator)
        if account.iban is not None and not iban_checksum_holds(account.iban):
            self.findings.add(
                "iban_checksum", f"The check digits of {account.iban} are wrong.", locator
            )


def _read_page(element: Element | None) -> _Page:
    return _Page(
        number=read_count(text(element, "PgNb")),
        last=read_flag(text(element, "LastPgInd")),
    )


def _is(element: Element | None, name: str) -> bool:
    return element is not None and local_name(element.tag) == name


def _is_container(element: Element | None) -> bool:
    return element is not None and local_name(element.tag) in _CONTAINERS


def _too_many(limit: int, what: str, element: Element) -> UnreadableMessage:
    return UnreadableMessage(
        f"The file has more than {limit:,} {what}; ask the bank to split it.",
        code="too_many_records",
        locator=locate(element),
    )


def read_camt(
    data: bytes, *, kind: MessageKind, version: str, dialect: Dialect = PLAIN
) -> ParsedMessage:
    """Read a camt message whose bytes come from `elements.as_utf8`.

    Raises:
        UnreadableMessage: not well-formed, without statement, or with an unreadable amount.
    """
    return _CamtReader(kind=kind, version=version, dialect=dialect).read(data)
