"""Read BAI2, the cash management file of North American banks: previous day and same day.

Each account record (03) becomes one statement. What the trailers count (49, 98, 99) is compared
with what was read; a statement whose counts differ says so and is not posted.
"""

from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from decimal import Decimal
from typing import Final

from core.errors import Invalid
from core.money import minor_units
from integrations.codecs.bai2_funds import Availability, next_weekdays, read_funds
from integrations.codecs.bai2_records import Record, read_units, records
from integrations.codecs.bai2_text import return_reason, told_by
from integrations.codecs.bai2_types import BALANCES, RETURNS, TOTAL_CREDITS, TOTAL_DEBITS, side_of
from integrations.codecs.constants import (
    BAI2_BYTES_MAX,
    BALANCES_MAX,
    ENTRIES_MAX,
    STATEMENTS_MAX,
)
from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.mt_fields import decode
from integrations.codecs.records import (
    AccountRef,
    EntryStatus,
    MessageKind,
    ParsedBalance,
    ParsedEntry,
    ParsedMessage,
    ParsedStatement,
)
from integrations.codecs.values import Findings, calendar_date, read_amount, reference, shown
from integrations.dialects.reading import PLAIN, Dialect, Side, Totals

# Without a word the currency of a file is the dollar: the standard's own default.
DEFAULT_CURRENCY: Final = "USD"
_SAME_DAY: Final = "3"
_END_OF_DAY_TIMES: Final = frozenset({"2400", "2359", "9999", ""})
_REFUSED_GROUPS: Final = {
    "2": "The bank asks to delete what it reported for this day; a person must look at it.",
    "4": "The bank marks this part of the file as a test.",
}
_DATE_CHARS: Final = 6
_TIME_CHARS: Final = 4


@dataclass(slots=True)
class _Sums:
    """What a trailer states again: the amounts as written, and the records below."""

    amounts: Decimal = Decimal(0)
    parts: int = 0
    physical: int = 0


@dataclass(slots=True)
class _Group:
    """The group whose trailer has not been read: whose day it reports, and as of when."""

    originator: str
    status: str
    as_of: date
    at: datetime | None
    currency: str
    modifier: str
    sums: _Sums = field(default_factory=_Sums)
    first_statement: int = 0

    @property
    def kind(self) -> MessageKind:
        intraday = self.modifier == _SAME_DAY
        return MessageKind.BAI2_INTRADAY if intraday else MessageKind.BAI2


@dataclass(slots=True)
class _Account:
    """The account whose trailer has not been read."""

    number: str
    currency: str
    record: Record
    balances: list[ParsedBalance] = field(default_factory=list)
    entries: list[ParsedEntry] = field(default_factory=list)
    totals: dict[str, Decimal] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    sums: _Sums = field(default_factory=_Sums)


class _Bai2Reader:
    def __init__(self, dialect: Dialect) -> None:
        self.dialect = dialect
        self.findings = Findings()
        self.statements: list[ParsedStatement] = []
        self.file_id = ""
        self.created_at: datetime | None = None
        self.group: _Group | None = None
        self.account: _Account | None = None
        self.file_sums = _Sums()
        self.entries_count = 0
        self.is_closed = False

    def read(self, data: bytes) -> ParsedMessage:
        content = decode(data, encoding=self.dialect.encoding, findings=self.findings)
        for record in records(content):
            self._take(record)
        if self.account is not None or self.group is not None or not self.is_closed:
            self._end_early()
        if not self.statements:
            raise UnreadableMessage("The file reports on no account.", code="no_statement")
        kinds = {statement.kind for statement in self.statements}
        kind = MessageKind.BAI2 if MessageKind.BAI2 in kinds else MessageKind.BAI2_INTRADAY
        return ParsedMessage(
            kind=kind,
            version="BAI2",
            message_id=self.file_id,
            created_at=self.created_at,
            statements=tuple(self.statements),
            findings=self.findings.all(),
        )

    def _take(self, record: Record) -> None:
        steps = {
            "01": self._open_file,
            "02": self._open_group,
            "03": self._open_account,
            "16": self._add_entry,
            "49": self._close_account,
            "98": self._close_group,
            "99": self._close_file,
        }
        self.file_sums.physical += record.physical
        if self.group is not None and record.code not in {"02", "99"}:
            self.group.sums.physical += record.physical
        if self.account is not None and record.code in {"16", "49"}:
            self.account.sums.physical += record.physical
        steps[record.code](record)

    def _open_file(self, record: Record) -> None:
        sender, _, day, clock, number = (record.take() for _ in range(5))
        self.file_id = "/".join(part for part in (sender, day, clock, number) if part)
        created = self._day(day, record)
        self.created_at = None if created is None else self._moment(created, clock)

    def _open_group(self, record: Record) -> None:
        if self.group is not None:
            self._end_early()
        _, originator, status, day, clock, currency, modifier = (record.take() for _ in range(7))
        as_of = self._day(day, record)
        if as_of is None:
            raise UnreadableMessage(
                f"The group has no readable date: {shown(day)}.",
                code="balance_date_missing",
                locator=record.locator,
            )
        self.group = _Group(
            originator=originator,
            status=status,
            as_of=as_of,
            at=None if clock in _END_OF_DAY_TIMES else self._moment(as_of, clock),
            currency=currency,
            modifier=modifier,
            sums=_Sums(physical=record.physical),
            first_statement=len(self.statements),
        )

    def _open_account(self, record: Record) -> None:
        group = self._require_group(record)
        if self.account is not None:
            self.account.problems.append("Its trailer (49) is missing.")
            self._finish_account(self.account, group)
        number, currency = record.take(), record.take()
        stated = currency or group.currency or self.dialect.currency
        if not stated:
            words = f"No currency is stated; {DEFAULT_CURRENCY} is BAI2's default."
            self.findings.add("currency_assumed", words, record.locator)
        account = _Account(
            number=number,
            currency=stated or DEFAULT_CURRENCY,
            record=record,
            sums=_Sums(physical=record.physical),
        )
        self.account = account
        while record.has_more:
            self._take_summary(account, group, record)

    def _take_summary(self, account: _Account, group: _Group, record: Record) -> None:
        code, amount, _count = record.take(), record.take(), record.take()
        read_funds(record)
        if not code or not amount:
            return
        what = f"The balance {code}"
        value = self._amount(amount, account, what=what, locator=record.locator)
        if code in (TOTAL_CREDITS, TOTAL_DEBITS):
            account.totals[code] = abs(value)
        elif code not in BALANCES:
            account.remarks.append(f"{code}: {value}")
        elif len(account.balances) >= BALANCES_MAX:
            raise _too_many(BALANCES_MAX, "balances of one account", record)
        else:
            account.balances.append(
                ParsedBalance(
                    code=BALANCES[code],
                    amount=value,
                    currency=account.currency,
                    on=group.as_of,
                    at=group.at,
                    locator=record.locator,
                )
            )

    def _add_entry(self, record: Record) -> None:
        group, account = self._require_group(record), self.account
        if account is None:
            raise UnreadableMessage(
                "A transaction (16) appears before its account (03).",
                code="account_missing",
                locator=record.locator,
            )
        self.entries_count += 1
        if self.entries_count > ENTRIES_MAX:
            raise _too_many(ENTRIES_MAX, "entries", record)
        code, amount = record.take(), record.take()
        side = side_of(code, own=self.dialect.bai2_types)
        if side is Side.NEITHER or not amount:
            account.remarks.append(" ".join([f"{code}:", amount, *record.rest()]))
            return
        value = self._amount(amount, account, what="A transaction", locator=record.locator)
        funds = read_funds(record)
        if side is None:
            account.problems.append(
                f"Type code {code} ({record.locator}) is on no known side; the bank's profile can"
                " name it (bai2_types)."
            )
            return
        entry = self._entry(record, account, group, funds)
        sign = 1 if side is Side.CREDIT else -1
        told = told_by(record.rest(), is_credit=sign > 0)
        account.entries.append(
            replace(
                entry,
                amount=sign * value,
                is_reversal=value < 0,
                transaction_code=f"PRTRY:{code}",
                end_to_end_id=told.end_to_end_id,
                counterparty_name=told.counterparty_name,
                counterparty_account=told.counterparty_account,
                counterparty_bic=told.counterparty_bic,
                remittance=told.remittance,
                return_reason=return_reason(told, code=code) if code in RETURNS else None,
            )
        )

    def _entry(
        self, record: Record, account: _Account, group: _Group, funds: Availability
    ) -> ParsedEntry:
        """Return an entry with its dates and references; side and text are added."""
        bank, customer = record.take(), record.take()
        return ParsedEntry(
            amount=Decimal(0),
            currency=account.currency,
            status=EntryStatus.BOOK,
            booking_date=group.as_of,
            value_date=funds.on or next_weekdays(group.as_of, funds.days),
            bank_reference=reference(bank),
            instruction_id=reference(customer),
            additional_info=funds.words,
            locator=record.locator,
        )

    def _amount(self, text: str, account: _Account, *, what: str, locator: str) -> Decimal:
        """Read an amount, count it as written, and give it the currency's decimals."""
        units, has_point = read_units(text, what=what, locator=locator)
        account.sums.amounts += units
        if not has_point:
            units = units.scaleb(-_decimals(account.currency))
        read_amount(f"{abs(units):f}", what=what, locator=locator)
        return units

    def _close_account(self, record: Record) -> None:
        group, account = self._require_group(record), self.account
        if account is None:
            self.findings.add("trailer_alone", "A trailer (49) has no account.", record.locator)
            return
        self._compare("account", record, account.sums, parts=None, problems=account.problems)
        self._finish_account(account, group)

    def _finish_account(self, account: _Account, group: _Group) -> None:
        if len(self.statements) >= STATEMENTS_MAX:
            raise _too_many(STATEMENTS_MAX, "accounts", account.record)
        _check_totals(account, findings=self.findings)
        group.sums.amounts += account.sums.amounts
        group.sums.parts += 1
        if group.status in _REFUSED_GROUPS:
            account.problems.append(_REFUSED_GROUPS[group.status])
        self.statements.append(_as_statement(account, group, created_at=self.created_at))
        self.account = None

    def _close_group(self, record: Record) -> None:
        group = self.group
        if group is None:
            self.findings.add("trailer_alone", "A trailer (98) has no group.", record.locator)
            return
        if self.account is not None:
            self.account.problems.append("Its trailer (49) is missing.")
            self._finish_account(self.account, group)
        problems: list[str] = []
        self._compare("group", record, group.sums, parts="accounts", problems=problems)
        self._blame(problems, since=group.first_statement)
        self.file_sums.amounts += group.sums.amounts
        self.file_sums.parts += 1
        self.group = None

    def _close_file(self, record: Record) -> None:
        if self.group is not None:
            self._end_early()
        problems: list[str] = []
        self._compare("file", record, self.file_sums, parts="groups", problems=problems)
        self._blame(problems, since=0)
        self.is_closed = True

    def _compare(
        self, what: str, record: Record, sums: _Sums, *, parts: str | None, problems: list[str]
    ) -> None:
        """Compare a trailer with what was read; a total that differs is a problem."""
        stated, _ = read_units(record.take() or "0", what=f"The {what}", locator=record.locator)
        counts = [record.take()] if parts is None else [record.take(), record.take()]
        if stated != sums.amounts:
            words = f"The {what}'s control total is {stated}, its amounts sum to {sums.amounts}"
            if self.dialect.bai2_totals is Totals.PROVED:
                problems.append(f"{words} ({record.locator}).")
            else:
                self.findings.add("control_total_differs", f"{words}.", record.locator)
        found = [sums.physical] if parts is None else [sums.parts, sums.physical]
        for given, counted in zip(counts, found, strict=True):
            if given.isascii() and given.isdigit() and int(given[:9]) != counted:
                words = f"The {what}'s trailer counts {given}, {counted} were read."
                self.findings.add("count_differs", words, record.locator)

    def _blame(self, problems: list[str], *, since: int) -> None:
        """Let every statement of a group or file say that its trailer does not fit."""
        if not problems:
            return
        for number in range(since, len(self.statements)):
            statement = self.statements[number]
            words = " ".join(part for part in (statement.contradiction, *problems) if part)
            self.statements[number] = replace(statement, contradiction=words)

    def _end_early(self) -> None:
        """Note that trailers are missing: the file was cut."""
        group, self.group = self.group, None
        if self.account is not None and group is not None:
            self._finish_account(self.account, group)
        since = group.first_statement if group is not None else 0
        self._blame(["The file ends, or goes on, without its trailer."], since=since)

    def _require_group(self, record: Record) -> _Group:
        if self.group is None:
            raise UnreadableMessage(
                "An account or transaction appears outside of a group (02).",
                code="group_missing",
                locator=record.locator,
            )
        return self.group

    def _day(self, text: str, record: Record) -> date | None:
        if len(text) != _DATE_CHARS or not text.isdigit() or not text.isascii():
            return None
        return calendar_date(
            2000 + int(text[:2]),
            int(text[2:4]),
            int(text[4:]),
            note=lambda code, words: self.findings.add(code, words, record.locator),
        )

    def _moment(self, day: date, text: str) -> datetime | None:
        """Return a time of the day; the end of the day where the text is none."""
        if len(text) != _TIME_CHARS or not text.isdigit() or not text.isascii():
            return None
        hour, minute = int(text[:2]), int(text[2:])
        if (hour, minute) == (24, 0) or text == "9999":
            return datetime.combine(day, time(23, 59))
        if hour > 23 or minute > 59:  # noqa: PLR2004 - hours and minutes
            return None
        return datetime.combine(day, time(hour, minute))


def _decimals(currency: str) -> int:
    try:
        return minor_units(currency)
    except Invalid as error:
        raise UnreadableMessage(
            f"The file is in {shown(currency)}, whose decimals are not known.",
            code="currency_unknown",
        ) from error


def _check_totals(account: _Account, *, findings: Findings) -> None:
    """Compare total credits and debits with the entries, where any are listed."""
    if not account.entries:
        return
    for code, sign in ((TOTAL_CREDITS, 1), (TOTAL_DEBITS, -1)):
        if code not in account.totals:
            continue
        listed = sum((e.amount for e in account.entries if e.amount * sign > 0), Decimal(0))
        if abs(listed) != account.totals[code]:
            words = f"The bank totals {account.totals[code]} ({code}), listed are {abs(listed)}."
            findings.add("sum_differs", words, account.record.locator)


def _as_statement(
    account: _Account, group: _Group, *, created_at: datetime | None
) -> ParsedStatement:
    at = group.at
    moment = f" {at:%H%M}" if at is not None and group.kind is MessageKind.BAI2_INTRADAY else ""
    return ParsedStatement(
        statement_id=f"{group.as_of:%y%m%d}{moment}",
        kind=group.kind,
        account=AccountRef(number=account.number or None, currency=account.currency),
        currency=account.currency,
        to_at=at or datetime.combine(group.as_of, time(23, 59)),
        created_at=created_at,
        balances=tuple(account.balances),
        entries=tuple(account.entries),
        additional_info="; ".join(account.remarks),
        contradiction=" ".join(account.problems),
        locator=account.record.locator,
    )


def _too_many(limit: int, what: str, record: Record) -> UnreadableMessage:
    return UnreadableMessage(
        f"The file has more than {limit:,} {what}; ask the bank to split it.",
        code="too_many_records",
        locator=record.locator,
    )


def read_bai2(data: bytes, *, dialect: Dialect = PLAIN) -> ParsedMessage:
    """Read a BAI2 file with any number of groups and accounts.

    Raises:
        UnreadableMessage: no account, too large, or an unreadable amount or record.
    """
    if len(data) > BAI2_BYTES_MAX:
        raise UnreadableMessage(
            f"The file has {len(data):,} bytes; of BAI2 at most {BAI2_BYTES_MAX:,} are read.",
            code="message_too_large",
        )
    return _Bai2Reader(dialect).read(data)
