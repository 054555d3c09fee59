"""Policy values: every change is a new version, the old ones stay."""

from django.conf import settings
from django.db import models

from core.tenancy.models import TenantModel


class PolicyVersion(TenantModel):
    """One value of one policy, in force from its creation until the next version."""

    key = models.CharField(max_length=80)
    version = models.PositiveIntegerField()
    value = models.JSONField()
    reason = models.TextField()
    changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    changed_at = models.DateTimeField()

    class Meta:
        app_label = "core"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "key", "version"], name="policy_version"),
        ]

    def __str__(self) -> str:
        return f"{self.key} v{self.version}"
