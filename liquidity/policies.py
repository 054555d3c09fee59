"""The liquidity room's policies: each reading of the requirements, with its default."""

from typing import Final

from core import policies

NEED_QUANTILE: Final = policies.define(
    "NEED_QUANTILE",
    "point",
    choices=("point", "p90"),
    help="Whether an account must hold the expected payouts or their upper bound, which nine of"
    " ten past stretches of this length stayed below.",
)
PLAN_RULE: Final = policies.define(
    "PLAN_RULE",
    "REPLACE",
    choices=("REPLACE", "LARGER"),
    help="What a plan of a day's ordinary payouts does to the usual outflow: replace it, or, where"
    " plans arrive in parts, count up to it.",
)
