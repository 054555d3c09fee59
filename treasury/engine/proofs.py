"""Day by day: whether the bank's opening, with the lines we count, leads to its closing."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Final

ZERO: Final = Decimal(0)


class DayProof(StrEnum):
    """What a day of an account comes to; the words are what a person reads."""

    GREEN = "GREEN"
    DIFFERS = "DIFFERS"
    GAP = "GAP"
    UNPROVEN = "UNPROVEN"
    COVERED = "COVERED"
    QUIET = "QUIET"
    LINES_ONLY = "LINES_ONLY"


WORDS: Final = {
    DayProof.GREEN: "proven",
    DayProof.DIFFERS: "differs",
    DayProof.GAP: "gap",
    DayProof.UNPROVEN: "no balances",
    DayProof.COVERED: "in a later one",
    DayProof.QUIET: "no statement",
    DayProof.LINES_ONLY: "no statement yet",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DayStatement:
    """What end-of-day statements say of the days `start` to `end`, those of one end together."""

    start: date
    end: date
    opening: Decimal | None
    closing: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProvenDay:
    """One day of one account; `off` is what is missing or too much, `since` where a gap begins."""

    day: date
    proof: DayProof
    lines: Decimal
    opening: Decimal | None = None
    closing: Decimal | None = None
    off: Decimal = ZERO
    since: date | None = None

    @property
    def words(self) -> str:
        """Say what the day comes to, with the amount and the days that are missing."""
        if self.proof is DayProof.DIFFERS:
            return f"opening and lines miss the closing balance by {self.off:,.2f}"
        if self.proof is DayProof.GAP and self.since is not None:
            first, last = self.since, self.day
            when = f"of {first}" if first >= last else f"between {first} and {last}"
            return f"{self.off:,.2f} moved that no statement shows: one {when} is missing"
        return WORDS[self.proof]


def prove_days(
    statements: Sequence[DayStatement],
    lines: Mapping[date, Decimal],
    *,
    start: date,
    end: date,
) -> list[ProvenDay]:
    """Return every day from `start` to `end`; `statements` come in order and may begin earlier."""
    found: dict[date, ProvenDay] = {}
    before: DayStatement | None = None
    for one in statements:
        for day in _days(one.start, one.end):
            found[day] = ProvenDay(day=day, proof=DayProof.COVERED, lines=lines.get(day, ZERO))
        found[one.end] = _prove(one, before, lines)
        before = one
    return [found.get(day) or _without(day, lines) for day in _days(start, end + timedelta(days=1))]


def _prove(
    one: DayStatement, before: DayStatement | None, lines: Mapping[date, Decimal]
) -> ProvenDay:
    moved = sum(
        (lines.get(day, ZERO) for day in _days(one.start, one.end + timedelta(days=1))), ZERO
    )
    facts = ProvenDay(
        day=one.end,
        proof=DayProof.UNPROVEN,
        lines=moved,
        opening=one.opening,
        closing=one.closing,
    )
    if one.opening is None or one.closing is None:
        return facts
    if before is not None and before.closing is not None and before.closing != one.opening:
        since = before.end + timedelta(days=1)
        return _with(facts, DayProof.GAP, off=one.opening - before.closing, since=since)
    off = one.closing - one.opening - moved
    return _with(facts, DayProof.DIFFERS if off else DayProof.GREEN, off=off, since=None)


def _with(facts: ProvenDay, proof: DayProof, *, off: Decimal, since: date | None) -> ProvenDay:
    return ProvenDay(
        day=facts.day,
        proof=proof,
        lines=facts.lines,
        opening=facts.opening,
        closing=facts.closing,
        off=off,
        since=since,
    )


def _without(day: date, lines: Mapping[date, Decimal]) -> ProvenDay:
    moved = lines.get(day, ZERO)
    proof = DayProof.LINES_ONLY if moved else DayProof.QUIET
    return ProvenDay(day=day, proof=proof, lines=moved)


def _days(start: date, end: date) -> list[date]:
    return [start + timedelta(days=number) for number in range((end - start).days)]
