"""The knobs of maker-checker."""

from decimal import Decimal

from approvals import constants
from core import policies

DUAL_CHECKER_THRESHOLD_USD = policies.define(
    "DUAL_CHECKER_THRESHOLD_USD",
    constants.DUAL_THRESHOLD_USD,
    minimum=Decimal(0),
    maximum=Decimal(1_000_000_000),
    help="Strictly above this USD-equivalent two different checkers are needed. Lowering it works"
    " at once; the rules already in the database stay, so raising it does not loosen them.",
)
STEP_UP_FOR_EVERY_APPROVAL = policies.define(
    "STEP_UP_FOR_EVERY_APPROVAL",
    default=True,
    help="Every approval needs a fresh second factor for exactly its content. Above the dual"
    " threshold the database demands it, whatever this says.",
)
MAKER_CHECKER_TIMEOUT_MIN = policies.define(
    "MAKER_CHECKER_TIMEOUT_MIN",
    constants.ESCALATION_AFTER_MINUTES,
    minimum=1,
    maximum=24 * 60,
    help="Minutes without a decision until a request escalates (sooner when its cut-off is near).",
)
APPROVAL_RATE_AGE_HOURS = policies.define(
    "APPROVAL_RATE_AGE_HOURS",
    constants.RATE_AGE_HOURS_MAX,
    minimum=1,
    maximum=constants.RATE_AGE_HOURS_MAX,
    help="A USD rate older than this counts as missing: the amount then passes every threshold.",
)
BREAK_GLASS_USD_MAX = policies.define(
    "BREAK_GLASS_USD_MAX",
    constants.BREAK_GLASS_USD_MAX,
    minimum=Decimal(0),
    maximum=Decimal(1_000_000_000),
    help="Nothing above this USD-equivalent goes over broken glass.",
)
BREAK_GLASS_PER_DAY_MAX = policies.define(
    "BREAK_GLASS_PER_DAY_MAX",
    constants.BREAK_GLASS_PER_DAY_MAX,
    minimum=0,
    maximum=100,
    help="So many requests go over broken glass within 24 hours.",
)
BREAK_GLASS_DAY_USD_MAX = policies.define(
    "BREAK_GLASS_DAY_USD_MAX",
    constants.BREAK_GLASS_DAY_USD_MAX,
    minimum=Decimal(0),
    maximum=Decimal(1_000_000_000),
    help="What goes over broken glass within 24 hours amounts to this USD-equivalent at most.",
)
MANAGERS_APPROVE_FROM_LEVEL = policies.define(
    "MANAGERS_APPROVE_FROM_LEVEL",
    constants.MANAGERS_FROM_LEVEL,
    minimum=0,
    maximum=constants.ESCALATION_LEVEL_MAX,
    help="Managers approve a payment beside its checkers from this level of escalation on; 0: at"
    " once. Level 1 is the last one that is always reached before a cut-off. What asks for a"
    " manager, and what is no payment, is open to managers at once; rejecting always is.",
)
