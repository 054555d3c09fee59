"""Whether a VaR was exceeded as often, and as unevenly, as it should be. Pure.

`x` exceedances of `n` days are compared with a probability `p` (0.01 for a 99 % VaR) by
likelihood ratios; chi-squared tails with one and two degrees of freedom have closed forms.

Sources: P. Kupiec, "Techniques for verifying the accuracy of risk measurement models", Journal
of Derivatives 3 (1995), 73-84, for the proportion and the time until the first failure;
P. Christoffersen, "Evaluating interval forecasts", International Economic Review 39 (1998),
841-862, for independence and the conditional coverage; Basel Committee on Banking Supervision,
"Supervisory framework for the use of backtesting in conjunction with the internal models approach
to market risk capital requirements" (January 1996), table 2, for the zones.
"""

from dataclasses import dataclass
from enum import StrEnum
from math import comb, erfc, exp, fsum, log, sqrt
from typing import Final

import numpy as np

from liquidity.engine.boundary import BoolArray, FloatArray
from risk.engine.tails import Quantile, tails
from risk.errors import NotEnoughData

YELLOW_FROM: Final = 0.95
RED_FROM: Final = 0.9999
# The committee's increase of the multiplication factor, for 250 days and a 99 % VaR.
_PLUS: Final = {5: 0.40, 6: 0.50, 7: 0.65, 8: 0.75, 9: 0.85}


class Zone(StrEnum):
    """The committee's traffic light."""

    GREEN = "GREEN"
    YELLOW = "YELLOW"
    RED = "RED"


@dataclass(frozen=True, slots=True, kw_only=True)
class Ratio:
    """A likelihood ratio and how probable one as large would be if the VaR were right."""

    statistic: float
    p_value: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Transitions:
    """How often a day without (0) or with (1) an exceedance was followed by one without or with."""

    n00: int
    n01: int
    n10: int
    n11: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BacktestReport:
    """What the days say about their forecasts; `first` is the day of the first exceedance, from 1.

    `tuff` is None where nothing was exceeded, `independence` and `conditional` where fewer than
    two days were tested.
    """

    days: int
    exceedances: int
    expected: float
    first: int | None
    proportion: Ratio
    tuff: Ratio | None
    transitions: Transitions
    independence: Ratio | None
    conditional: Ratio | None
    zone: Zone
    plus: float


def kupiec(*, days: int, exceedances: int, probability: float) -> Ratio:
    """Compare the share of exceedances with `probability` (proportion of failures, 1 degree).

    Raises:
        NotEnoughData: no day was tested.
    """
    if days < 1:
        raise NotEnoughData("A backtest needs days.", days=days)
    seen = exceedances / days
    claimed = _likelihood(days - exceedances, exceedances, probability)
    found = _likelihood(days - exceedances, exceedances, seen)
    return _one_degree(claimed, found)


def first_failure(*, day: int, probability: float) -> Ratio:
    """Judge the time until the first failure, which came on `day` (1 is the first; 1 degree)."""
    claimed = _likelihood(day - 1, 1, probability)
    found = _likelihood(day - 1, 1, 1.0 / day)
    return _one_degree(claimed, found)


def transitions_of(exceeded: BoolArray) -> Transitions:
    """Count what followed what; `exceeded` has shape (T,)."""
    before, after = exceeded[:-1], exceeded[1:]
    return Transitions(
        n00=int((~before & ~after).sum()),
        n01=int((~before & after).sum()),
        n10=int((before & ~after).sum()),
        n11=int((before & after).sum()),
    )


def christoffersen(counts: Transitions) -> Ratio:
    """Judge whether an exceedance today makes one tomorrow more likely (1 degree)."""
    quiet, loud = counts.n00 + counts.n01, counts.n10 + counts.n11
    after_any = _share(counts.n01 + counts.n11, quiet + loud)
    alike = _likelihood(counts.n00 + counts.n10, counts.n01 + counts.n11, after_any)
    apart = _likelihood(counts.n00, counts.n01, _share(counts.n01, quiet)) + _likelihood(
        counts.n10, counts.n11, _share(counts.n11, loud)
    )
    return _one_degree(alike, apart)


def conditional_coverage(proportion: Ratio, independence: Ratio) -> Ratio:
    """Judge number and independence together: the sum of both ratios (2 degrees)."""
    statistic = proportion.statistic + independence.statistic
    return Ratio(statistic=statistic, p_value=exp(-statistic / 2))


def cumulative(*, days: int, exceedances: int, probability: float) -> float:
    """Return how probable so many exceedances or fewer are (binomial)."""
    stays = 1.0 - probability
    return min(
        1.0,
        fsum(comb(days, k) * probability**k * stays ** (days - k) for k in range(exceedances + 1)),
    )


def zone_of(*, days: int, exceedances: int, probability: float = 0.01) -> Zone:
    """Return the traffic light: yellow where fewer were 95 % probable, red where 99.99 %.

    The committee rounds to hundredths of a percent; so does this.
    """
    seen = round(cumulative(days=days, exceedances=exceedances, probability=probability), 4)
    if seen >= RED_FROM:
        return Zone.RED
    return Zone.YELLOW if seen >= YELLOW_FROM else Zone.GREEN


def plus_factor(*, zone: Zone, exceedances: int) -> float:
    """Return the committee's increase of the factor; it is defined for 250 days at 99 %."""
    if zone is Zone.RED:
        return 1.0
    return 0.0 if zone is Zone.GREEN else _PLUS.get(exceedances, _PLUS[9])


def judge(exceeded: BoolArray, *, probability: float) -> BacktestReport:
    """Return every judgement on the days tested; `exceeded` has shape (T,), oldest first.

    Raises:
        NotEnoughData: no day was tested.
    """
    days, hits = len(exceeded), int(exceeded.sum())
    proportion = kupiec(days=days, exceedances=hits, probability=probability)
    first = int(exceeded.argmax()) + 1 if hits else None
    counts = transitions_of(exceeded)
    independence = christoffersen(counts) if days > 1 else None
    zone = zone_of(days=days, exceedances=hits, probability=probability)
    return BacktestReport(
        days=days,
        exceedances=hits,
        expected=days * probability,
        first=first,
        proportion=proportion,
        tuff=None if first is None else first_failure(day=first, probability=probability),
        transitions=counts,
        independence=independence,
        conditional=conditional_coverage(proportion, independence) if independence else None,
        zone=zone,
        plus=plus_factor(zone=zone, exceedances=hits),
    )


def forecasts(
    flows: FloatArray,
    *,
    window: int,
    observations_min: int,
    confidence: float = 0.99,
    quantile: Quantile = Quantile.HF6,
) -> FloatArray:
    """Return the VaR for each day from `observations_min` on, from the days before it alone.

    `flows` has shape (T,), oldest first; the result (T - observations_min,): its first element is
    the forecast for `flows[observations_min]`. The window grows until it is full, then it moves.
    """
    days = len(flows)
    growing = [
        tails(flows[None, :end], confidence=confidence, quantile=quantile).var[0]
        for end in range(observations_min, min(window, days))
    ]
    if days <= window:
        return np.array(growing, dtype=np.float64)
    full = np.lib.stride_tricks.sliding_window_view(flows[:-1], window)
    moved = tails(full, confidence=confidence, quantile=quantile).var
    return np.concatenate([np.array(growing, dtype=np.float64), moved])


def _likelihood(misses: int, hits: int, probability: float) -> float:
    """Return the log likelihood; what did not happen counts nothing, also at the edges."""
    total = misses * log(1.0 - probability) if misses else 0.0
    return total + (hits * log(probability) if hits else 0.0)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0


def _one_degree(claimed: float, found: float) -> Ratio:
    statistic = max(0.0, -2.0 * (claimed - found))
    return Ratio(statistic=statistic, p_value=erfc(sqrt(statistic / 2)))
