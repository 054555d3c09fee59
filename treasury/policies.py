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
COOL_OFF_HOURS: Final = policies.define(
    "COOL_OFF_HOURS",
    24,
    minimum=0,
    maximum=240,
    help="Payments rest this long after the account they go to was written or changed; 0 is off.",
)
OUTFLOW_24H_BENEFICIARY_USD_MAX: Final = policies.define(
    "OUTFLOW_24H_BENEFICIARY_USD_MAX",
    Decimal(50_000_000),
    minimum=Decimal(0),
    help="Most that may go to one beneficiary within 24 hours, in dollars; 0 is no limit.",
)
OUTFLOW_24H_MAKER_USD_MAX: Final = policies.define(
    "OUTFLOW_24H_MAKER_USD_MAX",
    Decimal(500_000_000),
    minimum=Decimal(0),
    help="Most that one person may propose within 24 hours, in dollars; 0 is no limit.",
)
OUTFLOW_24H_ACCOUNT_USD_MAX: Final = policies.define(
    "OUTFLOW_24H_ACCOUNT_USD_MAX",
    Decimal(500_000_000),
    minimum=Decimal(0),
    help="Most that may leave one account within 24 hours, in dollars; 0 is no limit.",
)
SPLITTING_COUNTS: Final = policies.define(
    "SPLITTING_COUNTS",
    "beneficiaries",
    choices=("off", "beneficiaries", "all"),
    help="Which payments of 24 hours with the same maker, account and payee count together when"
    " the number of approvals is decided.",
)
DUPLICATE_DAYS: Final = policies.define(
    "DUPLICATE_DAYS",
    5,
    minimum=0,
    maximum=60,
    help="A payment like another one whose value date is this near is called a duplicate.",
)
RETRY_HOURS_MAX: Final = policies.define(
    "RETRY_HOURS_MAX",
    4,
    minimum=0,
    maximum=48,
    help="A failed transfer is tried again under its old approval for so long; later it is"
    " proposed anew.",
)
UNKNOWN_TASK_MINUTES: Final = policies.define(
    "UNKNOWN_TASK_MINUTES",
    30,
    minimum=1,
    maximum=1_440,
    help="A payment whose outcome is unknown for so long becomes a task for a person.",
)
REPORT_REQUEST_MINUTES: Final = policies.define(
    "REPORT_REQUEST_MINUTES",
    60,
    minimum=5,
    maximum=1_440,
    help="How long to wait before a bank is asked again for a report of an account with a payment"
    " whose outcome is unknown; only lines of files whose profile takes such requests.",
)
