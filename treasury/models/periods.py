"""What would change a closed period: kept for a person, one row per entry and change."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.money_columns import finite
from core.tenancy import TenantModel
from treasury.models.statements import BankEntry, EntryState, Statement
from treasury.models.static import BankAccount


class LateChange(models.TextChoices):
    """What an entry would do to a closed day."""

    NEW = "NEW", "begins to count"
    WITHDRAWAL = "WITHDRAWAL", "ceases to count"
    DATES = "DATES", "moves to other days"


class LateState(models.TextChoices):
    """What became of it."""

    WAITING = "WAITING", "waits for a person"
    ACCEPTED = "ACCEPTED", "accepted"
    LEFT = "LEFT", "left as it was"
    VOID = "VOID", "no longer asked for"


class LateEntry(TenantModel):
    """A change of a closed day that a bank asks for; the database lets it through once accepted.

    `before` is where the entry counts now, `after` where it would count; empty where it does not.
    """

    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="late_entries")
    entry = models.ForeignKey(BankEntry, on_delete=models.PROTECT, related_name="late_changes")
    statement = models.ForeignKey(Statement, on_delete=models.PROTECT, related_name="late_changes")
    change = models.CharField(max_length=10, choices=LateChange)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    booking_before = models.DateField(null=True)
    value_before = models.DateField(null=True)
    booking_after = models.DateField(null=True)
    value_after = models.DateField(null=True)
    settled = models.CharField(
        max_length=10, choices=EntryState, help_text="What the entry becomes when it is accepted."
    )
    kept = models.ForeignKey(
        BankEntry,
        on_delete=models.PROTECT,
        null=True,
        related_name="+",
        help_text="The entry that this one turned out to be.",
    )
    closed_until = models.DateField(help_text="How far the period was closed when it came.")
    found_at = models.DateTimeField()
    state = models.CharField(max_length=8, choices=LateState, default=LateState.WAITING)
    reason = models.CharField(max_length=500, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, help_text="By the database's own clock.")
    decided_in = models.BigIntegerField(
        null=True, editable=False, help_text="The transaction that the acceptance holds for."
    )

    class Meta:
        verbose_name_plural = "late entries"
        ordering = ["-id"]
        constraints = [
            finite("late_entry_amount_is_finite", "amount"),
            models.UniqueConstraint(
                fields=["tenant", "entry"],
                condition=Q(state__in=("WAITING", "LEFT")),
                name="late_entry_stands_once",
            ),
            models.CheckConstraint(
                name="late_entry_decided_with_reason",
                condition=Q(state__in=("WAITING", "VOID"))
                | Q(decided_by__isnull=False, decided_at__isnull=False) & ~Q(reason=""),
            ),
            models.CheckConstraint(
                name="late_entry_says_where",
                condition=Q(change="NEW", booking_before=None, booking_after__isnull=False)
                | Q(change="WITHDRAWAL", booking_before__isnull=False, booking_after=None)
                | Q(change="DATES", booking_before__isnull=False, booking_after__isnull=False),
            ),
        ]
        indexes = [
            models.Index(fields=["tenant", "state", "-found_at", "-id"], name="late_entry_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.change} {self.amount}"
