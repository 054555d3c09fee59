"""What other limits would have refused among past proposals, and what cannot be replayed."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from approvals.previews import compared, proposed_value, without_past
from approvals.replaying import REPLAYED_DAYS, SHOWN_MAX
from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.registry import Preview, preview_policy
from core.money import Money
from treasury import policies as knobs
from treasury.engine.prefunding import Terms, top_up_is_advised, transfer_amount
from treasury.engine.sweep_replays import Sums, simulate
from treasury.engine.sweeps import Outcome, Result
from treasury.models import PrefundingRequest, SuppressedShortfall
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
    knobs.DEDUPE_DAY_TZ.key: "days were counted in the zone of their time.",
    knobs.SWEEP_CUTOFFS_UTC.key: "what was known at other times of day was not kept. It holds from"
    " the next window on.",
    knobs.ALLOW_INCREMENTAL.key: "what came after an order had left was not decided on. It holds"
    " from the next window on.",
    knobs.VAR_READING_HOURS_MAX.key: "the age of a reading was not kept with the decision. It holds"
    " from the next window on.",
    knobs.VAR_AS_OF_DAYS_MAX.key: "the newest day behind a reading was not kept with the decision."
    " It holds from the next window on.",
    knobs.SWEEP_INTENT_KEPT_DAYS.key: "it bounds how far back a connector may pull, and changes no"
    " order.",
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


def _terms(**given: Decimal) -> Terms:
    return Terms(
        buffer=given.get("buffer", policies.get(knobs.PREFUNDING_BUFFER_PCT)),
        minimum=given.get("minimum", policies.get(knobs.PREFUNDING_MIN_TRANSFER)),
    )


def _sized(row: PrefundingRequest, terms: Terms) -> Money:
    sized = transfer_amount(shortfall=row.shortfall, currency=row.currency, terms=terms)
    return Money(sized, row.currency)


def _amounts(policy: policies.Policy[Decimal], term: str) -> Callable[[ChangeRequest], Preview]:
    """Replay a term of the transfer over the days' prefundings; re-armed days count once."""

    def preview(change: ChangeRequest) -> Preview:
        since = clock.now() - timedelta(days=REPLAYED_DAYS)
        past = PrefundingRequest.objects.filter(created_at__gte=since, sequence=1)
        old, new = _terms(), _terms(**{term: Decimal(proposed_value(change, policy))})
        sized = [(row, _sized(row, old), _sized(row, new)) for row in past[:COUNTED_MAX]]
        differ = [(str(row), was, becomes) for row, was, becomes in sized if was != becomes]
        more: dict[str, Decimal] = {}
        for _, was, becomes in differ:
            more[was.currency] = more.get(was.currency, Decimal(0)) + becomes.amount - was.amount
        sums = "; ".join(f"{amount:+,.2f} {currency}" for currency, amount in sorted(more.items()))
        return Preview(
            summary=f"Of {len(sized)} prefundings in the last {REPLAYED_DAYS} days, {len(differ)}"
            f" would have moved another amount{f', in all {sums}' if sums else ''}. Whether a"
            " source could have spared it is not replayed.",
            lines=tuple((name, str(was), str(now)) for name, was, now in differ[:SHOWN_MAX]),
        )

    return preview


def _top_ups(change: ChangeRequest) -> Preview:
    since = clock.now() - timedelta(days=REPLAYED_DAYS)
    later = SuppressedShortfall.objects.select_related("request").filter(created_at__gte=since)
    old = policies.get(knobs.PREFUNDING_TOP_UP_PCT)
    new = Decimal(proposed_value(change, knobs.PREFUNDING_TOP_UP_PCT))
    minimum = policies.get(knobs.PREFUNDING_MIN_TRANSFER)

    def advised(row: SuppressedShortfall, threshold: Decimal) -> bool:
        first = row.request.transfer_amount
        return top_up_is_advised(
            first=first, later=row.transfer_amount, threshold=threshold, minimum=minimum
        )

    cases = ((str(row), advised(row, old), advised(row, new)) for row in later[:COUNTED_MAX])
    return compared(cases, what="later shortfalls", yes="top-up advised", no="none advised")


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
        pasts = sweep_reads.pasts_since(since=since, limit=SWEEPS_REPLAYED_MAX)
        found = simulate(pasts, lambda rule: replace(rule, **{name: value}))
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
    preview_policy(knobs.PREFUNDING_BUFFER_PCT.key, _amounts(knobs.PREFUNDING_BUFFER_PCT, "buffer"))
    preview_policy(
        knobs.PREFUNDING_MIN_TRANSFER.key, _amounts(knobs.PREFUNDING_MIN_TRANSFER, "minimum")
    )
    preview_policy(knobs.PREFUNDING_TOP_UP_PCT.key, _top_ups)
    for knob, name in _SWEEPS:
        preview_policy(knob.key, _sweeps(knob, name))
    for key, words in _NOT_REPLAYED.items():
        preview_policy(key, without_past(words))
