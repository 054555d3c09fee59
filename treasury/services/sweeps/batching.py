"""Decide many accounts in one statement; what is rare is handed to the services of one account."""

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.ids import uuid7_texts
from core.tenancy.context import current_tenant_id
from treasury.engine.sweep_windows import SAFETY, Window
from treasury.selectors import sweeps as reads
from treasury.selectors.sweep_plans import Plan, make_plan
from treasury.services.rows import plain_array
from treasury.services.sweeps import watching

# Whatever has arrived, but never more than this in one commit.
BATCH_MAX: Final = 500
_IDS_EACH: Final = 4
_TRIES_MAX: Final = 2
_DECIDE: Final = "SELECT * FROM treasury_decide_sweeps(%s, %s::uuid[], %s, %s::uuid[], %s::uuid[])"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settled:
    """What a batch made of one account: decided anew, or the same as before."""

    account: UUID
    decision: UUID | None
    order_id: str
    result: str
    branch: str
    reason: str
    product: str
    amount: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class HandedOver:
    """An account that the services decide, and why the batch did not."""

    account: UUID
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Batch:
    """What came of a batch, in the order in which it was decided: handed over is what is left."""

    window: Window
    settled: tuple[Settled, ...] = ()
    handed_over: tuple[HandedOver, ...] = ()


@dataclass(frozen=True, slots=True)
class _Kept:
    """A plan of this process, and since when its window has been the next one."""

    since: datetime
    plan: Plan


# The statement that uses a kept plan proves that the ground it was made from is still the same.
_kept: dict[UUID, _Kept] = {}


def kept_plan(*, now: datetime) -> Plan | None:
    """Return the bound tenant's plan of the next window, where this process has made it already."""
    kept = _kept.get(current_tenant_id())
    if kept is None or not kept.since <= now < kept.plan.window.cutoff - SAFETY:
        return None
    return kept.plan


def next_plan(*, now: datetime) -> Plan:
    """Return the plan of the window that is decided next; kept while that is the next one."""
    if (plan := kept_plan(now=now)) is None:
        plan = make_plan(window=reads.next_window(now=now))
        if not plan.refusal:
            _kept[current_tenant_id()] = _Kept(now, plan)
    return plan


def forget_plan() -> None:
    """Let the bound tenant's plan be made again, as in a process that has just begun."""
    _kept.pop(current_tenant_id(), None)


def decide_many(
    *,
    accounts: Sequence[UUID],
    now: datetime,
    within: timedelta | None = None,
    causes: Mapping[UUID, UUID] | None = None,
) -> Batch:
    """Decide accounts for the next window, at most `BATCH_MAX`; name what services must decide.

    Accounts that no mandate in force lets sweep are left out. With `within`, nothing is decided
    before the window is as near as that; `causes` names the event that asked for an account, which
    its order's own event then names. One statement of the caller's transaction: it leaves
    everything or nothing, and the commit tells the relay.

    Raises:
        CalendarUnknown: the calendar of dollars is not installed.
        CalendarCoverageError: it does not reach that day.
    """
    began = time.perf_counter()
    listed = list(dict.fromkeys(accounts))
    place = {account: number for number, account in enumerate(listed)}
    for _ in range(_TRIES_MAX):
        plan = next_plan(now=now)
        if not listed or (within is not None and plan.window.cutoff - now > within):
            return Batch(window=plan.window)
        if plan.refusal:
            return _all_handed_over(listed, plan.window, plan.refusal)
        ids = uuid7_texts(_IDS_EACH * len(listed))
        with connection.cursor() as cursor:
            asked = [(causes or {}).get(one) for one in listed]
            cursor.execute(
                _DECIDE, [plan.text, plain_array(listed), now, plain_array(ids), plain_array(asked)]
            )
            rows = sorted(cursor.fetchall(), key=lambda row: place.get(row[0], 0))
        if not rows or rows[0][1] != "OLD_PLAN":
            return _told(rows, plan.window, seconds=time.perf_counter() - began)
        forget_plan()
    return _all_handed_over(listed, reads.next_window(now=now), "CHANGING")


def _all_handed_over(accounts: Sequence[UUID], window: Window, why: str) -> Batch:
    listed = tuple(HandedOver(account=one, why=why) for one in accounts)
    return Batch(window=window, handed_over=listed)


def _told(rows: Sequence[tuple[Any, ...]], window: Window, *, seconds: float) -> Batch:
    """Say in the log, and to who watches, what was decided."""
    settled, handed_over = [], []
    for account, what, why, decision, order_id, result, branch, reason, product, amount in rows:
        if what == "HANDED_OVER":
            handed_over.append(HandedOver(account=account, why=why))
            continue
        settled.append(
            Settled(
                account=account,
                decision=decision,
                order_id=order_id,
                result=result,
                branch=branch,
                reason=reason,
                product=product,
                amount=amount,
            )
        )
    watching.tell_decided([one for one in settled if one.decision], seconds=seconds)
    return Batch(window=window, settled=tuple(settled), handed_over=tuple(handed_over))
