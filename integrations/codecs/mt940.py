"""Read MT940 (statement) and MT942 (intraday report) as banks really write them.

Each page becomes one statement; `proof.prove_pages` looks at several pages together.
"""

import re
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Final

from integrations.codecs.building import collecting_later
from integrations.codecs.constants import (
    BALANCES_MAX,
    CENTURY_PIVOT_YEAR,
    ENTRIES_MAX,
    FIELD_LINES_MAX,
    MT_BYTES_MAX,
    STATEMENTS_MAX,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.mt_accounts import read_account
from integrations.codecs.mt_details import Narrative, read_narrative
from integrations.codecs.mt_fields import Field, MessageEnd, decode, one_line_end, parts
from integrations.codecs.mt_runs import (
    RETURNED_ITEM,
    RunReader,
    joined_code,
    next_entry,
    split_references,
)
from integrations.codecs.records import (
    AccountRef,
    Carried,
    EntryStatus,
    MessageKind,
    ParsedBalance,
    ParsedEntry,
    ParsedMessage,
    ParsedStatement,
)
from integrations.codecs.values import (
    Findings,
    calendar_date,
    fit_amount,
    read_amount,
    read_count,
    reference,
    shown,
)
from integrations.dialects.reading import PLAIN, DateOrder, Dialect, Reversals

_FIELD_START: Final = re.compile(
    rb"^(?:\{[14]:.{0,400})?:(?:20|25|28C?|60[FM]|61|62[FM]|13D|34F):", re.MULTILINE
)
_MT942: Final = re.compile(rb"\{2:[IO]942|^:(?:34F|13D|90[CD]):|^942", re.MULTILINE)
_MARKS_942: Final = (b":34F:", b":13D:", b":90C:", b":90D:", b"\n942", b"{2:I942", b"{2:O942")
_LINE: Final = re.compile(
    r"(?P<value>[0-9]{6})(?P<entry>[0-9]{4}| {4})?"
    r"(?P<mark>RC|RD|EC|ED|C|D)(?P<funds>[A-Z])?\s{0,4}"
    r"(?P<amount>[0-9]{1,40}(?:,[0-9]{0,20})?)(?P<rest>(?:\s{0,4}[A-Za-z].*)?)",
    re.ASCII,
)
_BALANCE: Final = re.compile(
    r"(?P<mark>[CD])(?P<day>[0-9]{6})(?P<currency>[A-Z]{3})?(?P<amount>[0-9]{1,40}(?:,[0-9]{0,20})?)",
    re.ASCII,
)
_FLOOR: Final = re.compile(r"([A-Z]{3})[CD]?([0-9]{1,40}(?:,[0-9]{0,20})?)", re.ASCII)
_SUM: Final = re.compile(r"([0-9]{1,9})([A-Z]{3})([0-9]{1,40}(?:,[0-9]{0,20})?)", re.ASCII)
_MOMENT: Final = re.compile(
    r"([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})([0-9]{2})(?:([+-])([0-9]{2})([0-9]{2}))?",
    re.ASCII,
)
_PLAIN_SIGNS: Final = {"C": 1, "D": -1, "EC": 1, "ED": -1}
# The standard marks a reversal with the side of what it takes back; some banks with its own.
_SIGNS: Final = {
    Reversals.ORIGINAL: _PLAIN_SIGNS | {"RC": -1, "RD": 1},
    Reversals.OWN: _PLAIN_SIGNS | {"RC": 1, "RD": -1},
}
_BALANCE_CODES: Final = {
    "60F": ("OPBD", None),
    "60M": ("ITBD", Carried.FROM),
    "62F": ("CLBD", None),
    "62M": ("ITBD", Carried.TO),
    "64": ("CLAV", None),
    "65": ("FWAV", None),
}


@dataclass(slots=True)
class _Page:
    """A statement whose end has not been seen yet."""

    line_number: int
    statement_id: str = ""
    account: AccountRef | None = None
    sequence: int | None = None
    page_number: int | None = None
    floor_currency: str = ""
    created_at: datetime | None = None
    balances: list[ParsedBalance] = field(default_factory=list)
    entries: list[ParsedEntry] = field(default_factory=list)
    narrative_lines: list[str] = field(default_factory=list)
    statement_lines: list[str] = field(default_factory=list)
    sums: dict[str, Field] = field(default_factory=dict)
    after_entry: bool = False

    @property
    def currency(self) -> str:
        if self.balances:
            return self.balances[0].currency
        stated = "" if self.account is None else self.account.currency
        return stated or self.floor_currency


class _MtReader:
    def __init__(self, *, kind: MessageKind, dialect: Dialect) -> None:
        self.kind = kind
        self.dialect = dialect
        self.signs = _SIGNS[dialect.mt_reversals]
        self.runs = RunReader(dialect=dialect, signs=self.signs)
        self.findings = Findings()
        self.pages: list[ParsedStatement] = []
        self.page: _Page | None = None
        self.entries_count = 0

    def read(self, data: bytes) -> ParsedMessage:
        with collecting_later():
            self._walk(
                one_line_end(decode(data, encoding=self.dialect.encoding, findings=self.findings))
            )
        self._finish_page()
        if not self.pages:
            raise UnreadableMessage(
                "The file contains no statement: no field :20: or :25: was found.",
                code="no_statement",
            )
        return ParsedMessage(
            kind=self.kind,
            version=self.kind.upper(),
            message_id=self.pages[0].statement_id,
            created_at=self.pages[0].created_at,
            statements=tuple(self.pages),
            findings=self.findings.all(),
        )

    def _walk(self, text: str) -> None:
        """Take plain entries run by run, and what lies between the runs field by field."""
        place, line_number = 0, 1
        while place < len(text):
            start = place
            place, line_number = self._take_run(text, place, line_number)
            # An entry that is not plain lies before the one to go on with.
            end = next_entry(text, place + (1 if place == start else 0))
            for part in parts(text[place:end], first_line=line_number):
                if isinstance(part, MessageEnd):
                    self._finish_page()
                else:
                    self._take(part)
            line_number += text.count("\n", place, end)
            place = end

    def _take_run(self, text: str, place: int, line_number: int) -> tuple[int, int]:
        page = self.page
        if page is None or not page.currency:
            return place, line_number
        run = self.runs.read(
            text,
            place=place,
            line_number=line_number,
            currency=page.currency,
            at_most=ENTRIES_MAX - self.entries_count,
        )
        if run.entries:
            self._finish_entry(page)
            page.entries.extend(run.entries)
            self.entries_count += len(run.entries)
        return run.place, run.line_number

    def _take(self, part: Field) -> None:
        page = self._page_for(part)
        if part.tag == "61":
            self._take_entry(page, part)
        elif part.tag in {"86", "NS"}:
            lines = page.narrative_lines if page.after_entry else page.statement_lines
            lines.extend(part.lines)
            if len(lines) > FIELD_LINES_MAX:
                raise UnreadableMessage(
                    f"A movement carries more than {FIELD_LINES_MAX:,} lines of text.",
                    code="field_too_long",
                    locator=part.locator,
                )
        else:
            self._finish_entry(page)
            self._take_header(page, part)

    def _page_for(self, part: Field) -> _Page:
        """Return the open page; `:20:`, or a second account, opens a new one."""
        again = part.tag == "20" or (
            part.tag in {"25", "25P"} and self.page is not None and self.page.account is not None
        )
        if again:
            self._finish_page()
        if self.page is None:
            self.page = _Page(line_number=part.line_number)
        return self.page

    def _take_header(self, page: _Page, part: Field) -> None:
        if part.tag == "20":
            page.statement_id = part.value
        elif part.tag in {"25", "25P"}:
            page.account = read_account(part, findings=self.findings)
        elif part.tag in {"28", "28C"}:
            number, _, page_number = part.value.partition("/")
            page.sequence = read_count(number.strip())
            page.page_number = read_count(page_number.strip())
        elif part.tag in _BALANCE_CODES:
            self._take_balance(page, part)
        elif part.tag == "34F":
            self._take_floor(page, part)
        elif part.tag.startswith("13"):
            page.created_at = self._read_moment(part)
        elif part.tag in {"90C", "90D"}:
            page.sums[part.tag] = part

    def _take_floor(self, page: _Page, part: Field) -> None:
        """Note below which amount movements are left out."""
        floor = _FLOOR.match(part.value)
        if floor is None:
            return
        page.floor_currency = floor.group(1)
        if floor.group(2).strip("0,"):
            words = f"Movements below {floor.group(2)} {floor.group(1)} are not reported."
            self._note(part.locator, "floor_limit", words)

    def _take_balance(self, page: _Page, part: Field) -> None:
        if len(page.balances) >= BALANCES_MAX:
            raise UnreadableMessage(
                f"The statement has more than {BALANCES_MAX} balances.",
                code="too_many_records",
                locator=part.locator,
            )
        page.balances.append(self._read_balance(page, part))

    def _note(self, locator: str, code: str, message: str) -> None:
        self.findings.add(code, message, locator)

    def _day(self, text: str, *, locator: str) -> date | None:
        """Read YYMMDD, or the bank's own order; years from 80 on belong to the last century."""
        pairs = dict(zip(self.dialect.mt_dates, (text[:2], text[2:4], text[4:6]), strict=True))
        year = int(pairs["Y"])
        year += 1900 if year >= CENTURY_PIVOT_YEAR else 2000
        return calendar_date(
            year,
            int(pairs["M"]),
            int(pairs["D"]),
            note=lambda code, words: self._note(locator, code, words),
        )

    def _amount(self, text: str, currency: str, *, what: str, locator: str) -> Decimal:
        amount = read_amount(text.replace(",", "."), what=what, locator=locator)
        return fit_amount(
            amount,
            currency,
            note=lambda words: self._note(locator, "amount_precision", f"{what}: {words}"),
        )

    def _read_moment(self, part: Field) -> datetime | None:
        match = _MOMENT.match(part.value)
        if match is None:
            self._note(part.locator, "datetime_unreadable", f"{shown(part.value)} is no time.")
            return None
        day = self._day(part.value[:6], locator=part.locator)
        hour, minute = int(match.group(4)), int(match.group(5))
        sign, offset_hours, offset_minutes = match.group(6, 7, 8)
        if day is None or hour > 23 or minute > 59:  # noqa: PLR2004 - hours and minutes
            return None
        zone = None
        if sign is not None:
            offset = timedelta(hours=int(offset_hours), minutes=int(offset_minutes))
            if offset >= timedelta(hours=24):
                return None
            zone = timezone(-offset if sign == "-" else offset)
        return datetime(day.year, day.month, day.day, hour, minute, tzinfo=zone)

    def _read_balance(self, page: _Page, part: Field) -> ParsedBalance:
        what = f"The balance :{part.tag}:"
        match = _BALANCE.fullmatch(part.value.replace(" ", ""))
        if match is None:
            raise UnreadableMessage(
                f"{what} cannot be read: {shown(part.value)}.",
                code="balance_unreadable",
                locator=part.locator,
            )
        currency = match["currency"] or page.currency
        if not currency:
            raise UnreadableMessage(
                f"{what} has no currency.", code="currency_missing", locator=part.locator
            )
        if not match["currency"]:
            words = f"{what} has no currency; {currency} was taken."
            self._note(part.locator, "currency_assumed", words)
        day = self._day(match["day"], locator=part.locator)
        if day is None:
            raise UnreadableMessage(
                f"{what} has no readable date: {shown(match['day'])}.",
                code="balance_date_missing",
                locator=part.locator,
            )
        amount = self._amount(match["amount"], currency, what=what, locator=part.locator)
        code, carried = _BALANCE_CODES[part.tag]
        return ParsedBalance(
            code=code,
            amount=_PLAIN_SIGNS[match["mark"]] * amount,
            currency=currency,
            on=day,
            carried=carried,
            locator=part.locator,
        )

    def _take_entry(self, page: _Page, part: Field) -> None:
        self._finish_entry(page)
        self.entries_count += 1
        if self.entries_count > ENTRIES_MAX:
            raise UnreadableMessage(
                f"The file has more than {ENTRIES_MAX:,} entries; ask the bank to split it.",
                code="too_many_records",
                locator=part.locator,
            )
        page.entries.append(self._read_entry(page, part))
        page.after_entry = True

    def _read_entry(self, page: _Page, part: Field) -> ParsedEntry:
        match, supplementary = _match_line(part)
        if not page.currency:
            raise UnreadableMessage(
                "An entry appears before any field that tells the currency.",
                code="currency_missing",
                locator=part.locator,
            )
        amount = self._amount(match["amount"], page.currency, what="An entry", locator=part.locator)
        value_date = self._day(match["value"], locator=part.locator)
        booking_date = self._entry_date(match["entry"], value_date, locator=part.locator)
        if value_date is None and booking_date is None:
            self._note(part.locator, "entry_without_date", "The entry has no readable date.")
        kind, owner, bank, padded = split_references(match["rest"])
        extra = [padded, *(line.strip() for line in supplementary)]
        return ParsedEntry(
            amount=self.signs[match["mark"]] * amount,
            currency=page.currency,
            status=EntryStatus.PDNG if match["mark"].startswith("E") else EntryStatus.BOOK,
            is_reversal=match["mark"].startswith("R"),
            booking_date=booking_date,
            value_date=value_date or booking_date,
            bank_reference=reference(bank),
            instruction_id=reference(owner),
            transaction_code=joined_code(kind, None),
            return_reason=RETURNED_ITEM if kind[1:] == RETURNED_ITEM else None,
            additional_info=" ".join(piece for piece in extra if piece),
            locator=part.locator,
        )

    def _entry_date(self, text: str | None, value: date | None, *, locator: str) -> date | None:
        """Give MMDD the year that brings it nearest to the value date.

        Without an entry date the bank booked on the value date.
        """
        if text is None or not text.strip() or value is None:
            return value
        month, day = int(text[:2]), int(text[2:4])
        if self.dialect.mt_dates is DateOrder.DAY_FIRST:
            month, day = day, month
        candidates = [
            candidate
            for year in (value.year, value.year - 1, value.year + 1)
            if (candidate := _date_or_none(year, month, day)) is not None
        ]
        if not candidates:
            return calendar_date(
                value.year,
                month,
                day,
                note=lambda code, words: self._note(locator, code, words),
            )
        return min(candidates, key=lambda candidate: abs(candidate - value))

    def _finish_entry(self, page: _Page) -> None:
        """Attach the narrative that followed the last entry."""
        if page.after_entry and page.narrative_lines:
            told = read_narrative(page.narrative_lines, style=self.dialect.mt_details)
            page.entries[-1] = _narrated(page.entries[-1], told)
        page.narrative_lines = []
        page.after_entry = False

    def _finish_page(self) -> None:
        page, self.page = self.page, None
        if page is None:
            return
        locator = f"line {page.line_number}"
        self._finish_entry(page)
        if page.account is None:
            raise UnreadableMessage(
                f"The statement at {locator} does not name its account (field :25:).",
                code="account_missing",
                locator=locator,
            )
        if len(self.pages) >= STATEMENTS_MAX:
            raise UnreadableMessage(
                f"The file has more than {STATEMENTS_MAX:,} statements; ask for a split.",
                code="too_many_records",
                locator=locator,
            )
        if not page.currency:
            self._note(locator, "currency_unknown", "The statement does not say its currency.")
        self._check_sums(page)
        self.pages.append(_as_statement(page, page.account, locator=locator))

    def _check_sums(self, page: _Page) -> None:
        """Compare the totals an MT942 states with the entries listed."""
        for part in page.sums.values():
            match = _SUM.fullmatch(part.value)
            if match is None:
                words = f"The total {shown(part.value)} cannot be read."
                self._note(part.locator, "sum_unreadable", words)
                continue
            sign = 1 if part.tag == "90C" else -1
            amounts = [entry.amount for entry in page.entries if entry.amount * sign > 0]
            stated = self._amount(
                match.group(3), match.group(2), what="A total", locator=part.locator
            )
            total = sign * sum(amounts, Decimal(0))
            if int(match.group(1)) != len(amounts) or stated != total:
                self._note(
                    part.locator,
                    "sum_differs",
                    f"The bank counts {int(match.group(1))} movements of {stated},"
                    f" the entries are {len(amounts)} of {total}.",
                )


def _match_line(part: Field) -> tuple[re.Match[str], list[str]]:
    """Match field 61; some banks break it in the middle, so two lines may belong together."""
    for count in (1, 2):
        match = _LINE.fullmatch("".join(part.lines[:count]).strip())
        if match is not None:
            return match, part.lines[count:]
    raise UnreadableMessage(
        f"The entry cannot be read: {shown(part.value)}.",
        code="entry_unreadable",
        locator=part.locator,
    )


def _date_or_none(year: int, month: int, day: int) -> date | None:
    try:
        return date(year, month, day)
    except ValueError:
        return None


def _narrated(entry: ParsedEntry, told: Narrative) -> ParsedEntry:
    kind = (entry.transaction_code or "").removeprefix("PRTRY:")
    extra = (entry.additional_info, told.posting_text)
    return replace(
        entry,
        transaction_code=joined_code(kind, told.transaction_type),
        end_to_end_id=told.end_to_end_id,
        instruction_id=entry.instruction_id or told.customer_reference,
        mandate_id=told.mandate_id,
        uetr=told.uetr,
        counterparty_name=told.counterparty_name,
        counterparty_account=told.counterparty_account,
        counterparty_bic=told.counterparty_bank,
        remittance=told.remittance,
        return_reason=told.return_reason or entry.return_reason,
        additional_info=" ".join(piece for piece in extra if piece),
    )


def _as_statement(page: _Page, account: AccountRef, *, locator: str) -> ParsedStatement:
    carried_on = any(balance.carried is Carried.TO for balance in page.balances)
    closed = any(balance.code == "CLBD" for balance in page.balances)
    return ParsedStatement(
        statement_id=page.statement_id,
        account=account,
        currency=page.currency,
        electronic_sequence=page.sequence,
        page_number=page.page_number,
        last_page=False if carried_on else True if closed else None,
        to_at=page.created_at,
        created_at=page.created_at,
        balances=tuple(page.balances),
        entries=tuple(page.entries),
        additional_info=" ".join(line.strip() for line in page.statement_lines if line.strip()),
        locator=locator,
    )


def identify_mt(data: bytes) -> MessageKind | None:
    """Return MT940 or MT942 if the first fields look like one; None otherwise."""
    start = data[: 64 * 1024].replace(b"\r", b"\n")
    if not _FIELD_START.search(start):
        return None
    # Looking for plain bytes first spares most files the search for the expression.
    may_be = start.startswith(b"942") or any(mark in start for mark in _MARKS_942)
    return MessageKind.MT942 if may_be and _MT942.search(start) else MessageKind.MT940


def read_mt(data: bytes, *, dialect: Dialect = PLAIN) -> ParsedMessage:
    """Read an MT940 or MT942 file with any number of statements.

    Raises:
        UnreadableMessage: not such a file, too large, or an unreadable entry or balance.
    """
    kind = identify_mt(data)
    if kind is None:
        raise UnreadableMessage(
            "The file is neither XML nor a SWIFT statement: no field such as :20: was found.",
            code="kind_unknown",
        )
    if len(data) > MT_BYTES_MAX:
        raise UnreadableMessage(
            f"The file has {len(data):,} bytes; of MT940 at most {MT_BYTES_MAX:,} are read.",
            code="message_too_large",
        )
    return _MtReader(kind=kind, dialect=dialect).read(data)
