"""Expected flows: what is known or forecast to move, until a bank entry proves it."""

from django.db import models
from django.db.models import Q

from core.tenancy import TenantModel
from treasury.models.statements import BankEntry
from treasury.models.static import BankAccount


class FlowSource(models.TextChoices):
    """Where the expectation comes from."""

    PAYOUT = "PAYOUT", "payout plan"
    PATTERN = "PATTERN", "recurring pattern"
    FORECAST = "FORECAST", "forecast"
    MANUAL = "MANUAL", "entered by a person"
    TRANSFER = "TRANSFER", "own transfer"
    DEAL = "DEAL", "fx deal"
    SWEEP = "SWEEP", "sweep"


class FlowState(models.TextChoices):
    """Whether the expectation still stands."""

    EXPECTED = "EXPECTED", "expected"
    MATCHED = "MATCHED", "seen on a statement"
    CANCELLED = "CANCELLED", "cancelled"
    STALE = "STALE", "overdue, not counted"


class ExpectedFlow(TenantModel):
    """One expected movement; `amount` is signed. Matched to an entry it drops out of the sum."""

    account = models.ForeignKey(
        BankAccount, on_delete=models.PROTECT, related_name="+", db_index=False
    )
    source = models.CharField(max_length=8, choices=FlowSource)
    source_ref = models.CharField(max_length=80)
    amount = models.DecimalField(max_digits=20, decimal_places=4)
    value_date = models.DateField()
    description = models.CharField(max_length=140)
    end_to_end_id = models.CharField(max_length=35, blank=True)
    state = models.CharField(max_length=9, choices=FlowState, default=FlowState.EXPECTED)
    expires_on = models.DateField(null=True)
    matched_entry = models.ForeignKey(
        BankEntry, on_delete=models.PROTECT, null=True, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["value_date"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "source", "source_ref"], name="expected_flow_source"
            ),
            models.CheckConstraint(
                name="expected_flow_amount_is_finite",
                condition=Q(amount__gt=-(10**16), amount__lt=10**16) & ~Q(amount=0),
            ),
            models.CheckConstraint(
                name="manual_flow_expires",
                condition=~Q(source="MANUAL") | Q(expires_on__isnull=False),
            ),
            models.CheckConstraint(
                name="matched_flow_names_its_entry",
                condition=~Q(state="MATCHED") | Q(matched_entry__isnull=False),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "account", "value_date"],
                condition=Q(state="EXPECTED"),
                name="flow_expected",
            ),
            models.Index(fields=["tenant", "account", "end_to_end_id"], name="flow_by_reference"),
        ]

    def __str__(self) -> str:
        return f"{self.value_date} {self.amount} {self.description}"
