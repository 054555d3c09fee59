"""Members of a pool before and after, as bars in whole drawing units. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final

WIDTH: Final = 320


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolBar:
    """One account: a bar for before, one for after, left of the zero line where overdrawn."""

    label: str
    before_x: int
    before_width: int
    after_x: int
    after_width: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PoolPicture:
    """All bars and the zero line, on one scale from 0 to `width`."""

    bars: tuple[PoolBar, ...]
    zero_x: int
    width: int


def picture(rows: Sequence[tuple[str, Decimal, Decimal]]) -> PoolPicture:
    """Return bars for label, balance before and balance after; one scale for all."""
    values = [value for _, before, after in rows for value in (before, after)]
    high = max([*values, Decimal(0)])
    low = min([*values, Decimal(0)])
    span = high - low or Decimal(1)
    zero = int(-low * WIDTH / span)

    def bar(value: Decimal) -> tuple[int, int]:
        width = int(abs(value) * WIDTH / span)
        return (zero, width) if value >= 0 else (zero - width, width)

    drawn = []
    for label, before, after in rows:
        before_x, before_width = bar(before)
        after_x, after_width = bar(after)
        drawn.append(
            PoolBar(
                label=label,
                before_x=before_x,
                before_width=before_width,
                after_x=after_x,
                after_width=after_width,
            )
        )
    return PoolPicture(bars=tuple(drawn), zero_x=zero, width=WIDTH)
