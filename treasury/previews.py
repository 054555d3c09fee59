"""What other limits would have refused among past proposals, and what cannot be replayed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from approvals.previews import compared, proposed_value, without_past
from approvals.replaying import REPLAYED_DAYS
from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.registry import Preview, preview_policy
from treasury import policies as knobs
from treasury.engine.sweep_replays import Sums, simulate
from treasury.engine.sweeps import Outcome, Result
from treasury.selectors import sweeps as sweep_reads

COUNTED_MAX: Final = 1_000
SWEEPS_REPLAYED_DAYS: Final = 365
SWEEPS_REPLAYED_MAX: Final = 3_000
SWEEPS_SHOWN_MAX: Final = 20
_ROLLING: Final = """
SELECT p.reference, r.usd
  FROM (SELECT * FROM treasury_proposal q WHERE q.submitted_at >= %s
         ORDER BY q.submitted_at DESC LIMIT %s) p, treasury_rolling(p) r
 WHERE r.scope = %s
 ORDER BY p.submitted_at DESC
"""
_NOT_REPLAYED: Final[dict[str, str]] = {
    knobs.COOL_OFF_HOURS.key: "when an account rested is known for its latest change only. Payments"
    " that are not executed yet follow the new value.",
    knobs.RATE_AGE_HOURS_MAX.key: "rates of any age were kept, but what was done for want of one"
    " was not. It holds from the next figure on.",
    knobs.SPLITTING_COUNTS.key: "how many people a payment needed was frozen with its request. It"
    " holds from the next submission on.",
    knobs.DUPLICATE_DAYS.key: "it is a warning, which people may have heeded. It holds from the"
    " next submission on.",
    knobs.RETRY_HOURS_MAX.key: "it bounds what a person may try again from now on.",
    knobs.INTERNAL_LEAD_MINUTES.key: "cut-offs were frozen with each proposal.",
    knobs.UNKNOWN_TASK_MINUTES.key: "tasks for unknown outcomes were opened by the value of their"
    " time. It holds for what is unknown from now on.",
    knobs.REPORT_REQUEST_MINUTES.key: "it paces questions to banks, which change no payment. It"
    " holds for the next question.",
    knobs.SWEEP_CUTOFFS_UTC.key: "what was known at other times of day was not kept. It holds from"
    " the next window on.",
    knobs.ALLOW_INCREMENTAL.key: "what came after an order had left was not decided on. It holds"
    " from the next window on.",
    knobs.VAR_READING_HOURS_MAX.key: "the age of a reading was not kept with the decision. It holds"
    " from the next window on.",
    knobs.DEDUPE_DAY_TZ.key: "days were counted in the zone of their time.",
}


def _rolling(scope: str) -> list[tuple[str, Decimal | None]]:
    since = clock.now() - timedelta(days=REPLAYED_DAYS)
    with connection.cursor() as cursor:
        cursor.execute(_ROLLING, [since, COUNTED_MAX, scope])
        return list(cursor.fetchall())


def _passes(usd: Decimal | None, ceiling: Decimal) -> bool:
    return ceiling > 0 and usd is not None and usd > ceiling


def _limit(policy: policies.Policy[Decimal], scope: str) -> Callable[[ChangeRequest], Preview]:
    def preview(change: ChangeRequest) -> Preview:
        old, new = policies.get(policy), Decimal(proposed_value(change, policy))
        cases = (
            (reference, _passes(usd, old), _passes(usd, new)) for reference, usd in _rolling(scope)
        )
        return compared(cases, what="proposals", yes="refused", no="accepted")

    return preview


# Which part of the sweep rule each policy is.
_SWEEPS: Final[tuple[tuple[policies.Policy[Any], str], ...]] = (
    (knobs.LIQ_BUFFER_PCT, "buffer_share"),
    (knobs.VAR_LIMIT_BPS, "var_limit_bps"),
    (knobs.MIN_SWEEP_USD, "minimum_sweep"),
    (knobs.MAX_BALANCE_AGE_MINUTES, "balance_age_minutes_max"),
    (knobs.TARGET_LADDER_DAYS, "ladder_days"),
    (knobs.VAR_OBSERVATIONS_MIN, "observations_min"),
    (knobs.SWEEP_ESG_PREFERENCE, "prefers_green"),
    (knobs.FALLBACK_KEEPS_BUFFER, "fallback_keeps_buffer"),
    (knobs.TERM_LIQUIDITY, "keeps_term_liquidity"),
)


def _sweeps(policy: policies.Policy[Any], name: str) -> Callable[[ChangeRequest], Preview]:
    """Return the simulator of a policy: a year of decisions, decided again with the new value."""

    def preview(change: ChangeRequest) -> Preview:
        value = proposed_value(change, policy)
        since = clock.now() - timedelta(days=SWEEPS_REPLAYED_DAYS)
        records = sweep_reads.records_since(since=since, limit=SWEEPS_REPLAYED_MAX)
        found = simulate(records, lambda rule: replace(rule, **{name: value}))
        changed = [case for case in found.cases if case.differs]
        return Preview(
            summary=f"Of {len(found.cases)} decisions in the last {SWEEPS_REPLAYED_DAYS} days,"
            f" {len(changed)} would have come out otherwise. {_summed('It was', found.before)}"
            f" {_summed('It would have been', found.after)} Each decision is replayed by itself.",
            lines=tuple(
                (case.name, _in_words(case.was), _in_words(case.becomes))
                for case in changed[:SWEEPS_SHOWN_MAX]
            ),
        )

    return preview


def _summed(words: str, sums: Sums) -> str:
    return (
        f"{words} {sums.swept:,.2f} USD swept, {sums.earned:,.2f} USD earned,"
        f" {sums.breached} sweeps beyond a limit of their time."
    )


def _in_words(outcome: Outcome) -> str:
    if outcome.result is not Result.SWEEP:
        return f"nothing: {outcome.reason}"
    return f"{outcome.amount:,.2f} USD into {outcome.product}"


def register_previews() -> None:
    """Name what replays each policy of this room that steers controls, or why nothing does."""
    limits: tuple[tuple[policies.Policy[Any], str], ...] = (
        (knobs.OUTFLOW_24H_BENEFICIARY_USD_MAX, "beneficiary"),
        (knobs.OUTFLOW_24H_MAKER_USD_MAX, "maker"),
        (knobs.OUTFLOW_24H_ACCOUNT_USD_MAX, "account"),
    )
    for policy, scope in limits:
        preview_policy(policy.key, _limit(policy, scope))
    for knob, name in _SWEEPS:
        preview_policy(knob.key, _sweeps(knob, name))
    for key, words in _NOT_REPLAYED.items():
        preview_policy(key, without_past(words))
