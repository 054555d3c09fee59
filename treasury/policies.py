"""The treasury's policies: each reading of the requirements, with its default."""

from decimal import Decimal
from typing import Final

from core import policies

PREFUNDING_BUFFER_PCT: Final = policies.define(
    "PREFUNDING_BUFFER_PCT",
    Decimal("0.10"),
    minimum=Decimal(0),
    maximum=Decimal(5),
    help="Added to a shortfall: the transfer is shortfall × (1 + buffer), rounded up.",
)
PREFUNDING_MIN_TRANSFER: Final = policies.define(
    "PREFUNDING_MIN_TRANSFER",
    Decimal(0),
    minimum=Decimal(0),
    help="The smallest prefunding, in the shortfall's currency; a smaller one is raised to it.",
)
PREFUNDING_TOP_UP_PCT: Final = policies.define(
    "PREFUNDING_TOP_UP_PCT",
    Decimal("0.10"),
    minimum=Decimal(0),
    help="A later shortfall of the day that is larger by more than this advises a top-up.",
)
DEDUPE_DAY_TZ: Final = policies.define(
    "DEDUPE_DAY_TZ",
    "currency",
    choices=("currency", "UTC"),
    help="Whose calendar day counts for one prefunding per currency and day.",
)
RATE_AGE_HOURS_MAX: Final = policies.define(
    "RATE_AGE_HOURS_MAX",
    24,
    minimum=1,
    maximum=240,
    help="An older dollar rate counts as missing; a missing rate demands the stricter approval.",
)
INTERNAL_LEAD_MINUTES: Final = policies.define(
    "INTERNAL_LEAD_MINUTES",
    10,
    minimum=0,
    maximum=600,
    help="We stop sending this long before a rail's or bank's own cut-off.",
)
