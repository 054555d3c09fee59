"""Value at risk and expected shortfall of past net flows, for one portfolio or thousands. Pure.

Signs: a flow is positive when money comes in; a loss is a flow with its sign turned, and VaR and
ES are losses: positive figures are bad. Nothing is scaled: one observation is one business day.

Sources: R. J. Hyndman, Y. Fan, "Sample quantiles in statistical packages", The American
Statistician 50 (1996), 361-365, for the definitions of a sample quantile; C. Acerbi, D. Tasche,
"On the coherence of expected shortfall", Journal of Banking & Finance 26 (2002), 1487-1503, for
the mean of the worst `n (1 - a)` days with the last one counted by its fraction.
"""

from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from math import ceil, floor
from typing import Final

import numpy as np

from liquidity.engine.boundary import FloatArray
from risk.errors import FlowsNotFinite, NotEnoughData

# Rows sorted together: 128 rows of 250 days are a quarter of a megabyte and stay in a core's cache.
BLOCK_ROWS: Final = 128


class Quantile(StrEnum):
    """What "the 99 % quantile" of a sample means; they differ by a tenth on ordinary data.

    `hf6` is exceeded with the wanted probability in independent data. `hf7` is what spreadsheets
    and numpy take when nobody says otherwise; on 250 days it is exceeded half again too often.
    `hf1` is the smallest observation that enough days stay within: of 250 days the third worst.
    """

    HF1 = "hf1"
    HF5 = "hf5"
    HF6 = "hf6"
    HF7 = "hf7"
    HF8 = "hf8"
    SECOND_WORST = "second_worst"
    THIRD_WORST = "third_worst"


@dataclass(frozen=True, slots=True, kw_only=True)
class Tail:
    """VaR and ES of each portfolio, as losses, in the unit of the flows: arrays of shape (P,)."""

    var: FloatArray
    es: FloatArray


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """VaR and ES of one portfolio, as losses, in the unit of the flows."""

    var: float
    es: float


def rank_from_worst(quantile: Quantile, *, observations: int, confidence: float) -> Fraction:
    """Return the rank of a quantile among the losses: 1 is the worst, 2.51 lies between two.

    With `n` losses in ascending order Hyndman and Fan interpolate at `h`; counted from the worst
    that is `n + 1 - h`. The result stays between 1 and `n`.

    Raises:
        NotEnoughData: there is no observation.
    """
    if observations < 1:
        raise NotEnoughData("A quantile needs observations.", observations=observations)
    level = Fraction(repr(confidence))  # 0.99 means ninety-nine hundredths, not its binary tail
    n, beyond = observations, 1 - level
    ranks: dict[Quantile, Fraction] = {
        Quantile.HF1: Fraction(n + 1 - max(ceil(n * level), 1)),
        Quantile.HF5: n * beyond + Fraction(1, 2),
        Quantile.HF6: (n + 1) * beyond,
        Quantile.HF7: 1 + (n - 1) * beyond,
        Quantile.HF8: (n + Fraction(1, 3)) * beyond + Fraction(1, 3),
        Quantile.SECOND_WORST: Fraction(2),
        Quantile.THIRD_WORST: Fraction(3),
    }
    return min(max(ranks[quantile], Fraction(1)), Fraction(n))


def tails(
    flows: FloatArray, *, confidence: float = 0.99, quantile: Quantile = Quantile.HF6
) -> Tail:
    """Return VaR and ES of many portfolios; `flows` has shape (P, T): one row each, T days.

    The rows are sorted in blocks that fit the cache: numpy's vectorised sort of 250 numbers takes
    less time than selecting the worst of them (benchmarks/var.py measures both).

    Raises:
        NotEnoughData: there is no day.
        FlowsNotFinite: a flow is infinite or not a number.
    """
    days = flows.shape[1]
    rank = rank_from_worst(quantile, observations=days, confidence=confidence)
    upper = floor(rank)
    share = float(rank - upper)
    mass = days * (1 - Fraction(repr(confidence)))
    whole = floor(mass)
    part = float(mass - whole)
    kept = min(max(ceil(rank), ceil(mass)), days)
    worst = _worst(flows, kept)
    lower = min(upper, kept - 1)  # the next rank; without a share it adds nothing
    var = -((1 - share) * worst[upper - 1] + share * worst[lower])
    if mass < 1:  # less than one day: the worst one stands for all of it
        return Tail(var=var, es=-worst[0])
    total = worst[:whole].sum(axis=0) + (part * worst[whole] if part else 0.0)
    return Tail(var=var, es=-total / float(mass))


def tail(
    flows: FloatArray, *, confidence: float = 0.99, quantile: Quantile = Quantile.HF6
) -> Figure:
    """Return VaR and ES of one portfolio; `flows` has shape (T,).

    Raises:
        NotEnoughData: there is no day.
        FlowsNotFinite: a flow is infinite or not a number.
    """
    found = tails(flows[None, :], confidence=confidence, quantile=quantile)
    return Figure(var=float(found.var[0]), es=float(found.es[0]))


def _worst(flows: FloatArray, kept: int) -> FloatArray:
    """Return the `kept` smallest flows of each row, the smallest first: shape (kept, P)."""
    portfolios, days = flows.shape
    worst, best = np.empty((kept, portfolios)), np.empty(portfolios)
    block = np.empty((min(BLOCK_ROWS, portfolios), days))
    for start in range(0, portfolios, BLOCK_ROWS):
        here = slice(start, start + BLOCK_ROWS)
        part = flows[here]
        rows = block[: len(part)]
        rows[...] = part
        rows.sort(axis=1)
        worst[:, here] = rows[:, :kept].T
        best[here] = rows[:, -1]
    # Sorting puts what is not finite at an end of its row.
    if not (np.isfinite(worst[0]).all() and np.isfinite(best).all()):
        raise FlowsNotFinite("Flows are finite numbers.", field="flows")
    return worst
