"""A parsed statement as facts about one of our accounts: dates settled, references cleaned."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from functools import lru_cache
from hashlib import sha256
from typing import Final
from zoneinfo import ZoneInfo

from integrations.codecs.building import swift
from integrations.codecs.proof import closing_balance, opening_balance
from integrations.codecs.records import (
    EntryStatus,
    MessageKind,
    ParsedBalance,
    ParsedDetail,
    ParsedEntry,
    ParsedStatement,
)
from treasury.engine.identity import Marks, clean_reference, normal_content

# A statement that claims to speak for longer than this has its dates mixed up.
PERIOD_DAYS_MAX: Final = 35
REFERENCE_CHARS_MAX: Final = 70
UETR_CHARS_MAX: Final = 36
NAME_CHARS_MAX: Final = 140
LOCATOR_CHARS_MAX: Final = 200
REMITTANCE_CHARS_MAX: Final = 2_000
STATEMENT_REF_CHARS_MAX: Final = 40
SEQUENCE_MAX: Final = 2**62

SOURCES: Final = {
    MessageKind.CAMT054: "CAMT054",
    MessageKind.CAMT052: "CAMT052",
    MessageKind.MT942: "MT942",
    MessageKind.MT940: "MT940",
    MessageKind.BAI2: "BAI2",
    MessageKind.BAI2_INTRADAY: "BAI2_ID",
    MessageKind.SHEET: "SHEET",
    MessageKind.CAMT053: "CAMT053",
}
# Which source's word counts more; equal ranks are equally good.
RANKS: Final = {
    "API": 0, "CAMT054": 1, "CAMT052": 2, "MT942": 2, "BAI2_ID": 2, "SHEET": 3, "BAI2": 3,
    "MT940": 3, "CAMT053": 4,
}  # fmt: skip
END_OF_DAY: Final = frozenset({"SHEET", "BAI2", "MT940", "CAMT053"})
_OPENING: Final = frozenset({"OPBD", "OPAV"})
_CLOSING: Final = frozenset({"CLBD", "CLAV", "PRCD"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One payment inside a batch that the bank booked as one entry."""

    amount: Decimal
    bank_reference: str
    end_to_end_id: str
    uetr: str
    counterparty: str
    remittance: str
    return_reason: str
    locator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One entry as one source shows it.

    `parts` are a batch's payments where the bank lists them and they add up to the entry;
    `order_file` is what it names instead, the file that somebody ordered them with.
    """

    marks: Marks
    status: str
    is_reversal: bool
    transaction_code: str
    counterparty: str
    remittance: str
    return_reason: str
    locator: str
    parts: tuple[Part, ...] = ()
    order_file: str = ""

    @property
    def is_batch(self) -> bool:
        """Say whether it may hold several payments."""
        return bool(self.parts or self.order_file)


# A statement has thousands of these.
_marks = swift(Marks)
_shown = swift(Sighting)


@dataclass(frozen=True, slots=True, kw_only=True)
class BalanceFact:
    """A balance with the instant it holds at."""

    code: str
    amount: Decimal
    credit_line_included: Decimal
    on_date: date
    as_of: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class StatementFacts:
    """A statement, or one page of it; `foreign` names currencies that do not belong in it."""

    source: str
    statement_ref: str
    assembly_ref: str
    sequence: int | None
    page: int
    statement_date: date
    period_start: date
    period_end: date
    reported_from: datetime | None
    bank_created_at: datetime | None
    opening: Decimal | None
    closing: Decimal | None
    balances: tuple[BalanceFact, ...]
    sightings: tuple[Sighting, ...]
    content_sha256: str
    is_copy: bool
    foreign: tuple[str, ...]
    locator: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Setting:
    """What the account and the moment of arrival add to a statement."""

    currency: str
    timezone: str
    received_at: datetime

    def instant(self, moment: datetime | None) -> datetime | None:
        """Return `moment` with a zone: its own, else the account's."""
        if moment is None or moment.tzinfo is not None:
            return moment
        return moment.replace(tzinfo=ZoneInfo(self.timezone))

    def midnight(self, day: date) -> datetime:
        """Return the local start of a day."""
        return datetime.combine(day, time.min, tzinfo=ZoneInfo(self.timezone))


def statement_facts(
    parsed: ParsedStatement, *, kind: MessageKind, setting: Setting
) -> StatementFacts:
    """Return what a parsed statement says about its account."""
    source = SOURCES[parsed.kind or kind]
    created = setting.instant(parsed.created_at)
    day = _statement_date(parsed, setting)
    own = [entry for entry in parsed.entries if entry.currency == setting.currency]
    sightings = tuple(_sighting(entry, day=day) for entry in own)
    opening, closing = opening_balance(parsed), closing_balance(parsed)
    balances = tuple(
        _balance(balance, parsed=parsed, created=created, setting=setting)
        for balance in parsed.balances
        if balance.carried is None and balance.currency == setting.currency
    )
    stated = {entry.currency for entry in parsed.entries}
    stated.update(balance.currency for balance in parsed.balances)
    sequence = parsed.electronic_sequence or parsed.legal_sequence
    return StatementFacts(
        source=source,
        statement_ref=_reference(parsed, source=source, day=day),
        assembly_ref=_assembly_reference(parsed, source=source),
        sequence=sequence if sequence is not None and sequence < SEQUENCE_MAX else None,
        page=min(parsed.page_number or 0, 32_767),
        statement_date=day,
        period_start=_period_start(parsed, sightings, day),
        period_end=day,
        reported_from=setting.instant(parsed.from_at),
        bank_created_at=created,
        opening=opening.amount if opening else None,
        closing=closing.amount if closing else None,
        balances=balances,
        sightings=sightings,
        content_sha256=_digest(opening, closing, balances, sightings),
        is_copy=bool(parsed.copy_duplicate),
        foreign=tuple(sorted(stated - {setting.currency})),
        locator=cut(parsed.locator, LOCATOR_CHARS_MAX),
    )


def cut(text: str | None, length: int) -> str:
    """Return text that a column can hold: bounded, without NUL."""
    if not text:
        return ""
    return text.replace("\x00", "")[:length] if len(text) > length or "\x00" in text else text


def _statement_date(parsed: ParsedStatement, setting: Setting) -> date:
    """Return the day a statement ends at: its closing balance's, else the best other hint."""
    closing = closing_balance(parsed)
    if closing is not None:
        return closing.on
    if parsed.to_at is not None:
        return parsed.to_at.date()
    booked = [entry.booking_date for entry in parsed.entries if entry.booking_date]
    if booked:
        return max(booked)
    moment = parsed.created_at or setting.received_at.astimezone(ZoneInfo(setting.timezone))
    return moment.date()


def _period_start(parsed: ParsedStatement, sightings: Iterable[Sighting], day: date) -> date:
    stated = parsed.from_at.date() if parsed.from_at else None
    if stated is not None and 0 <= (day - stated).days <= PERIOD_DAYS_MAX:
        return stated
    booked = [one.marks.booking_date for one in sightings if one.status == EntryStatus.BOOK]
    recent = [one for one in booked if 0 <= (day - one).days <= PERIOD_DAYS_MAX]
    return min(recent, default=day)


def _reference(parsed: ParsedStatement, *, source: str, day: date) -> str:
    """Return what names this statement again when it is corrected.

    MT940 references are often a constant such as STARTUMS: number and day name the statement.
    """
    if source in {"MT940", "MT942"}:
        moment = f" {parsed.created_at:%H%M}" if parsed.created_at else ""
        return cut(f"{parsed.electronic_sequence or 0}/{day}{moment}", STATEMENT_REF_CHARS_MAX)
    fallback = f"{parsed.electronic_sequence or 0}/{day}"
    return cut(parsed.statement_id, STATEMENT_REF_CHARS_MAX) or fallback


def _assembly_reference(parsed: ParsedStatement, *, source: str) -> str:
    """Return what the pages of one statement have in common."""
    number = parsed.electronic_sequence
    common = str(number) if source == "MT940" and number else parsed.statement_id
    return cut(f"pages of {common}", STATEMENT_REF_CHARS_MAX)


def _sighting(entry: ParsedEntry, *, day: date) -> Sighting:
    value_date = entry.value_date or entry.booking_date or day
    remittance = entry.remittance or " ".join(entry.structured_references)
    remittance = cut(remittance, REMITTANCE_CHARS_MAX)
    code = _code(entry.transaction_code)
    marks = _marks(
        entry.amount,
        entry.booking_date or value_date,
        value_date,
        entry.status is not EntryStatus.BOOK,  # is_pending
        cut(clean_reference(entry.bank_reference), REFERENCE_CHARS_MAX),
        cut(clean_reference(entry.uetr), UETR_CHARS_MAX).lower(),
        cut(clean_reference(entry.end_to_end_id), REFERENCE_CHARS_MAX),
        code,
        normal_content(remittance),
    )
    return _shown(
        marks,
        str(entry.status),
        entry.is_reversal,
        code,
        cut(entry.counterparty_name, NAME_CHARS_MAX),
        remittance,
        cut(entry.return_reason, REFERENCE_CHARS_MAX),
        cut(entry.locator, LOCATOR_CHARS_MAX),
        _parts(entry) if len(entry.details) > 1 else (),
        "" if marks.end_to_end_id or marks.uetr else _order_file(entry),
    )


def _parts(entry: ParsedEntry) -> tuple[Part, ...]:
    """Return the payments of a batch; none where one has no amount or they do not add up."""
    amounts = [one.amount for one in entry.details if one.currency == entry.currency]
    if len(amounts) != len(entry.details) or sum(filter(None, amounts)) != entry.amount:
        return ()
    return tuple(_part(one) for one in entry.details) if all(amounts) else ()


def _part(detail: ParsedDetail) -> Part:
    remittance = detail.remittance or " ".join(detail.structured_references)
    return Part(
        amount=detail.amount or Decimal(0),
        bank_reference=cut(clean_reference(detail.bank_reference), REFERENCE_CHARS_MAX),
        end_to_end_id=cut(clean_reference(detail.end_to_end_id), REFERENCE_CHARS_MAX),
        uetr=cut(clean_reference(detail.uetr), UETR_CHARS_MAX).lower(),
        counterparty=cut(detail.counterparty_name, NAME_CHARS_MAX),
        remittance=cut(remittance, REMITTANCE_CHARS_MAX),
        return_reason=cut(detail.return_reason, REFERENCE_CHARS_MAX),
        locator=cut(detail.locator, LOCATOR_CHARS_MAX),
    )


def _order_file(entry: ParsedEntry) -> str:
    """Return the name of the file, or of its block, that an entry without own references has."""
    named = clean_reference(entry.message_id) or clean_reference(entry.payment_information_id)
    return cut(named, REFERENCE_CHARS_MAX) if named else ""


# Banks use few codes, in many entries.
@lru_cache(maxsize=1024)
def _code(text: str | None) -> str:
    return cut(text, REFERENCE_CHARS_MAX)


def _balance(
    balance: ParsedBalance,
    *,
    parsed: ParsedStatement,
    created: datetime | None,
    setting: Setting,
) -> BalanceFact:
    return BalanceFact(
        code=balance.code[:4],
        amount=balance.amount,
        credit_line_included=balance.credit_line_included or Decimal(0),
        on_date=balance.on,
        as_of=_holds_at(balance, parsed=parsed, created=created, setting=setting),
    )


def _holds_at(
    balance: ParsedBalance,
    *,
    parsed: ParsedStatement,
    created: datetime | None,
    setting: Setting,
) -> datetime:
    """Return the instant a balance holds at, never later than the bank wrote or we received it."""
    start, end = setting.midnight(balance.on), setting.midnight(balance.on + timedelta(days=1))
    bound = min(created or setting.received_at, setting.received_at)
    if balance.code in _OPENING:
        return start
    stated = setting.instant(balance.at)
    if balance.code in _CLOSING:
        # A time on a closing balance is often 00:00: it still closes its day.
        return min(end, bound) if bound > start else end
    if stated is None:
        to_at = setting.instant(parsed.to_at)
        stated = to_at if to_at is not None and start <= to_at <= end else min(end, bound)
    return min(stated, setting.received_at)


def _digest(
    opening: ParsedBalance | None,
    closing: ParsedBalance | None,
    balances: Iterable[BalanceFact],
    sightings: Sequence[Sighting],
) -> str:
    """Digest what counts in a statement, so that the same content in other bytes is recognised."""
    ends = [None if end is None else end.amount for end in (opening, closing)]
    digest = sha256(repr(ends).encode())
    for balance in balances:
        facts = (balance.code, balance.amount, balance.credit_line_included, balance.on_date)
        digest.update("|".join(map(str, facts)).encode() + b"\n")
    seen = {one.marks.booking_date for one in sightings}
    seen.update(one.marks.value_date for one in sightings)
    days = {day: str(day) for day in seen}
    digest.update("".join([_line(one, days) for one in sightings]).encode())
    for part in [part for one in sightings for part in one.parts]:
        digest.update(repr(part).encode())
    return digest.hexdigest()


def _line(one: Sighting, days: dict[date, str]) -> str:
    marks = one.marks
    return (
        f"{marks.amount}|{days[marks.booking_date]}|{days[marks.value_date]}|{one.status}|"
        f"{marks.bank_reference}|{marks.uetr}|{marks.end_to_end_id}|{marks.content}|"
        f"{one.transaction_code}|{one.counterparty}|{one.return_reason}|{one.is_reversal}\n"
    )
