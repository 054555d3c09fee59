"""Proofs that a person stepped up, and passkeys: rows that only the database's functions write."""

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


class Passkey(TenantModel):
    """A public key that a person registered together with an authenticator code for exactly it."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="passkeys")
    name = models.CharField(max_length=60)
    credential_id = models.CharField(max_length=1_400)
    public_key = models.CharField(max_length=1_400)
    sign_count = models.BigIntegerField(default=0)
    registered_with = models.ForeignKey(StepUp, on_delete=models.PROTECT, related_name="+")
    created_at = models.DateTimeField()
    last_used_at = models.DateTimeField(null=True)
    removed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "core"
        ordering = ["created_at"]
        constraints = [
            models.UniqueConstraint(
                name="passkey_registered_once", fields=["tenant", "credential_id"]
            ),
            models.CheckConstraint(name="passkey_has_a_name", condition=~Q(name="")),
        ]

    def __str__(self) -> str:
        return self.name
