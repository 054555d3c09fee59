"""Bars in whole drawing units, from amounts. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

WIDTH: Final = 320
ZERO: Final = Decimal(0)


@dataclass(frozen=True, slots=True, kw_only=True)
class Segment:
    """One stretch of a bar, and the amount it stands for; `number` picks its colour."""

    label: str
    amount: Decimal
    number: int
    x: int
    width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """Stretches one after the other on a scale from 0 to `width`; `limit_x` marks a limit."""

    segments: tuple[Segment, ...]
    limit_x: int | None
    width: int


def stacked(parts: Sequence[tuple[str, Decimal]], *, limit: Decimal | None) -> Bar:
    """Return stretches for positive amounts, end to end; a limit is an amount on the same scale.

    What is not positive takes no room but keeps its colour for the others.
    """
    total = sum((max(amount, ZERO) for _, amount in parts), ZERO)
    scale = max(total, limit or ZERO) or Decimal(1)
    found: list[Segment] = []
    at = ZERO
    for number, (label, amount) in enumerate(parts):
        shown = max(amount, ZERO)
        x = int(at * WIDTH / scale)
        end = int((at + shown) * WIDTH / scale)
        if shown > 0:
            found.append(
                Segment(label=label, amount=amount, number=number, x=x, width=max(1, end - x))
            )
        at += shown
    limit_x = None if limit is None else min(WIDTH, int(limit * WIDTH / scale))
    return Bar(segments=tuple(found), limit_x=limit_x, width=WIDTH)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One day of a ladder: what comes in to the right of the middle, what goes out to the left."""

    label: str
    in_width: int
    out_x: int
    out_width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class LadderPicture:
    """All days on one scale; the middle line is at `middle`."""

    steps: tuple[Step, ...]
    middle: int
    width: int


def ladder(rows: Sequence[tuple[str, Decimal, Decimal]]) -> LadderPicture:
    """Return bars for label, what comes in and what goes out (both not negative)."""
    middle = WIDTH // 2
    most = max((amount for _, *both in rows for amount in both), default=ZERO) or Decimal(1)

    def wide(amount: Decimal) -> int:
        return int(amount * middle / most)

    return LadderPicture(
        steps=tuple(
            Step(
                label=label,
                in_width=wide(coming),
                out_x=middle - wide(going),
                out_width=wide(going),
            )
            for label, coming, going in rows
        ),
        middle=middle,
        width=WIDTH,
    )


def clock_arc(*, elapsed: int, whole: int) -> int:
    """Return how many of 100 parts of a clock face have passed, from 0 to 100."""
    if whole <= 0:
        return 100
    return max(0, min(100, elapsed * 100 // whole))
