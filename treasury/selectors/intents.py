"""What consumers pull: orders as they were handed out, in the order in which they were committed.

A cursor is the place of the last item that was read. Places are given after the commit, gapless
and in commit order, so that a reader who remembers one misses nothing.
"""

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import timedelta
from itertools import takewhile
from typing import Any, Final

from core import clock, policies
from core.events.models import OutboxEvent
from treasury.errors import CursorGone, CursorRefused
from treasury.events import SweepIntent
from treasury.policies import SWEEP_INTENT_KEPT_DAYS
from treasury.selectors.freezing import standing_freeze

LIMIT_DEFAULT: Final = 50
LIMIT_MAX: Final = 200
CURSOR_CHARS_MAX: Final = 64
_PLACE: Final = re.compile(r"v1:([0-9]{1,18})", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Intents:
    """One answer: items in order, where the next one begins, and whether more waits there."""

    items: tuple[dict[str, Any], ...]
    next_cursor: str
    has_more: bool


def cursor_at(place: int) -> str:
    """Return the cursor of a place."""
    return base64.urlsafe_b64encode(f"v1:{place}".encode()).decode().rstrip("=")


def place_of(cursor: str) -> int:
    """Return the place that a cursor means; an empty one is the beginning.

    Raises:
        CursorRefused: it is none that was handed out here.
    """
    if not cursor:
        return 0
    padded = cursor[:CURSOR_CHARS_MAX] + "=" * (-len(cursor) % 4)
    try:
        text = base64.b64decode(padded.encode("ascii"), altchars=b"-_", validate=True)
        found = _PLACE.fullmatch(text.decode("ascii"))
    except (binascii.Error, ValueError) as error:
        raise CursorRefused("This cursor was not handed out here.", field="after") from error
    if found is None:
        raise CursorRefused("This cursor was not handed out here.", field="after")
    return int(found[1])


def intents_after(*, cursor: str, limit: int = LIMIT_DEFAULT) -> Intents:
    """Return what was handed out after a cursor; the same question again gives the same items.

    While all outflows are stopped it ends before the first order: nothing new is executed, and
    nothing is skipped.

    From the beginning means: from the oldest item that is kept.

    Raises:
        CursorRefused: the cursor is none of ours.
        CursorGone: items that follow it are older than what is kept.
    """
    place = place_of(cursor)
    rows = _kept(place, limit=limit)
    shown = rows[:limit]
    if standing_freeze() is not None:
        shown = list(takewhile(lambda row: row.payload["type"] != "ORDER", shown))
    return Intents(
        items=tuple({"cursor": cursor_at(row.sequence or 0), **row.payload} for row in shown),
        next_cursor=cursor_at(shown[-1].sequence or 0) if shown else cursor or cursor_at(0),
        has_more=len(rows) > limit and len(shown) == limit,
    )


def _kept(place: int, *, limit: int) -> list[OutboxEvent]:
    days = policies.get(SWEEP_INTENT_KEPT_DAYS)
    oldest = clock.now() - timedelta(days=days)
    items = OutboxEvent.objects.filter(topic=SweepIntent.topic, sequence__gt=place)
    rows = list(items.order_by("sequence")[: limit + 1])
    if not rows or rows[0].occurred_at >= oldest:
        return rows
    if place:
        raise CursorGone(
            f"Items after this cursor are more than {days} days old and not kept for pulling. Begin"
            " anew without a cursor, and compare with /api/v1/sweeps/orders what you may have"
            " missed.",
            field="after",
        )
    return list(items.filter(occurred_at__gte=oldest).order_by("sequence")[: limit + 1])
