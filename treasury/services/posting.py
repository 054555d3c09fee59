"""From sightings to entries: each arrival is an observation, each movement counts once."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db.models import Q

from treasury.engine.facts import END_OF_DAY, RANKS, Sighting, StatementFacts
from treasury.engine.identity import Marks, normal_content
from treasury.engine.merge import assign
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    EntryObservation,
    EntryState,
    ExpectedFlow,
    IntradayMode,
    Statement,
    StatementState,
)
from treasury.services import arriving, late, parts, resembling, rows
from treasury.services.settling import Change, settle

STATUS_ORDER: Final = ("INFO", "FUTR", "PDNG", "BOOK")
_INTRADAY: Final = ("CAMT052", "MT942", "BAI2_ID")
_CHANGING: Final = (
    "identity", "identity_rule", "occurrence", "booking_date", "value_date", "status", "state",
    "best_source", "is_reversal", "bank_reference", "end_to_end_id", "uetr", "transaction_code",
    "counterparty", "remittance", "return_reason", "statement", "locator", "announced_at",
    "merged_into",
)  # fmt: skip


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """A statement's row together with what it says: one page, or the whole."""

    row: Statement
    facts: StatementFacts


@dataclass(slots=True, kw_only=True)
class Posted:
    """What a statement did: new entries, changed ones, and which began or ceased to count.

    `new` and `changed` are the entries that had to be looked at one by one; entries that nothing
    known resembles are written as columns and only counted in `unseen`. `batches` are entries of
    which it is known since now what is inside.
    """

    new: list[BankEntry] = field(default_factory=list)
    changed: list[BankEntry] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    batches: list[UUID] = field(default_factory=list)
    unseen: int = 0

    @property
    def new_count(self) -> int:
        """Return how many entries are new."""
        return len(self.new) + self.unseen

    def booked(self) -> list[BankEntry]:
        """Return those looked at that are booked and that this statement brought news about."""
        return [
            entry
            for entry in (*self.new, *self.changed)
            if entry.status == BookingStatus.BOOK and entry.state == EntryState.COUNTED
        ]


class _Book:
    """The known entries around a statement, and the identities in use."""

    def __init__(self, known: resembling.Known) -> None:
        self.entries = known.entries
        self.marks = [marks_of(entry) for entry in self.entries]
        self.used: dict[str, set[int]] = defaultdict(set)
        for identity, occurrence in known.slots:
            self.used[identity].add(occurrence)

    def identify(self, entry: BankEntry) -> None:
        """Give `entry` the identity of its strongest mark and the first free occurrence."""
        marks = marks_of(entry)
        identity = marks.identity()
        if entry.identity == identity:
            return
        # The slot left behind stays taken until commit: one UPDATE may not shift rows into it.
        taken = self.used[identity]
        occurrence = len(taken) + 1
        while occurrence in taken:
            occurrence += 1
        taken.add(occurrence)
        entry.identity, entry.occurrence = identity, occurrence
        entry.identity_rule = marks.strongest().name


def marks_of(entry: BankEntry) -> Marks:
    """Return what a stored entry is recognised by."""
    return Marks(
        amount=entry.amount,
        booking_date=entry.booking_date,
        value_date=entry.value_date,
        is_pending=entry.status != BookingStatus.BOOK,
        bank_reference=entry.bank_reference,
        uetr=entry.uetr,
        end_to_end_id=entry.end_to_end_id,
        transaction_code=entry.transaction_code,
        content=normal_content(entry.remittance),
    )


def post(*, account: BankAccount, sheets: Sequence[Sheet], now: datetime) -> Posted:
    """Turn the sightings of one statement (all its pages) into entries and observations.

    A sighting whose amount no known entry nearby has is of a new entry, whatever its marks: the
    amount must agree at every rung. Such are written as columns; the others climb the ladder.
    """
    known = resembling.find(account=account, pages=[sheet.facts.sightings for sheet in sheets])
    shown, posted = [], Posted()
    twins: Counter[str] = Counter()
    touched: list[UUID | str] = []
    batches: list[tuple[UUID | str, Sighting]] = []
    start, end = _speaks_for(sheets, account)
    closing = late.closing_of(account)
    for sheet in sheets:
        unseen = []
        for one in sheet.facts.sightings:
            if one.marks.amount in known.amounts:
                shown.append((sheet, one))
            else:
                unseen.append(one)
        for state, fresh in closing.apart(unseen, statement=sheet.row):
            ids = arriving.insert(
                account=account,
                statement=sheet.row,
                sightings=fresh,
                twins=twins,
                state=state,
                now=now,
            )
            posted.unseen += len(ids)
            batches += [(pk, one) for pk, one in zip(ids, fresh, strict=True) if one.is_batch]
            touched.extend(
                pk
                for pk, one in zip(ids, fresh, strict=True)
                if not start <= one.marks.booking_date <= end
            )
    if shown:
        touched.extend(_climb(posted, closing, shown, _Book(known), now=now))
    posted.batches += parts.keep(account_id=account.pk, shown=batches)
    posted.changes = settle(
        account_id=account.pk, start=start, end=end, touched=touched, closed=closing.until
    )
    if closing.is_of_interest:
        late.keep(closing=closing, statement=sheets[0].row, days=(start, end), touched=touched)
    _refresh_states(posted)
    return posted


def _climb(
    posted: Posted,
    closing: late.Closing,
    shown: Sequence[tuple[Sheet, Sighting]],
    book: _Book,
    *,
    now: datetime,
) -> list[UUID]:
    """Take sightings up the ladder one by one; return the entries they touched."""
    statement, account, learn = shown[0][0].row, closing.account, closing.watched(_learn)
    assignment = assign(
        [one.marks for _, one in shown],
        book.marks,
        elsewhere=_seen_in_other_reports(account, statement, book.entries),
    )
    counts, observations = statement.state == StatementState.POSTED, []
    for (sheet, one), index in zip(shown, assignment.found, strict=True):
        if index is None:
            entry = _new_entry(account, sheet.row, one, now=now)
            entry.state = closing.first_state(one, statement=sheet.row)
            book.identify(entry)
            posted.new.append(entry)
        else:
            entry = book.entries[index]
            if counts and learn(entry, one, sheet.row, now=now):
                book.identify(entry)
                posted.changed.append(entry)
        observations.append(
            EntryObservation(
                entry=entry, statement=sheet.row, status=one.status, locator=one.locator
            )
        )
    joined = []
    if counts:
        pairs = [(book.entries[kept], book.entries[gone]) for kept, gone in assignment.doubles]
        joined = _join_doubles(book, closing.joinable(pairs), observations)
    rows.insert(posted.new)
    changed = {entry.pk: entry for entry in (*posted.changed, *joined)}
    rows.update(list(changed.values()), _CHANGING)
    rows.insert(observations)
    seen = [(found.entry_id, one) for found, (_, one) in zip(observations, shown, strict=True)]
    posted.batches += parts.keep(account_id=account.pk, shown=seen)
    parts.inherit((one.merged_into, one) for one in joined if one.merged_into)
    return [*changed, *(one.entry_id for one in observations)]


def _seen_in_other_reports(
    account: BankAccount, statement: Statement, entries: Sequence[BankEntry]
) -> set[int]:
    """Return the positions of entries that a bank sending only news cannot be repeating."""
    if account.intraday_mode != IntradayMode.DELTA or statement.source not in _INTRADAY:
        return set()
    seen = set(
        EntryObservation.objects.filter(
            entry__in=[entry.pk for entry in entries],
            statement__source__in=_INTRADAY,
            statement__state=StatementState.POSTED,
        )
        .exclude(statement__statement_ref=statement.statement_ref)
        .values_list("entry_id", flat=True)
    )
    return {position for position, entry in enumerate(entries) if entry.pk in seen}


def _new_entry(
    account: BankAccount, statement: Statement, one: Sighting, *, now: datetime
) -> BankEntry:
    return BankEntry(
        account=account,
        amount=one.marks.amount,
        booking_date=one.marks.booking_date,
        value_date=one.marks.value_date,
        status=one.status,
        best_source=statement.source,
        is_reversal=one.is_reversal,
        bank_reference=one.marks.bank_reference,
        end_to_end_id=one.marks.end_to_end_id,
        uetr=one.marks.uetr,
        transaction_code=one.transaction_code,
        counterparty=one.counterparty,
        remittance=one.remittance,
        return_reason=one.return_reason,
        statement=statement,
        locator=one.locator,
        first_seen_at=now,
        announced_at=statement.bank_created_at or now,
    )


def _learn(entry: BankEntry, one: Sighting, statement: Statement, *, now: datetime) -> bool:
    """Take over what a better source says, fill in what is missing; return whether it changed."""
    before = [getattr(entry, name) for name in _FACTS]
    is_better = RANKS[statement.source] >= RANKS[entry.best_source]
    is_booked_now = STATUS_ORDER.index(one.status) > STATUS_ORDER.index(entry.status)
    if is_better or is_booked_now:
        entry.booking_date, entry.value_date = one.marks.booking_date, one.marks.value_date
    if is_booked_now:
        entry.status = one.status
    if is_better:
        entry.is_reversal = one.is_reversal
        entry.remittance = one.remittance
        entry.statement, entry.locator = statement, one.locator
        entry.best_source = statement.source
    for name, value in _texts(one):
        if value and (is_better or not getattr(entry, name)):
            setattr(entry, name, value)
    entry.announced_at = min(entry.announced_at, statement.bank_created_at or now)
    return before != [getattr(entry, name) for name in _FACTS]


_FACTS: Final = tuple(
    name
    for name in (*_CHANGING, "statement_id")
    if name not in {"identity", "identity_rule", "occurrence", "state", "statement", "merged_into"}
)


def _texts(one: Sighting) -> Iterable[tuple[str, str]]:
    return (
        ("bank_reference", one.marks.bank_reference),
        ("uetr", one.marks.uetr),
        ("end_to_end_id", one.marks.end_to_end_id),
        ("transaction_code", one.transaction_code),
        ("counterparty", one.counterparty),
        ("return_reason", one.return_reason),
    )


def _join_doubles(
    book: _Book,
    pairs: Sequence[tuple[BankEntry, BankEntry]],
    observations: Sequence[EntryObservation],
) -> list[BankEntry]:
    """Join entries that the new source shows to be one, unless one source ever showed both."""
    if not pairs:
        return []
    together = _statements_of([entry.pk for pair in pairs for entry in pair], observations)
    joined: dict[UUID, BankEntry] = {}
    for kept, doubled in pairs:
        if (
            EntryState.MERGED in (kept.state, doubled.state)
            or together[kept.pk] & together[doubled.pk]
        ):
            continue
        together[kept.pk] |= together[doubled.pk]
        _fold(doubled, into=kept)
        ExpectedFlow.objects.filter(matched_entry=doubled).update(matched_entry=kept)
        book.identify(kept)
        joined.update({kept.pk: kept, doubled.pk: doubled})
    return list(joined.values())


def _statements_of(
    entries: list[UUID], observations: Sequence[EntryObservation]
) -> dict[UUID, set[UUID]]:
    found: dict[UUID, set[UUID]] = defaultdict(set)
    rows_seen = EntryObservation.objects.filter(
        Q(entry__in=entries) | Q(entry__merged_into__in=entries)
    ).values_list("entry_id", "entry__merged_into_id", "statement_id")
    for entry, survivor, statement in rows_seen:
        found[survivor or entry].add(statement)
    for one in observations:
        found[one.entry_id].add(one.statement_id)
    return found


def _fold(doubled: BankEntry, *, into: BankEntry) -> None:
    """Keep one of two entries that are the same; the other points to it and counts no more."""
    if RANKS[doubled.best_source] > RANKS[into.best_source]:
        for name in (
            "booking_date",
            "value_date",
            "remittance",
            "is_reversal",
            "statement",
            "locator",
            "best_source",
        ):
            setattr(into, name, getattr(doubled, name))
    for name in (
        "bank_reference",
        "uetr",
        "end_to_end_id",
        "transaction_code",
        "counterparty",
        "return_reason",
    ):
        if not getattr(into, name):
            setattr(into, name, getattr(doubled, name))
    into.status = max(into.status, doubled.status, key=STATUS_ORDER.index)
    into.announced_at = min(into.announced_at, doubled.announced_at)
    doubled.state, doubled.merged_into = EntryState.MERGED, into
    doubled.identity = sha256(f"MERGED|{doubled.pk}".encode()).hexdigest()
    doubled.identity_rule, doubled.occurrence = "MERGED", 1


def _speaks_for(sheets: Sequence[Sheet], account: BankAccount) -> tuple[date, date]:
    """Return the days that a statement settles; (last, first) when only what it shows."""
    if _only_adds(sheets, account):
        return date.max, date.min
    if sheets[0].row.source not in END_OF_DAY:
        # Yesterday's sightings may be replaced by this report too: its whole day is settled.
        return sheets[0].row.statement_date, sheets[0].row.statement_date
    return (
        min(sheet.row.period_start for sheet in sheets),
        max(sheet.row.period_end for sheet in sheets),
    )


def _only_adds(sheets: Sequence[Sheet], account: BankAccount) -> bool:
    """Whether a statement says nothing about what it does not show.

    An advice, or a report that brings only news, closes no day and takes no other's place: looking
    at the whole day for each of them would cost the square of the day's entries.
    """
    first = sheets[0].row
    replaces = account.intraday_mode == IntradayMode.CUMULATIVE and first.source == "CAMT052"
    few = sum(len(sheet.facts.sightings) for sheet in sheets) < resembling.SIGHTINGS_MANY
    corrects = any(sheet.row.supersedes_id for sheet in sheets)
    return few and not (replaces or corrects or first.source in END_OF_DAY)


def _refresh_states(posted: Posted) -> None:
    settled = {change.entry_id: change.after for change in posted.changes}
    for entry in (*posted.new, *posted.changed):
        entry.state = settled.get(entry.pk, entry.state)
