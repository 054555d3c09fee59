"""The ladder as a picture: bars of rungs in whole drawing units. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

WIDTH: Final = 320
HEIGHT: Final = 96
GAP: Final = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Bar:
    """One rung: its place and size in the picture, and what it says."""

    x: int
    y: int
    width: int
    height: int
    matures_on: date
    amount: Decimal


def bars(rungs: Sequence[tuple[date, Decimal]]) -> tuple[Bar, ...]:
    """Return a bar for each rung; the fullest one is as high as the picture."""
    if not rungs:
        return ()
    width = (WIDTH - GAP * (len(rungs) - 1)) // len(rungs)
    most = max((amount for _, amount in rungs), default=Decimal(0))
    drawn = []
    for place, (day, amount) in enumerate(rungs):
        height = int(HEIGHT * amount / most) if most > 0 else 0
        drawn.append(
            Bar(
                x=place * (width + GAP),
                y=HEIGHT - height,
                width=width,
                height=height,
                matures_on=day,
                amount=amount,
            )
        )
    return tuple(drawn)
