"""Proofs that a person stepped up: rows that only the database's own functions write."""

from django.db import models
from django.db.models import Q

from core.identity.models import User
from core.tenancy.models import TenantModel


class StepUpMethod(models.TextChoices):
    """How a person proved to be there."""

    TOTP = "totp", "authenticator code"
    PASSKEY = "passkey", "passkey"
    RECOVERY = "recovery", "recovery code"


class StepUp(TenantModel):
    """A second factor, shown for one content at one moment.

    `content_hash` is the SHA-256 of what the person was looking at, in hexadecimal; empty for a
    sign-in. `proof` keeps what an auditor needs to verify a passkey's signature; never a secret.
    """

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="step_ups")
    method = models.CharField(max_length=8, choices=StepUpMethod.choices)
    content_hash = models.CharField(max_length=64, blank=True)
    proved_at = models.DateTimeField()
    used_at = models.DateTimeField(null=True)
    proof = models.JSONField(default=dict)

    class Meta:
        app_label = "core"
        ordering = ["-proved_at"]
        constraints = [
            models.CheckConstraint(
                name="stepup_hash_is_hex", condition=Q(content_hash__regex=r"^([0-9a-f]{64})?$")
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.get_method_display()}, {self.proved_at:%Y-%m-%d %H:%M:%S}"
