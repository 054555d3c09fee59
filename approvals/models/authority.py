"""How far a person's authority reaches, and who acts for whom. Both count once approved."""

from django.conf import settings
from django.db import models
from django.db.models import F, Q

from approvals.constants import REASON_LENGTH_MAX
from core.money_columns import not_negative
from core.tenancy import TenantModel


class Delegation(TenantModel):
    """One checker lets another act in their place for a while.

    It counts from its approval by a manager on, between its dates, until it is revoked; the
    database refuses whatever is outside its scope. Nothing but the revocation ever changes.
    """

    delegator = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    delegate = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    action = models.CharField(max_length=60, blank=True, help_text="Empty: every action.")
    rail = models.CharField(max_length=20, blank=True, help_text="Empty: every rail.")
    amount_usd_max = models.DecimalField(
        max_digits=20,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Up to this USD-equivalent; empty: as far as both people's own authority.",
    )
    starts_at = models.DateTimeField()
    ends_at = models.DateTimeField()
    reason = models.CharField(max_length=REASON_LENGTH_MAX)
    created_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-starts_at"]
        constraints = [
            models.CheckConstraint(
                name="delegation_to_somebody_else", condition=~Q(delegator=F("delegate"))
            ),
            models.CheckConstraint(
                name="delegation_ends_after_its_start", condition=Q(ends_at__gt=F("starts_at"))
            ),
            models.CheckConstraint(name="delegation_has_reason", condition=~Q(reason="")),
            not_negative("delegation_cap_is_not_negative", "amount_usd_max"),
        ]

    def __str__(self) -> str:
        return f"{self.delegate} for {self.delegator}"


class AuthorityLimit(TenantModel):
    """Up to what a person may approve. The latest approved one of a person counts."""

    person = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    per_transaction_usd = models.DecimalField(
        max_digits=20, decimal_places=4, null=True, blank=True, help_text="Empty: no limit."
    )
    per_day_usd = models.DecimalField(
        max_digits=20,
        decimal_places=4,
        null=True,
        blank=True,
        help_text="Of all approvals within 24 hours; empty: no limit.",
    )
    reason = models.CharField(max_length=REASON_LENGTH_MAX)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+"
    )
    created_at = models.DateTimeField()

    class Meta:
        ordering = ["-created_at"]
        constraints = [
            not_negative("authority_limit_is_not_negative", "per_transaction_usd", "per_day_usd"),
        ]

    def __str__(self) -> str:
        return f"Limit of {self.person}"
