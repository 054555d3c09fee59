"""Decide: gather, apply the rule, keep the record, and make the order; once per window."""

import time
from dataclasses import dataclass

import structlog
from django.db import connection, transaction

from core import clock, policies
from treasury.constants import SWEEP_STALE_ANSWERED, SWEEP_STALE_TASK
from treasury.engine.sweep_records import digest, facts_digest, record_of, universe_of
from treasury.engine.sweep_windows import Window
from treasury.engine.sweeps import Inputs, Outcome, Result, decide
from treasury.models import (
    BankAccount,
    Release,
    SweepDecision,
    SweepOrder,
    SweepState,
    SweepUniverse,
)
from treasury.policies import ALLOW_INCREMENTAL
from treasury.selectors import sweeps as reads
from treasury.services import tasks
from treasury.services.sweeps import ordering, watching

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What one run said about an account: its decision, and the order that stands, if any."""

    decision: SweepDecision
    order: SweepOrder | None
    is_new: bool


@transaction.atomic
def decide_account(*, account: BankAccount, window: Window) -> Decided:
    """Decide one account and window; the same facts again return what was decided.

    An order that nobody can have seen is replaced when the facts changed. One that is signed stays:
    another follows only where policy allows what came since.

    Raises:
        CalendarUnknown: a product's calendar is not installed.
        CalendarCoverageError: a calendar does not reach far enough.
    """
    began = time.perf_counter()
    _lock(account, window)
    reads.hold_capped_products()
    now = clock.now()
    newest = SweepDecision.objects.filter(account=account, cutoff_at=window.cutoff)
    latest = newest.order_by("-sequence").first()
    standing = _standing(account, window)
    is_seen = standing is not None and (standing.state != SweepState.NEW or bool(standing.jws))
    replaced = None if is_seen else standing
    if latest and replaced is None and _is_closed(account, window, standing):
        return Decided(decision=latest, order=standing, is_new=False)
    if replaced is not None:
        ordering.forget_flows(order=replaced)
    inputs = reads.inputs_for(account=account, window=window, now=now, besides=replaced)
    facts, outcome = facts_digest(inputs), decide(inputs)
    if latest and (_rests_on(latest) == facts or _is_the_same(replaced, outcome)):
        # Checkers look at these bytes: facts that change nothing do not take them away.
        if replaced is not None:
            ordering.expect_outflow(order=replaced)
        return Decided(decision=latest, order=standing, is_new=False)
    if replaced is not None:
        ordering.supersede(order=replaced)
    sequence = latest.sequence + 1 if latest else 1
    kept = _keep(account, inputs, outcome, facts=facts, sequence=sequence)
    part = standing.part + (replaced is None) if standing is not None else 1
    made = _act(kept, inputs, outcome, part=part)
    watching.observed(seconds=time.perf_counter() - began)
    return Decided(decision=kept, order=made or (None if replaced else standing), is_new=True)


def _act(kept: SweepDecision, inputs: Inputs, outcome: Outcome, *, part: int) -> SweepOrder | None:
    logger.info(
        "sweep_decided",
        decision=str(kept.pk),
        result=kept.result,
        branch=kept.branch,
        reason=kept.reason,
        product=kept.product_code,
        amount=str(kept.amount),
    )
    if outcome.result is Result.SWEEP:
        return ordering.make_order(decision=kept, inputs=inputs, outcome=outcome, part=part)
    if outcome.result is Result.NO_DECISION:
        tasks.open_task(
            task=tasks.TaskIn(
                kind=SWEEP_STALE_TASK,
                key=str(kept.account_id),
                title=f"{kept.account.label}: no sweep is decided on an old balance",
                detail=f"The newest balance is of {inputs.money.as_of:%Y-%m-%d %H:%M} UTC; the"
                f" window closes at {kept.cutoff_at:%H:%M} UTC.",
            )
        )
    else:
        tasks.answer_task(
            kind=SWEEP_STALE_TASK, key=str(kept.account_id), note=SWEEP_STALE_ANSWERED
        )
    return None


def _keep(
    account: BankAccount, inputs: Inputs, outcome: Outcome, *, facts: str, sequence: int
) -> SweepDecision:
    record, universe = record_of(inputs, outcome), universe_of(inputs)
    named = SweepUniverse(sha256=digest(universe), content=universe)
    if not SweepUniverse.objects.filter(sha256=named.sha256).exists():
        SweepUniverse.objects.bulk_create([named], ignore_conflicts=True)
    return SweepDecision.objects.create(
        account=account,
        cutoff_at=inputs.window.cutoff,
        day=inputs.window.day,
        sequence=sequence,
        decided_at=inputs.decided_at,
        result=outcome.result.value,
        branch=outcome.branch.value,
        reason=outcome.reason,
        product_code=outcome.product,
        amount=outcome.amount,
        record=record,
        record_sha256=digest(record),
        facts_sha256=facts,
        universe_sha256=named.sha256,
    )


def _standing(account: BankAccount, window: Window) -> SweepOrder | None:
    """Return the newest order of the window that has not failed, locked."""
    return (
        SweepOrder.objects.select_for_update(of=("self",))
        .select_related("product", "account")
        .filter(account=account, cutoff_at=window.cutoff)
        .exclude(state=SweepState.FAILED)
        .order_by("-part")
        .first()
    )


def _is_closed(account: BankAccount, window: Window, standing: SweepOrder | None) -> bool:
    """Say whether a window takes no further order.

    One that left stands alone unless policy allows more; one that people, or the lack of any, did
    not let through is not asked about again.
    """
    if standing is not None:
        return not policies.get(ALLOW_INCREMENTAL)
    failed = SweepOrder.objects.filter(
        account=account, cutoff_at=window.cutoff, state=SweepState.FAILED, release=Release.WAITING
    )
    return failed.exclude(reason__in=(ordering.SUPERSEDED, ordering.EXPIRED)).exists()


def _rests_on(decision: SweepDecision) -> str:
    """Return the digest of what a decision rests on, made anew where its form is an older one."""
    if decision.universe_sha256:
        return decision.facts_sha256
    return facts_digest(reads.records_inputs(decision))


def _is_the_same(standing: SweepOrder | None, outcome: Outcome) -> bool:
    """Say whether an outcome would make the order that stands already."""
    return (
        standing is not None
        and outcome.result is Result.SWEEP
        and (outcome.product, outcome.amount) == (standing.product.code, standing.amount)
        and (outcome.settles_on, outcome.matures_on) == (standing.settles_on, standing.matures_on)
    )


def _lock(account: BankAccount, window: Window) -> None:
    """Let one decision at a time be made about an account and window."""
    key = f"sweep {account.pk} {window.cutoff.isoformat()}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 12))", [key])
