"""Read a bank's CSV or XLSX through the mapping that a person drew once.

Every day of every account becomes one statement, so that a sheet that repeats earlier days is
recognised day by day. A column of balances proves each row against the one before it.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from integrations.codecs.cells import amount_of, day_of, rows
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.mt_accounts import account_named
from integrations.codecs.records import (
    EntryStatus,
    MessageKind,
    ParsedBalance,
    ParsedEntry,
    ParsedMessage,
    ParsedStatement,
)
from integrations.codecs.values import Findings, reference, shown
from integrations.codecs.workbook import Cell
from integrations.dialects.reading import Dialect
from integrations.dialects.sheet import Column, RowOrder, SheetMapping, SignRule

CURRENCY_CHARS: Final = 3
_HEADER_ROWS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class SheetRow:
    """One row that is an entry: whose, and what the balance is after it."""

    account: str
    entry: ParsedEntry
    balance: Decimal | None

    @property
    def day(self) -> date | None:
        """Return the day it belongs to."""
        return self.entry.booking_date


@dataclass(slots=True)
class _Day:
    """The rows of one account and day, in the order in which they were booked."""

    account: str
    rows: list[SheetRow] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)


def read_sheet(data: bytes, *, dialect: Dialect, mapping: SheetMapping) -> ParsedMessage:
    """Read a spreadsheet.

    Raises:
        UnreadableMessage: the headings are not there, or a row cannot be read; with its number.
    """
    findings = Findings()
    found = list(sheet_rows(data, dialect=dialect, mapping=mapping))
    if not found:
        raise UnreadableMessage("The sheet has no entries.", code="no_statement")
    statements = tuple(_statements(found, mapping=mapping))
    return ParsedMessage(
        kind=MessageKind.SHEET,
        version="SHEET",
        message_id="",
        created_at=None,
        statements=statements,
        findings=findings.all(),
    )


def sheet_rows(data: bytes, *, dialect: Dialect, mapping: SheetMapping) -> Iterator[SheetRow]:
    """Yield the rows that are entries, in the order of the file.

    Raises:
        UnreadableMessage: the headings are not there, or a row cannot be read; with its number.
    """
    places: dict[str, int] | None = None
    table = rows(
        data,
        sheet=mapping.sheet,
        delimiter=mapping.delimiter,
        encoding=dialect.encoding,
    )
    for count, (number, cells) in enumerate(table):
        if places is None:
            places = _places(cells, mapping)
            if places is None and count >= _HEADER_ROWS_MAX:
                break
            continue
        if _is_footer(cells, mapping):
            return
        row = _Row(cells, places=places, mapping=mapping, number=number).read()
        if row is not None:
            yield row
    if places is None:
        missing = ", ".join(shown(name) for name in sorted(mapping.headings))
        raise UnreadableMessage(
            f"No row has all of the headings {missing}.", code="headings_missing", locator="row 1"
        )


def heading_of(cell: Cell) -> str:
    """Return a heading without the blanks and line breaks that exports put in."""
    return " ".join(str(cell).split())


def _places(cells: list[Cell], mapping: SheetMapping) -> dict[str, int] | None:
    found: dict[str, int] = {}
    for place, cell in enumerate(cells):
        found.setdefault(heading_of(cell), place)
    return found if mapping.headings <= set(found) else None


def _is_footer(cells: list[Cell], mapping: SheetMapping) -> bool:
    first = next((str(cell).strip() for cell in cells if cell != ""), "")
    return bool(mapping.footers) and first.startswith(mapping.footers)


class _Row:
    """One row below the headings."""

    def __init__(
        self, cells: list[Cell], *, places: dict[str, int], mapping: SheetMapping, number: int
    ) -> None:
        self.cells = cells
        self.places = places
        self.mapping = mapping
        self.locator = f"row {number}"

    def read(self) -> SheetRow | None:
        """Return the entry of this row; None if it has neither date nor amount."""
        booked, value = self._day(Column.BOOKED), self._day(Column.VALUE)
        amount = self._amount()
        if amount is None and booked is None and value is None:
            return None
        if amount is None or (booked is None and value is None):
            what = "amount" if amount is None else "date"
            raise UnreadableMessage(
                f"The row has no {what}.", code=f"{what}_missing", locator=self.locator
            )
        balance = self._cell(Column.BALANCE)
        currency = self._currency()
        return SheetRow(
            account=self._text(Column.ACCOUNT) or self.mapping.account,
            entry=self._entry(amount, currency, booked or value, value or booked),
            balance=None if balance == "" else self._number(balance),
        )

    def _entry(
        self, amount: Decimal, currency: str, booked: date | None, value: date | None
    ) -> ParsedEntry:
        code = self._text(Column.CODE)
        words = (self._named(name) for name in self.mapping.columns.get(Column.TEXT, ()))
        mapped = self.mapping.headings
        others = (
            f"{name}: {self._named(name)}"
            for name in self.places
            if name and name not in mapped and self._named(name)
        )
        return ParsedEntry(
            amount=amount,
            currency=currency,
            status=EntryStatus.BOOK,
            booking_date=booked,
            value_date=value,
            bank_reference=reference(self._text(Column.REFERENCE)),
            end_to_end_id=reference(self._text(Column.END_TO_END)),
            transaction_code=f"PRTRY:{code}" if code else None,
            counterparty_name=self._text(Column.COUNTERPARTY),
            counterparty_account=self._text(Column.COUNTERPARTY_ACCOUNT),
            remittance=" ".join(word for word in words if word),
            additional_info="; ".join(others),
            locator=self.locator,
        )

    def _named(self, heading: str) -> str:
        place = self.places[heading]
        cell = self.cells[place] if place < len(self.cells) else ""
        return " ".join(str(cell).split())

    def _cell(self, column: Column) -> Cell:
        heading = self.mapping.heading(column)
        place = self.places[heading] if heading else len(self.cells)
        return self.cells[place] if place < len(self.cells) else ""

    def _text(self, column: Column) -> str:
        cell = self._cell(column)
        return f"{cell:f}" if isinstance(cell, Decimal) else str(cell).strip()

    def _day(self, column: Column) -> date | None:
        cell = self._cell(column)
        if cell == "":
            return None
        return day_of(cell, pattern=self.mapping.date_pattern, locator=self.locator)

    def _number(self, cell: Cell) -> Decimal:
        return amount_of(cell, decimal_mark=self.mapping.decimal_mark, locator=self.locator)

    def _amount(self) -> Decimal | None:
        if Column.AMOUNT not in self.mapping.columns:
            return self._two_columns()
        cell = self._cell(Column.AMOUNT)
        if cell == "":
            return None
        amount = self._number(cell)
        if Column.SIDE in self.mapping.columns:
            return self._sided(amount)
        return -amount if self.mapping.sign is SignRule.TURNED else amount

    def _two_columns(self) -> Decimal | None:
        """Return credit less debit; a debit may be written with or without its minus."""
        debit, credit = self._cell(Column.DEBIT), self._cell(Column.CREDIT)
        if debit == "" and credit == "":
            return None
        out = abs(self._number(debit)) if debit != "" else Decimal(0)
        into = self._number(credit) if credit != "" else Decimal(0)
        if out and into:
            raise UnreadableMessage(
                "The row has both a debit and a credit.", code="sides_mixed", locator=self.locator
            )
        return into - out

    def _sided(self, amount: Decimal) -> Decimal:
        word = self._text(Column.SIDE).upper()
        if word in self.mapping.credit_words:
            return amount
        if word in self.mapping.debit_words:
            return -abs(amount)
        raise UnreadableMessage(
            f"The side {shown(word)} is neither a credit word nor a debit word.",
            code="sign_missing",
            locator=self.locator,
        )

    def _currency(self) -> str:
        currency = self._text(Column.CURRENCY).upper() or self.mapping.currency
        if len(currency) != CURRENCY_CHARS or not (currency.isascii() and currency.isalpha()):
            raise UnreadableMessage(
                f"The currency {shown(currency)} is no currency code.",
                code="currency_missing",
                locator=self.locator,
            )
        return currency


def _statements(found: Iterable[SheetRow], *, mapping: SheetMapping) -> Iterator[ParsedStatement]:
    """Yield one statement for each account and day."""
    ordered = list(found)
    if mapping.order is RowOrder.NEWEST_FIRST:
        ordered.reverse()
    days: dict[tuple[str, str, date | None], _Day] = {}
    last: dict[tuple[str, str], SheetRow] = {}
    for row in ordered:
        owner = (row.account, row.entry.currency)
        day = days.setdefault((*owner, row.day), _Day(row.account))
        problem = _break_between(last.get(owner), row)
        if problem:
            day.problems.append(problem)
        day.rows.append(row)
        last[owner] = row
    yield from (_statement(day) for day in days.values())


def _break_between(before: SheetRow | None, row: SheetRow) -> str:
    """Return why the balance of a row does not follow from the row before; empty if it does."""
    if before is None or before.balance is None or row.balance is None:
        return ""
    due = before.balance + row.entry.amount
    if due == row.balance:
        return ""
    return (
        f"{row.entry.locator}: {before.balance} and {row.entry.amount} make {due},"
        f" the sheet says {row.balance}."
    )


def _statement(day: _Day) -> ParsedStatement:
    first, last = day.rows[0], day.rows[-1]
    on = first.day
    number = account_named(day.account)
    return ParsedStatement(
        statement_id=f"{on:%y%m%d}" if on else "",
        account=number,
        currency=first.entry.currency,
        to_at=datetime.combine(on, time(23, 59)) if on else None,
        balances=_balances(first, last),
        entries=tuple(row.entry for row in day.rows),
        contradiction=" ".join(day.problems),
        locator=first.entry.locator,
    )


def _balances(first: SheetRow, last: SheetRow) -> tuple[ParsedBalance, ...]:
    if first.balance is None or last.balance is None or first.day is None or last.day is None:
        return ()
    opening = first.balance - first.entry.amount
    return tuple(
        ParsedBalance(
            code=code,
            amount=amount,
            currency=first.entry.currency,
            on=first.day,
            locator=locator,
        )
        for code, amount, locator in (
            ("OPBD", opening, first.entry.locator),
            ("CLBD", last.balance, last.entry.locator),
        )
    )
