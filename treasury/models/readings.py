"""Readings of risk that a higher room hands down: one row per measurement, never changed."""

from decimal import Decimal

from django.db import models
from django.db.models import Q

from core.money_columns import finite, not_negative
from core.tenancy import TenantModel
from treasury.models.static import BankAccount


class RiskReading(TenantModel):
    """What may be lost on an account's flows in one day, as measured at one instant.

    Amounts are in the account's currency and not negative: a loss is a positive number. `var_bps`
    is the value at risk in ten-thousandths of `base_amount`; it is empty where there was too
    little history, or nothing that it could be a share of.
    """

    account = models.ForeignKey(BankAccount, on_delete=models.PROTECT, related_name="readings")
    as_of = models.DateField(help_text="The last day whose flows were counted.")
    observed_at = models.DateTimeField(help_text="When it was measured; its age counts from here.")
    method = models.CharField(max_length=40, help_text="Which definition of the quantile.")
    confidence = models.DecimalField(max_digits=7, decimal_places=6)
    observations = models.PositiveIntegerField(help_text="Days of flows that it rests on.")
    var_amount = models.DecimalField("value at risk", max_digits=20, decimal_places=4, null=True)
    expected_shortfall = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    base_amount = models.DecimalField(max_digits=20, decimal_places=4, null=True)
    base_kind = models.CharField(max_length=40, help_text="What the base amount is.")
    var_bps = models.DecimalField("value at risk (bps)", max_digits=14, decimal_places=4, null=True)
    inputs_sha256 = models.CharField(max_length=64)

    class Meta:
        ordering = ["-observed_at", "-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "account", "method", "observed_at"], name="risk_reading_once"
            ),
            not_negative(
                "risk_reading_losses_are_not_negative",
                "var_amount",
                "expected_shortfall",
                "var_bps",
            ),
            finite("risk_reading_base_is_finite", "base_amount"),
            models.CheckConstraint(
                name="risk_reading_confidence_is_a_share",
                condition=Q(confidence__gt=Decimal(0), confidence__lt=Decimal(1)),
            ),
            models.CheckConstraint(
                name="risk_reading_share_has_its_parts",
                condition=Q(var_bps=None)
                | Q(var_amount__isnull=False, base_amount__isnull=False, base_amount__gt=0),
            ),
            models.CheckConstraint(
                name="risk_reading_digest_form",
                condition=Q(inputs_sha256__regex=r"^[0-9a-f]{64}$"),
            ),
        ]
        indexes = [
            models.Index(
                fields=["tenant", "account", "-observed_at", "-id"], name="risk_reading_newest"
            )
        ]

    def __str__(self) -> str:
        return f"{self.as_of} {self.method}"
