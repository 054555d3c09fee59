"""How a deal ends otherwise: cancelled by both sides, or fixed and paid as a difference."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.tenancy import TenantModel
from fx.models.deals import Deal
from fx.models.rates import Rate, is_rate, rate_column


class CancellationState(models.TextChoices):
    """Whether both approvals were given."""

    PENDING = "PENDING", "awaits two approvals"
    DONE = "DONE", "cancelled"
    REFUSED = "REFUSED", "not cancelled"


class DealCancellation(TenantModel):
    """Both sides agree that a deal that was dealt is none: evidence, and two approvals."""

    deal = models.ForeignKey(Deal, on_delete=models.PROTECT, related_name="cancellations")
    evidence = models.TextField(help_text="What the counterparty wrote, and where it is kept.")
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    state = models.CharField(
        max_length=7, choices=CancellationState, default=CancellationState.PENDING
    )
    created_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "deal"],
                condition=Q(state="PENDING"),
                name="deal_cancellation_once",
            ),
            models.CheckConstraint(
                name="deal_cancellation_has_evidence", condition=~Q(evidence="")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal}: {self.get_state_display()}"


class NdfFixing(TenantModel):
    """At what a non-deliverable deal was fixed, and whose word that is; never changed."""

    deal = models.OneToOneField(Deal, on_delete=models.PROTECT, related_name="fixing")
    rate = rate_column()
    fixed_on = models.DateField()
    said_by = models.CharField(max_length=80, help_text="Who published it, as FBIL.")
    from_rate = models.ForeignKey(Rate, on_delete=models.PROTECT, null=True, related_name="fixings")
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    entered_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.CheckConstraint(name="ndf_fixing_rate", condition=is_rate("rate")),
            models.CheckConstraint(
                name="ndf_fixing_is_somebodys_word",
                condition=Q(entered_by__isnull=False) | Q(from_rate__isnull=False),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.deal} {self.rate}"
