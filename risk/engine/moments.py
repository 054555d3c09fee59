"""VaR and ES from mean, spread and shape of the flows instead of the worst of them. Pure.

Sources: P. Jorion, "Value at Risk", 3rd edition (McGraw-Hill 2007), chapter 5, for the normal
figures; E. A. Cornish, R. A. Fisher, "Moments and cumulants in the specification of
distributions", Revue de l'Institut International de Statistique 5 (1938), 307-320, for the
expansion. They stand beside the historical figure for comparison; nothing is decided by them.
"""

from dataclasses import dataclass
from statistics import NormalDist
from typing import Final

import numpy as np

from liquidity.engine.boundary import FloatArray
from risk.errors import FlowsNotFinite, NotEnoughData

STANDARD: Final = NormalDist()
OBSERVATIONS_MIN: Final = 4
# Where the expansion must rise: quantiles of one in a thousand on either side.
_GRID: Final = np.linspace(-3.1, 3.1, 125)


@dataclass(frozen=True, slots=True, kw_only=True)
class Moments:
    """Mean and standard deviation (n - 1) of the flows, in their unit; skewness, excess kurtosis.

    Skewness and kurtosis are those of the sample (divided by n), of the flows, not the losses.
    """

    mean: float
    sd: float
    skew: float = 0.0
    excess: float = 0.0


def moments_of(flows: FloatArray) -> Moments:
    """Return the moments of flows of shape (T,).

    Raises:
        NotEnoughData: fewer than four days, or flows that never differ.
        FlowsNotFinite: a flow is infinite or not a number.
    """
    if not np.isfinite(flows).all():
        raise FlowsNotFinite("Flows are finite numbers.", field="flows")
    if len(flows) < OBSERVATIONS_MIN or flows.min() == flows.max():
        raise NotEnoughData("Moments need four days or more that differ.", observations=len(flows))
    mean = float(flows.mean())
    off = flows - mean
    second = float((off**2).mean())
    return Moments(
        mean=mean,
        sd=float(flows.std(ddof=1)),
        skew=float((off**3).mean()) / second**1.5,
        excess=float((off**4).mean()) / second**2 - 3.0,
    )


def normal_var(moments: Moments, *, confidence: float = 0.99) -> float:
    """Return the VaR of normal flows: `z sd - mean`."""
    return STANDARD.inv_cdf(confidence) * moments.sd - moments.mean


def normal_es(moments: Moments, *, confidence: float = 0.99) -> float:
    """Return the ES of normal flows: `sd phi(z) / (1 - a) - mean`."""
    density = STANDARD.pdf(STANDARD.inv_cdf(confidence))
    return moments.sd * density / (1.0 - confidence) - moments.mean


def cornish_fisher_var(moments: Moments, *, confidence: float = 0.99) -> float | None:
    """Return the VaR corrected for skewness and kurtosis, or None where the expansion is invalid.

    It is a quantile only while it rises with z; with strong skewness it folds back.
    """
    skew, excess = -moments.skew, moments.excess  # of the losses
    rises = 1 + _GRID * skew / 3 + (_GRID**2 - 1) * excess / 8 - (6 * _GRID**2 - 5) * skew**2 / 36
    if (rises <= 0).any():
        return None
    z = STANDARD.inv_cdf(confidence)
    bent = (
        z + (z**2 - 1) * skew / 6 + (z**3 - 3 * z) * excess / 24 - (2 * z**3 - 5 * z) * skew**2 / 36
    )
    return bent * moments.sd - moments.mean
