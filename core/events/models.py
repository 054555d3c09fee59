"""The outbox and its deliveries: state change, audit row and event commit together."""

from django.db import models
from django.db.models import F, Q

from core.tenancy.models import TenantModel


class OutboxEvent(TenantModel):
    """An event as published.

    `sequence` is given after commit, gapless and in commit order per tenant, by one relay at a
    time: a reader that remembers the last sequence it saw misses nothing.
    """

    topic = models.CharField(max_length=80)
    version = models.PositiveSmallIntegerField(default=1)
    aggregate = models.CharField(max_length=120)
    payload = models.JSONField()
    occurred_at = models.DateTimeField()
    correlation_id = models.UUIDField()
    causation_id = models.UUIDField(null=True)
    producer = models.CharField(max_length=80)
    sequence = models.BigIntegerField(null=True)
    relayed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "core"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "sequence"],
                condition=Q(sequence__isnull=False),
                name="outbox_sequence",
            ),
        ]
        indexes = [
            models.Index(fields=["id"], condition=Q(sequence=None), name="outbox_unsequenced"),
            models.Index(
                fields=["tenant", "sequence"],
                condition=Q(relayed_at=None, sequence__isnull=False),
                name="outbox_unrelayed",
            ),
            models.Index(fields=["tenant", "topic", "id"], name="outbox_by_topic"),
        ]

    def __str__(self) -> str:
        return f"{self.topic} {self.id}"


class DeliveryState(models.TextChoices):
    """Where a delivery stands."""

    WAITING = "WAITING", "waiting"
    DONE = "DONE", "done"
    DEAD = "DEAD", "dead letter"


class Delivery(TenantModel):
    """One event for one consumer: the work queue, the inbox and the dead letters in one row.

    The consumer's effect commits together with state DONE, so a redelivery changes nothing.
    `fence` counts the claims; a worker that lost its lease cannot complete with an older fence.
    """

    # Found by its event through the key that lets a consumer have it once.
    event = models.ForeignKey(
        OutboxEvent, on_delete=models.PROTECT, related_name="deliveries", db_index=False
    )
    consumer = models.CharField(max_length=80)
    aggregate = models.CharField(max_length=120)
    state = models.CharField(
        max_length=8, choices=DeliveryState.choices, default=DeliveryState.WAITING
    )
    attempts = models.PositiveIntegerField(default=0)
    fence = models.PositiveIntegerField(default=0)
    due_at = models.DateTimeField()
    locked_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    last_error = models.TextField(blank=True)

    class Meta:
        app_label = "core"
        verbose_name_plural = "deliveries"
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "event", "consumer"], name="delivery_once_per_consumer"
            ),
            models.CheckConstraint(
                name="delivery_done_has_time",
                condition=~Q(state="DONE") | Q(done_at__isnull=False),
            ),
        ]
        # Who looks along the queue says that `consumer > ''`, which is always so. Who looks for the
        # elder of one aggregate does not: whatever the planner believes, these are no use there.
        indexes = [
            models.Index(
                F("tenant"),
                F("due_at"),
                condition=Q(state="WAITING", consumer__gt=""),
                name="delivery_waiting",
            ),
            models.Index(
                F("tenant"),
                F("consumer"),
                F("aggregate"),
                F("event"),
                condition=Q(state="WAITING"),
                name="delivery_order",
            ),
            # In turn, for who takes many at once: the queue's length costs nothing.
            models.Index(
                F("tenant"),
                F("consumer"),
                F("due_at"),
                F("event"),
                condition=Q(state="WAITING", consumer__gt=""),
                name="delivery_in_turn",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.consumer} {self.state}"
