"""Deliveries that were set aside after too many attempts."""

from dataclasses import asdict, dataclass
from typing import Any, Final

from core.events.drain import replay_dead_letters
from core.events.models import Delivery, DeliveryState
from core.tenancy import bound
from tms.ops.tenants import TenantName

ACTOR: Final = "system:operations"
LETTERS_SHOWN_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetter:
    """One event that one consumer could not handle, and why."""

    event: str
    topic: str
    consumer: str
    attempts: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DeadLetters:
    """The dead letters of one tenant, oldest first."""

    tenant: TenantName
    letters: tuple[DeadLetter, ...]

    def as_json(self) -> dict[str, Any]:
        """Return them for machines."""
        letters = [asdict(letter) for letter in self.letters]
        return {"tenant": self.tenant.slug, "count": len(letters), "dead_letters": letters}


def dead_letters(*, tenant: TenantName, consumer: str = "") -> DeadLetters:
    """Return what is set aside for `tenant`, of one consumer or of all."""
    with bound(tenant.id, actor=ACTOR):
        rows = Delivery.objects.filter(state=DeliveryState.DEAD).select_related("event")
        if consumer:
            rows = rows.filter(consumer=consumer)
        letters = tuple(
            DeadLetter(
                event=str(row.event_id),
                topic=row.event.topic,
                consumer=row.consumer,
                attempts=row.attempts,
                reason=row.last_error,
            )
            for row in rows.order_by("event_id")[:LETTERS_SHOWN_MAX]
        )
    return DeadLetters(tenant=tenant, letters=letters)


def replay(*, tenant: TenantName, consumer: str = "") -> int:
    """Put the dead letters of `tenant` back to work; return how many."""
    with bound(tenant.id, actor=ACTOR, reason="replay of dead letters"):
        return replay_dead_letters(consumer=consumer or None)
