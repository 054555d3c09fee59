"""Sign orders and hand them out. Signing happens outside transactions: the key may be elsewhere."""

import random
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

import structlog
from django.db import transaction
from django.db.models import QuerySet

from core import clock
from core.events.models import OutboxEvent
from core.signing import SignerUnavailable, sign_compact
from core.tenancy import bound
from treasury.constants import SweepState
from treasury.models import Release, SweepOrder
from treasury.selectors.freezing import standing_freeze
from treasury.selectors.sweeps import mandate_covers
from treasury.services import tasks
from treasury.services.sweeps.announcing import hand_out, tell_order
from treasury.services.sweeps.ordering import fail_order, locked
from treasury.services.sweeps.paying import pay_order

logger = structlog.get_logger(__name__)
ACTOR: Final = "system:treasury.sweeps"
BATCH_MAX: Final = 100
BACKOFF_SECONDS_MAX: Final = 30
JITTER_SHARE: Final = 0.25
TOLD_AFTER_ATTEMPTS: Final = 5
TYPE: Final = "sweep+jws"


def sign_due(*, tenant: UUID) -> int:
    """Sign the released orders of a tenant that wait for it; return how many went out.

    While outflows are stopped nothing is signed.
    """
    with bound(tenant, actor=ACTOR):
        if standing_freeze() is not None:
            return 0
        waiting = list(_due(clock.now())[:BATCH_MAX])
    signed = 0
    for one in waiting:
        if not _signed(tenant, one):
            break  # whoever holds the key is away: the others wait for the next round
        signed += 1
    return signed


def _due(now: datetime) -> QuerySet[SweepOrder]:
    return SweepOrder.objects.filter(
        state=SweepState.NEW,
        jws="",
        release__in=(Release.MANDATE, Release.APPROVED),
        due_at__lte=now,
        cutoff_at__gt=now,
    ).order_by("cutoff_at", "order_id")


def _signed(tenant: UUID, order: SweepOrder) -> bool:
    header = {
        "typ": TYPE,
        "iat": int(order.created_at.timestamp()),
        "exp": int(order.cutoff_at.timestamp()),
        "jti": order.order_id,
    }
    try:
        token = sign_compact(order.payload.encode(), header=header)
    except SignerUnavailable as refusal:
        with bound(tenant, actor=ACTOR):
            _try_later(order.pk, refusal)
        return False
    with bound(tenant, actor=ACTOR):
        _hand_out(order.pk, jws=token.compact, key_id=token.key_id)
    return True


@transaction.atomic
def _hand_out(order_pk: UUID, *, jws: str, key_id: str) -> None:
    held = locked(pk=order_pk)
    now = clock.now()
    if held.state != SweepState.NEW or held.jws or held.cutoff_at <= now:
        return
    if held.release == Release.MANDATE and not mandate_covers(order_pk):
        fail_order(order=held, reason="Its mandate does not cover it any more.")
        return
    held.jws, held.key_id = jws, key_id
    held.attempts += 1
    if held.line_id is None:
        held.intent_id = hand_out(order=held)
    held.save(update_fields=["jws", "key_id", "attempts", "intent_id"])
    pay_order(order=held)


@transaction.atomic
def _try_later(order_pk: UUID, refusal: SignerUnavailable) -> None:
    """Wait 1, 2, 4, 8 … seconds, a little more for each its own; the order keeps its name."""
    held = locked(pk=order_pk)
    held.attempts += 1
    held.due_at = clock.now() + patience(held.order_id, held.attempts)
    held.save(update_fields=["attempts", "due_at"])
    logger.warning("sweep_unsigned", order_id=held.order_id, attempts=held.attempts)
    if held.attempts == TOLD_AFTER_ATTEMPTS:
        tasks.open_task(
            task=tasks.TaskIn(
                kind="sweep_unsigned",
                key=held.order_id,
                title=f"{held.order_id} cannot be signed",
                detail=refusal.message,
            )
        )


def patience(name: str, attempts: int) -> timedelta:
    """Return how long to wait before the next attempt; orders do not all come back at once."""
    seconds = min(2 ** (attempts - 1), BACKOFF_SECONDS_MAX)
    share = random.Random(f"{name} {attempts}").random()  # noqa: S311 - spreads load, hides nothing
    return timedelta(seconds=seconds * (1 + JITTER_SHARE * share))


@transaction.atomic
def mark_sent() -> int:
    """Mark as SENT what the event bus has taken; return how many."""
    waiting = list(
        SweepOrder.objects.select_for_update(of=("self",), skip_locked=True)
        .select_related("product")
        .filter(state=SweepState.NEW, intent_id__isnull=False)[:BATCH_MAX]
    )
    taken = set(
        OutboxEvent.objects.filter(
            pk__in=[one.intent_id for one in waiting], relayed_at__isnull=False
        ).values_list("pk", flat=True)
    )
    for one in waiting:
        if one.intent_id in taken:
            one.send(at=clock.now())
            one.save(update_fields=["state", "sent_at"])
            tell_order(order=one)
    return len(taken)
