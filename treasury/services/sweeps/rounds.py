"""Decide whole rounds: every account of a window, or those whose balance just arrived.

What many accounts have in common is decided in one statement; an account that the batch hands over,
and every account of a batch that the database refused, is decided by itself, in a transaction of
its own. What cannot be decided becomes a task; the others go on.
"""

from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import DatabaseError, transaction

from core import clock
from core.errors import DomainError
from core.events import Envelope
from core.events.bus import caused_by
from core.tenancy import bound
from treasury.engine.sweep_windows import Window
from treasury.models import BankAccount, SweepDecision, SweepOrder, SweepState
from treasury.selectors import sweeps as reads
from treasury.services import tasks
from treasury.services.sweeps.batching import (
    BATCH_MAX,
    Batch,
    HandedOver,
    decide_many,
    kept_plan,
)
from treasury.services.sweeps.deciding import Decided, decide_account

logger = structlog.get_logger(__name__)
DECIDE_BEFORE: Final = timedelta(minutes=15)
ACTOR: Final = "system:treasury.sweeps"
UNDECIDED: Final = "sweep_undecided"


def decide_sweeps(*, tenant: UUID) -> list[Decided]:
    """Decide the next window of a tenant when it is near; return what was decided."""
    with bound(tenant, actor=ACTOR):
        now = clock.now()
        window = reads.next_window(now=now)
        if window.cutoff - now > DECIDE_BEFORE or not reads.swept_accounts(on=window.day).exists():
            return []
    return decide_window(tenant=tenant)


def decide_window(*, tenant: UUID, one_by_one: bool = False) -> list[Decided]:
    """Decide the next window of a tenant now; `one_by_one` each account by the services alone."""
    with bound(tenant, actor=ACTOR):
        window = reads.next_window(now=clock.now())
        accounts = [row.pk for row in reads.swept_accounts(on=window.day)]
    if one_by_one:
        return decide_alone(tenant=tenant, accounts=accounts, window=window)
    found = []
    for start in range(0, len(accounts), BATCH_MAX):
        batch = decide_together(tenant=tenant, accounts=accounts[start : start + BATCH_MAX])
        found.extend(_decided(tenant, batch))
        handed = [one.account for one in batch.handed_over]
        found.extend(decide_alone(tenant=tenant, accounts=handed, window=batch.window))
    return found


@transaction.atomic(savepoint=False)
def decide_arrived(
    *,
    accounts: Sequence[UUID],
    causes: Mapping[UUID, Envelope] | None = None,
    is_repeated: bool = False,
) -> Batch | None:
    """Decide accounts whose balance just arrived, where their window is near; all in one commit.

    `causes` are the events that told of them, by account: what comes of it names its cause. What is
    handed over, or refused by the database as a whole, the services decide one by one. With
    `is_repeated` no savepoint is paid for: a refusal ends the caller's transaction, and the caller
    comes again with one account at a time.

    Raises:
        DatabaseError: the batch was refused, and is repeated by the caller.
        CalendarUnknown: the calendar of dollars is not installed.
        CalendarCoverageError: it does not reach the window's day.
    """
    now, told = clock.now(), causes or {}
    # The statement leaves out who has no mandate; where nobody has one no plan is made for it.
    if kept_plan(now=now) is None and not reads.with_mandate(accounts):
        return None
    named = {account: one.event_id for account, one in told.items()}
    try:
        with nullcontext() if is_repeated else transaction.atomic():
            batch = decide_many(accounts=accounts, now=now, within=DECIDE_BEFORE, causes=named)
    except DatabaseError as refusal:
        if is_repeated:
            raise
        batch = _refused(accounts, refusal)
        if batch.window.cutoff - now > DECIDE_BEFORE:
            return None
    for one in _with_mandate(batch):
        cause = told.get(one.account)
        with caused_by(cause) if cause else nullcontext():
            _decide_alone(one.account, batch.window)
    return batch


def _with_mandate(batch: Batch) -> list[HandedOver]:
    """Return what was handed over of accounts whose mandate is in force on the window's day."""
    if not batch.handed_over:
        return []
    asked = [one.account for one in batch.handed_over]
    swept = reads.swept_accounts(on=batch.window.day).filter(pk__in=asked)
    named = {*swept.values_list("pk", flat=True)}
    return [one for one in batch.handed_over if one.account in named]


def decide_together(*, tenant: UUID, accounts: Sequence[UUID]) -> Batch:
    """Decide up to `BATCH_MAX` accounts in one commit; what the database refuses is handed over."""
    try:
        with bound(tenant, actor=ACTOR):
            return decide_many(accounts=accounts, now=clock.now())
    except DatabaseError as refusal:
        with bound(tenant, actor=ACTOR):
            return _refused(accounts, refusal)


def _refused(accounts: Sequence[UUID], refusal: DatabaseError) -> Batch:
    code = type(refusal).__name__
    logger.warning("sweep_batch_refused", accounts=len(accounts), code=code)
    handed = tuple(HandedOver(account=one, why=code) for one in accounts)
    return Batch(window=reads.next_window(now=clock.now()), handed_over=handed)


def decide_alone(*, tenant: UUID, accounts: Sequence[UUID], window: Window) -> list[Decided]:
    """Decide accounts by the services, each in its own transaction."""
    found = []
    for pk in accounts:
        with bound(tenant, actor=ACTOR):
            decided = _decide_alone(pk, window)
        if decided is not None:
            found.append(decided)
    return found


def _decide_alone(pk: UUID, window: Window) -> Decided | None:
    """Decide one account; what cannot be decided becomes a task."""
    account = BankAccount.objects.select_related("entity", "bank").get(pk=pk)
    try:
        return decide_account(account=account, window=window)
    except (DomainError, DatabaseError) as refusal:
        code = getattr(refusal, "code", type(refusal).__name__)
        logger.warning("sweep_undecided", account=str(pk), code=code)
        _tell_undecided(account, window, refusal)
    return None


def _decided(tenant: UUID, batch: Batch) -> list[Decided]:
    """Return what a batch decided as the services would."""
    if not batch.settled:
        return []
    accounts = [one.account for one in batch.settled]
    new = {one.decision for one in batch.settled if one.decision is not None}
    with bound(tenant, actor=ACTOR):
        newest = SweepDecision.objects.filter(account__in=accounts, cutoff_at=batch.window.cutoff)
        decisions = {
            row.account_id: row
            for row in newest.select_related("account").order_by("account_id", "sequence")
        }
        standing = SweepOrder.objects.filter(account__in=accounts, cutoff_at=batch.window.cutoff)
        orders = {
            row.account_id: row
            for row in standing.exclude(state=SweepState.FAILED)
            .select_related("product", "account")
            .order_by("account_id", "part")
        }
    return [
        Decided(
            decision=decisions[account],
            order=orders.get(account),
            is_new=decisions[account].pk in new,
        )
        for account in accounts
    ]


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
