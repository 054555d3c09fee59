"""How a deal ends otherwise: cancelled by both sides, or fixed and paid as a difference."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

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
    """At what a non-deliverable deal was fixed, and whose word that is.

    It changes with the fixing of its day alone, which two people correct; a trigger holds it.
    """

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


class FixingState(models.TextChoices):
    """Whether a fixing of a day holds."""

    IN_FORCE = "IN_FORCE", "holds"
    PROPOSED = "PROPOSED", "awaits another person"
    REPLACED = "REPLACED", "was corrected"
    REFUSED = "REFUSED", "refused"


class DayFixing(TenantModel):
    """The one fixing of a pair on a day, and every correction of it with who, when and why.

    The first one is written by the trigger of the first deal that is fixed; a unique key lets only
    one be in force. A correction is proposed by one person and accepted by another one.
    """

    base = models.CharField(max_length=3)
    quote = models.CharField(max_length=3)
    fixed_on = models.DateField()
    version = models.PositiveSmallIntegerField(default=1)
    rate = rate_column()
    said_by = models.CharField(max_length=80)
    from_rate = models.ForeignKey(Rate, on_delete=models.PROTECT, null=True, related_name="+")
    reason = models.TextField(blank=True, help_text="Why it corrects the one before.")
    state = models.CharField(max_length=8, choices=FixingState)
    entered_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    entered_at = models.DateTimeField()
    checker = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    decided_at = models.DateTimeField(null=True)
    note = models.TextField(blank=True, help_text="Why it was refused.")

    class Meta:
        ordering = ["-fixed_on", "base", "quote", "-version"]
        constraints = [
            models.CheckConstraint(name="day_fixing_rate", condition=is_rate("rate")),
            models.UniqueConstraint(
                fields=["tenant", "base", "quote", "fixed_on", "version"],
                name="day_fixing_version",
            ),
            models.UniqueConstraint(
                fields=["tenant", "base", "quote", "fixed_on"],
                condition=Q(state=FixingState.IN_FORCE),
                name="day_fixing_in_force_once",
            ),
            models.UniqueConstraint(
                fields=["tenant", "base", "quote", "fixed_on"],
                condition=Q(state=FixingState.PROPOSED),
                name="day_fixing_proposed_once",
            ),
            models.CheckConstraint(
                name="day_fixing_correction_takes_two",
                condition=Q(version=1, checker=None)
                | Q(state=FixingState.PROPOSED, entered_by__isnull=False, checker=None)
                & ~Q(reason="")
                | Q(entered_by__isnull=False, checker__isnull=False, decided_at__isnull=False)
                & ~Q(reason="")
                & ~Q(checker=F("entered_by")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.base}/{self.quote} {self.fixed_on} {self.rate.normalize():f}"

    @property
    def pair(self) -> str:
        """Return the pair as the market writes it."""
        return f"{self.base}/{self.quote}"
