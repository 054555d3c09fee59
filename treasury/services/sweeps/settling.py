"""Where the money of orders is, as the entries of the account prove it."""

from datetime import datetime, time, timedelta
from typing import Final
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Q

from treasury.constants import SweepState
from treasury.engine.facts import END_OF_DAY
from treasury.models import ExpectedFlow, FlowSource, FlowState, Settlement, SweepOrder
from treasury.services import tasks

ZONE: Final = ZoneInfo("America/New_York")
BACK_BY: Final = time(10, 0)
ANSWER_AFTER: Final = timedelta(minutes=30)
BATCH_MAX: Final = 500


@transaction.atomic
def follow_money(*, now: datetime) -> list[SweepOrder]:
    """Note what was booked out and back; tell of what is overdue. Return what moved on.

    Money that is due back is looked for until ten in the morning in New York; an order without an
    answer half an hour after its window becomes a task, and stays as it is.
    """
    moved: list[SweepOrder] = []
    last = None
    while batch := _open_orders(after=last):
        moved += _followed(batch, now)
        last = batch[-1].pk
    return moved


def _open_orders(*, after: UUID | None) -> list[SweepOrder]:
    """Return the next orders whose money is not back yet, locked."""
    found = (
        SweepOrder.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("account")
        .exclude(settlement=Settlement.RETURNED)
        .filter(Q(state__in=(SweepState.SENT, SweepState.ACK)) | Q(late_ack_at__isnull=False))
    )
    if after is not None:
        found = found.filter(pk__gt=after)
    return list(found.order_by("id")[:BATCH_MAX])


def _followed(orders: list[SweepOrder], now: datetime) -> list[SweepOrder]:
    matched, proven = _matched(orders)
    moved = []
    for held in orders:
        # Of what our own bank pays only the statement of the day is proof: until then a
        # notification may be taken back.
        reached = _reached(held, matched if held.line_id is None else proven)
        if reached != held.settlement:
            held.settlement = reached
            held.save(update_fields=["settlement"])
            moved.append(held)
        if reached == Settlement.RETURNED:
            tasks.answer_task(kind="sweep_return_late", key=held.order_id, note="It came back.")
        else:
            _tell_overdue(held, now, is_back=f"{held.order_id}:back" in matched)
    return moved


def _matched(orders: list[SweepOrder]) -> tuple[set[str], set[str]]:
    """Return the flows that were booked, and those of them that the statement of a day shows."""
    names = [f"{one.order_id}:{way}" for one in orders for way in ("out", "back")]
    found = ExpectedFlow.objects.filter(
        source=FlowSource.SWEEP, source_ref__in=names, state=FlowState.MATCHED
    ).values_list("source_ref", "matched_entry__best_source")
    return {name for name, _ in found}, {name for name, shown in found if shown in END_OF_DAY}


def _reached(held: SweepOrder, matched: set[str]) -> str:
    if f"{held.order_id}:out" not in matched:
        return held.settlement
    if held.settlement == Settlement.PENDING:
        return Settlement.SETTLED
    if f"{held.order_id}:back" in matched:
        return Settlement.RETURNED
    return held.settlement


def _tell_overdue(held: SweepOrder, now: datetime, *, is_back: bool) -> None:
    if held.state == SweepState.SENT and now >= held.cutoff_at + ANSWER_AFTER:
        tasks.open_task(
            task=tasks.TaskIn(
                kind="sweep_unanswered",
                key=held.order_id,
                title=f"{held.order_id}: no answer from who executes it",
                detail="It stays sent and its money reserved. Ask whether it was executed.",
            )
        )
    due = datetime.combine(held.matures_on, BACK_BY, ZONE)
    if (held.state == SweepState.ACK or held.late_ack_at) and now >= due and not is_back:
        tasks.open_task(
            task=tasks.TaskIn(
                kind="sweep_return_late",
                key=held.order_id,
                title=f"{held.order_id} has not come back",
                detail=f"{held.comes_back:,.2f} USD were due on {held.matures_on}.",
            )
        )
