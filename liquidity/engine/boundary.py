"""The one door between exact amounts and the float64 arrays of the statistics."""

from collections.abc import Iterable
from decimal import ROUND_HALF_EVEN, Decimal
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from core.money import smallest_unit

FloatArray: TypeAlias = NDArray[np.float64]
IntArray: TypeAlias = NDArray[np.int64]
BoolArray: TypeAlias = NDArray[np.bool_]


def as_floats(amounts: Iterable[Decimal]) -> FloatArray:
    """Return exact amounts as float64, for statistics only.

    Raises:
        ValueError: an amount is not finite.
    """
    values = np.array([float(amount) for amount in amounts], dtype=np.float64)
    if not np.isfinite(values).all():
        raise ValueError("Statistics take finite amounts.")
    return values


def as_amount(value: float, currency: str) -> Decimal:
    """Return a statistic as an amount, rounded half-even to the currency's minor unit.

    The shortest text that names the float is rounded, not its binary tail: 2.675 becomes 2.68.

    Raises:
        ValueError: the value is not finite.
    """
    if not np.isfinite(value):
        raise ValueError("A statistic without a finite value is no amount.")
    exact = Decimal(repr(float(value))).quantize(smallest_unit(currency), ROUND_HALF_EVEN)
    return abs(exact) if exact.is_zero() else exact
