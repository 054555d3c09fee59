"""The treasury's policies: each reading of the requirements, with its default."""

from decimal import Decimal
from typing import Final

from core import policies
from core.errors import Invalid
from treasury.engine.sweep_windows import WEEK_DAYS, parse_cutoffs

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


def _whole_weeks(days: int) -> None:
    if days % WEEK_DAYS:
        raise Invalid("A ladder has a rung each week: write a multiple of 7.", field="value")


LIQ_BUFFER_PCT: Final = policies.define(
    "LIQ_BUFFER_PCT",
    Decimal("0.30"),
    minimum=Decimal(0),
    maximum=Decimal(5),
    help="Share of the outflows expected within 24 hours that a sweep leaves on the account.",
)
VAR_LIMIT_BPS: Final = policies.define(
    "VAR_LIMIT_BPS",
    Decimal(10),
    minimum=Decimal(0),
    maximum=Decimal(10_000),
    help="A value at risk strictly above this, in ten-thousandths of the balance, allows overnight"
    " money only.",
)
SWEEP_CUTOFFS_UTC: Final = policies.define(
    "SWEEP_CUTOFFS_UTC",
    "00:30,15:30",
    check=parse_cutoffs,
    help="When sweeps must be decided, as times of day in UTC; each belongs to its New York date.",
)
TARGET_LADDER_DAYS: Final = policies.define(
    "TARGET_LADDER_DAYS",
    28,
    minimum=WEEK_DAYS,
    maximum=364,
    check=_whole_weeks,
    help="How far the ladder of bills reaches; it has one rung each week.",
)
MIN_SWEEP_USD: Final = policies.define(
    "MIN_SWEEP_USD",
    Decimal(50_000),
    minimum=Decimal("0.01"),
    help="The smallest amount that is worth a sweep; exactly this much is swept.",
)
SWEEP_ESG_PREFERENCE: Final = policies.define(
    "SWEEP_ESG_PREFERENCE",
    default=False,
    help="Whether the green product is taken before bills while the risk is within its limit.",
)
MAX_BALANCE_AGE_MINUTES: Final = policies.define(
    "MAX_BALANCE_AGE_MINUTES",
    60,
    minimum=1,
    maximum=10_080,
    help="An older balance decides no sweep; a person is told.",
)
FALLBACK_KEEPS_BUFFER: Final = policies.define(
    "FALLBACK_KEEPS_BUFFER",
    default=False,
    help="Whether the liquidity buffer stays on the account also when overnight money is the"
    " fallback.",
)
ALLOW_INCREMENTAL: Final = policies.define(
    "ALLOW_INCREMENTAL",
    default=False,
    help="Whether a window whose order has left may get another one for what came since.",
)
TERM_LIQUIDITY: Final = policies.define(
    "TERM_LIQUIDITY",
    default=True,
    help="Whether bills and notes take only what the projected balance can spare until the ladder"
    " ends.",
)
VAR_READING_HOURS_MAX: Final = policies.define(
    "VAR_READING_HOURS_MAX",
    36,
    minimum=1,
    maximum=240,
    help="An older value at risk counts as missing.",
)
VAR_AS_OF_DAYS_MAX: Final = policies.define(
    "VAR_AS_OF_DAYS_MAX",
    5,
    minimum=1,
    maximum=31,
    help="A value at risk whose newest day of flows lies further back counts as too old, however"
    " lately it was measured. Five days bridge a long weekend.",
)
SWEEP_INTENT_KEPT_DAYS: Final = policies.define(
    "SWEEP_INTENT_KEPT_DAYS",
    90,
    minimum=1,
    maximum=3_650,
    help="How far back sweep orders can be pulled; an older cursor has to begin anew.",
)
VAR_OBSERVATIONS_MIN: Final = policies.define(
    "VAR_OBSERVATIONS_MIN",
    100,
    minimum=1,
    maximum=250,
    help="A value at risk that rests on fewer days counts as missing.",
)
