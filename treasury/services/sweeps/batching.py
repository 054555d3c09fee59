"""Decide many accounts in one statement; what is rare is handed to the services of one account."""

import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import connection, transaction

from core.ids import uuid7_texts
from core.tenancy.context import current_tenant_id
from treasury.engine.sweep_windows import Window
from treasury.selectors.sweep_plans import Plan, make_plan
from treasury.services.sweeps import watching

# Whatever has arrived, but never more than this in one commit.
BATCH_MAX: Final = 500
_IDS_EACH: Final = 4
_PLANS_MAX: Final = 100
_DECIDE: Final = "SELECT * FROM treasury_decide_sweeps(%s, %s, %s, %s::uuid[])"
# Plans of one process; the statement that uses one proves that its ground is still the same.
_plans: dict[tuple[UUID, datetime], Plan] = {}


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
    """What came of a batch, the accounts in the order in which they were decided."""

    settled: tuple[Settled, ...] = ()
    handed_over: tuple[HandedOver, ...] = ()


def plan_for(window: Window) -> Plan:
    """Return the window's plan, made when it is first asked for."""
    key = (current_tenant_id(), window.cutoff)
    found = _plans.get(key)
    if found is None or found.window != window:
        found = make_plan(window=window)
        while len(_plans) >= _PLANS_MAX:
            _plans.pop(next(iter(_plans)))
        if not found.refusal:
            _plans[key] = found
    return found


def forget_plans() -> None:
    """Let every plan be made again, as in a process that has just begun."""
    _plans.clear()


def forget_plan(window: Window) -> None:
    """Let the window's plan be made again."""
    _plans.pop((current_tenant_id(), window.cutoff), None)


@transaction.atomic
def decide_many(*, accounts: Sequence[UUID], window: Window, now: datetime) -> Batch:
    """Decide accounts for a window, at most `BATCH_MAX`; name those that the services decide.

    Accounts that no mandate in force lets sweep are left out.
    """
    began = time.perf_counter()
    listed = list(dict.fromkeys(accounts))
    for _ in range(2):
        plan = plan_for(window)
        if plan.refusal:
            return Batch(
                handed_over=tuple(HandedOver(account=one, why=plan.refusal) for one in listed)
            )
        ids = uuid7_texts(_IDS_EACH * len(listed))
        with connection.cursor() as cursor:
            cursor.execute(_DECIDE, [plan.text, listed, now, ids])
            rows = cursor.fetchall()
        if not rows or rows[0][1] != "OLD_PLAN":
            return _told(rows, seconds=time.perf_counter() - began)
        forget_plan(window)
    return Batch(handed_over=tuple(HandedOver(account=one, why="CHANGING") for one in listed))


def _told(rows: Sequence[tuple[UUID, ...]], *, seconds: float) -> Batch:
    """Say in the log, and to who watches, what was decided."""
    settled, handed_over = [], []
    for account, what, why, decision, *facts in rows:
        if what == "HANDED_OVER":
            handed_over.append(HandedOver(account=account, why=str(why)))
            continue
        order_id, result, branch, reason, product, amount = facts
        one = Settled(
            account=account,
            decision=decision,
            order_id=str(order_id),
            result=str(result),
            branch=str(branch),
            reason=str(reason),
            product=str(product),
            amount=Decimal(str(amount)),
        )
        settled.append(one)
        if decision is not None:
            watching.tell_decided(one, seconds=seconds)
    return Batch(settled=tuple(settled), handed_over=tuple(handed_over))
