"""Decide: gather, apply the rule, keep the record, and make the order; once per window."""

import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, connection, transaction

from core import clock, policies
from core.errors import DomainError
from core.tenancy import bound
from treasury.engine.sweep_records import digest, facts_digest, record_of
from treasury.engine.sweep_windows import Window
from treasury.engine.sweeps import Inputs, Outcome, Result, decide
from treasury.models import BankAccount, Release, SweepDecision, SweepOrder, SweepState
from treasury.policies import ALLOW_INCREMENTAL
from treasury.selectors import sweeps as reads
from treasury.services import tasks
from treasury.services.sweeps import ordering

logger = structlog.get_logger(__name__)
DECIDE_BEFORE: Final = timedelta(minutes=15)
ACTOR: Final = "system:treasury.sweeps"
STALE: Final = "sweep_balance_stale"
UNDECIDED: Final = "sweep_undecided"
Observer = Callable[[float], None]
_observers: list[Observer] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What one run said about an account: its decision, and the order that stands, if any."""

    decision: SweepDecision
    order: SweepOrder | None
    is_new: bool


def observe(observer: Observer) -> Observer:
    """Have every decision's seconds told to `observer`."""
    _observers.append(observer)
    return observer


def decide_sweeps(*, tenant: UUID) -> list[Decided]:
    """Decide the next window of a tenant when it is near; return what was decided."""
    with bound(tenant, actor=ACTOR):
        now = clock.now()
        window = reads.next_window(now=now)
        if window.cutoff - now > DECIDE_BEFORE or not reads.swept_accounts(on=window.day).exists():
            return []
    return decide_window(tenant=tenant)


def decide_window(*, tenant: UUID) -> list[Decided]:
    """Decide the next window of a tenant now, each account in its own transaction.

    An account that cannot be decided becomes a task; the others go on.
    """
    with bound(tenant, actor=ACTOR):
        now = clock.now()
        window = reads.next_window(now=now)
        accounts = list(reads.swept_accounts(on=window.day))
    found = []
    for account in accounts:
        try:
            with bound(tenant, actor=ACTOR):
                found.append(decide_account(account=account, window=window))
        except (DomainError, DatabaseError) as refusal:
            code = getattr(refusal, "code", type(refusal).__name__)
            logger.warning("sweep_undecided", account=str(account.pk), code=code)
            with bound(tenant, actor=ACTOR):
                _tell_undecided(account, window, refusal)
    return found


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
    if latest and (latest.facts_sha256 == facts or _is_the_same(replaced, outcome)):
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
    for observer in _observers:
        observer(time.perf_counter() - began)
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
                kind=STALE,
                key=str(kept.account_id),
                title=f"{kept.account.label}: no sweep is decided on an old balance",
                detail=f"The newest balance is of {inputs.money.as_of:%Y-%m-%d %H:%M} UTC; the"
                f" window closes at {kept.cutoff_at:%H:%M} UTC.",
            )
        )
    else:
        tasks.answer_task(kind=STALE, key=str(kept.account_id), note="A fresh balance came.")
    return None


def _keep(
    account: BankAccount, inputs: Inputs, outcome: Outcome, *, facts: str, sequence: int
) -> SweepDecision:
    record = record_of(inputs, outcome)
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


def _tell_undecided(
    account: BankAccount, window: Window, refusal: DomainError | DatabaseError
) -> None:
    tasks.open_task(
        task=tasks.TaskIn(
            kind=UNDECIDED,
            key=f"{account.pk} {_minute(window.cutoff)}",
            title=f"{account.label}: the sweep could not be decided",
            detail=getattr(refusal, "message", "The database refused the decision or its order."),
        )
    )


def _minute(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%MZ}"
