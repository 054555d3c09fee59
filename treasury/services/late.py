"""What a statement would change in a closed period: kept for a person instead of posted."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final
from uuid import UUID

from core import clock
from treasury.engine.facts import RANKS, Sighting
from treasury.models import (
    BankAccount,
    BankEntry,
    BookingStatus,
    EntryState,
    LateChange,
    LateEntry,
    LateState,
    Statement,
    StatementState,
)
from treasury.selectors import periods
from treasury.services import rows, tasks
from treasury.services.settling import NOTHING_CLOSED, Change, waiting

TASK_KIND: Final = "closed_period"
STANDING: Final = (LateState.WAITING, LateState.LEFT)
_BATCH: Final = 1_000
Days = tuple[date, date]
Learn = Callable[..., bool]
_FACTS: Final = (
    "change", "amount", "booking_before", "value_before", "booking_after", "value_after", "settled",
    "kept_id",
)  # fmt: skip


def place(entry: BankEntry) -> Days | None:
    """Return the booking and value day on which an entry counts as booked, or None."""
    if entry.state == EntryState.COUNTED and entry.status == BookingStatus.BOOK:
        return entry.booking_date, entry.value_date
    return None


@dataclass(slots=True, kw_only=True)
class Closing:
    """How far an account is closed, and what one statement would change there.

    Where nothing is closed it costs nothing: no entry is looked at.
    """

    account: BankAccount
    until: date = NOTHING_CLOSED
    stands: bool = False
    asked: list[LateEntry] = field(default_factory=list)

    @property
    def is_of_interest(self) -> bool:
        """Say whether any day is closed, or something is left of one that was."""
        return self.is_any or self.stands

    @property
    def is_any(self) -> bool:
        """Say whether any day is closed."""
        return self.until > NOTHING_CLOSED

    def covers(self, days: Days | None) -> bool:
        """Say whether what is booked and valued on these days touches the closed period."""
        return days is not None and min(days) <= self.until

    def first_state(self, one: Sighting, *, statement: Statement) -> str:
        """Return what a new entry begins as."""
        if statement.state != StatementState.POSTED:
            return EntryState.HELD
        days = (one.marks.booking_date, one.marks.value_date)
        late = one.status == BookingStatus.BOOK and self.covers(days)
        return EntryState.HELD if late else EntryState.COUNTED

    def apart(
        self, sightings: Sequence[Sighting], *, statement: Statement
    ) -> Iterator[tuple[str, Sequence[Sighting]]]:
        """Yield new sightings by what their entries begin as."""
        if not self.is_any:
            posted = statement.state == StatementState.POSTED
            yield EntryState.COUNTED if posted else EntryState.HELD, sightings
            return
        for state in (EntryState.COUNTED, EntryState.HELD):
            yield (
                state,
                [one for one in sightings if self.first_state(one, statement=statement) == state],
            )

    def watched(self, learn: Learn) -> Learn:
        """Return `learn` so that what it learns does not move an entry of a closed day."""
        if not self.is_any:
            return learn

        def learn_and_hold(entry: BankEntry, one: Sighting, row: Statement, **more: Any) -> bool:
            before = place(entry)
            changed = learn(entry, one, row, **more)
            self._hold(entry, before)
            return changed

        return learn_and_hold

    def _hold(self, entry: BankEntry, before: Days | None) -> None:
        after = place(entry)
        if after == before or not (self.covers(before) or self.covers(after)):
            return
        if before is None or after is None:
            entry.state = EntryState.HELD
            return
        entry.booking_date, entry.value_date = before
        self.asked.append(
            self._late(
                entry, LateChange.DATES, before=before, after=after, settled=EntryState.COUNTED
            )
        )

    def joinable(
        self, pairs: Sequence[tuple[BankEntry, BankEntry]]
    ) -> list[tuple[BankEntry, BankEntry]]:
        """Return the pairs of one and the same entry whose joining moves no closed day."""
        return [pair for pair in pairs if not self.is_any or self._may_join(*pair)]

    def _may_join(self, kept: BankEntry, doubled: BankEntry) -> bool:
        better = RANKS[doubled.best_source] > RANKS[kept.best_source]
        later = doubled if better else kept
        booked = BookingStatus.BOOK in (kept.status, doubled.status)
        after = (later.booking_date, later.value_date) if booked else None
        becomes = after if kept.state == EntryState.COUNTED else None
        moved = Counter([place(kept), place(doubled)])
        moved.subtract([becomes, None])
        if not any(count and self.covers(days) for days, count in moved.items()):
            return True
        gone = place(doubled)
        if gone is not None and EntryState.MERGED not in (kept.state, doubled.state):
            made = self._late(
                doubled, LateChange.WITHDRAWAL, before=gone, settled=EntryState.MERGED
            )
            made.kept = kept
            self.asked.append(made)
        return False

    def late_for(self, change: Change, entry: BankEntry) -> LateEntry:
        """Return what is kept for an entry that would begin or cease to count."""
        days = (entry.booking_date, entry.value_date)
        if change.after == EntryState.COUNTED:
            return self._late(entry, LateChange.NEW, after=days, settled=change.after)
        return self._late(entry, LateChange.WITHDRAWAL, before=days, settled=change.after)

    def _late(
        self,
        entry: BankEntry,
        change: str,
        *,
        settled: str,
        before: Days | None = None,
        after: Days | None = None,
    ) -> LateEntry:
        return LateEntry(
            account=self.account,
            entry=entry,
            change=change,
            amount=entry.amount,
            booking_before=before[0] if before else None,
            value_before=before[1] if before else None,
            booking_after=after[0] if after else None,
            value_after=after[1] if after else None,
            settled=settled,
            closed_until=self.until,
        )


def closing_of(account: BankAccount) -> Closing:
    """Return how far an account is closed, by itself or by its company."""
    until, stands = periods.closing_of(account.pk)
    return Closing(account=account, until=until or NOTHING_CLOSED, stands=stands)


def keep(
    *, closing: Closing, statement: Statement, days: Days, touched: Sequence[UUID | str]
) -> list[LateEntry]:
    """Keep what `statement` would change in the closed period, and give a person the task.

    What was kept before and is asked for no longer is void; what is asked for again stays as it
    is, also where a person left it.
    """
    account_id = closing.account.pk
    changes = waiting(
        account_id=account_id, start=days[0], end=days[1], touched=touched, closed=closing.until
    )
    entries = BankEntry.objects.in_bulk([one.entry_id for one in changes])
    wanted = {one.entry_id: one for one in closing.asked}
    for one in changes:
        known = wanted.get(one.entry_id)
        if known is None or known.settled != EntryState.MERGED:
            wanted[one.entry_id] = closing.late_for(one, entries[one.entry_id])
    _hold_back([entries[one.entry_id] for one in changes if one.after == EntryState.COUNTED])
    _compare(wanted, account_id=account_id, days=days, touched=touched)
    made = list(wanted.values())
    for late in made:
        late.statement, late.found_at = statement, clock.now()
    LateEntry.objects.bulk_create(made, batch_size=_BATCH)
    if made:
        _tell(closing, statement, len(made))
    return made


def _compare(
    wanted: dict[UUID, LateEntry], *, account_id: UUID, days: Days, touched: Sequence[UUID | str]
) -> None:
    """Take out of `wanted` what stands already, and void what is not wanted any more."""
    looked_at = {UUID(str(one)) for one in touched}
    for old in LateEntry.objects.filter(account=account_id, state__in=STANDING).select_related(
        "entry"
    ):
        fresh = wanted.get(old.entry_id)
        seen = days[0] <= old.entry.booking_date <= days[1] or old.entry_id in looked_at
        if fresh is not None and _says_the_same(fresh, old):
            del wanted[old.entry_id]
        elif fresh is not None or (seen and _follows_the_bank(old)):
            _void(old)


def _hold_back(entries: Sequence[BankEntry]) -> None:
    apart = [one for one in entries if one.state != EntryState.HELD]
    for one in apart:
        one.state = EntryState.HELD
    rows.update(apart, ["state"])


def finish_task(*, statement_id: UUID, note: str, actor: Any = None) -> None:
    """Close the task of a statement once nothing of it waits."""
    if not LateEntry.objects.filter(statement=statement_id, state=LateState.WAITING).exists():
        tasks.answer_task(kind=TASK_KIND, key=str(statement_id), note=note, actor=actor)


def _says_the_same(fresh: LateEntry, old: LateEntry) -> bool:
    """Say whether a person was asked this; that two are one says why one is missing elsewhere."""
    merged = old.settled == EntryState.MERGED and fresh.change == LateChange.WITHDRAWAL
    return merged or _facts(fresh) == _facts(old)


def _facts(late: LateEntry) -> tuple[Any, ...]:
    return tuple(getattr(late, name) for name in _FACTS)


def _follows_the_bank(late: LateEntry) -> bool:
    """Say whether it follows from all statements together, and not from one statement alone."""
    return late.change != LateChange.DATES and late.settled != EntryState.MERGED


def _void(late: LateEntry) -> None:
    late.state = LateState.VOID
    late.save(update_fields=["state"])
    finish_task(statement_id=late.statement_id, note="The bank's newer word settled it.")


def _tell(closing: Closing, statement: Statement, count: int) -> None:
    label = closing.account.label
    entries = "1 entry" if count == 1 else f"{count} entries"
    tasks.open_task(
        task=tasks.TaskIn(
            kind=TASK_KIND,
            key=str(statement.pk),
            title=f"{label}: {entries} for a period that is closed",
            detail=(
                f"Statement {statement.statement_ref} would change days up to {closing.until}."
                " Accept or leave each of them under Closed periods."
            ),
        )
    )
