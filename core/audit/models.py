"""The audit trail: written by triggers, read by people, chained by the sealer."""

from django.db import models

from core.tenancy.models import Tenant


class AuditEntry(models.Model):
    """One change of one row, as the database saw it. The app role can read it, never write it."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    at = models.DateTimeField()
    actor = models.TextField()
    request = models.TextField()
    reason = models.TextField()
    database_role = models.TextField()
    table_name = models.TextField()
    row_id = models.TextField()
    action = models.TextField()
    before = models.JSONField(null=True)
    after = models.JSONField(null=True)

    class Meta:
        app_label = "core"
        indexes = [models.Index(fields=["tenant", "table_name", "row_id"], name="audit_by_row")]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.table_name} {self.row_id}"


class AuditPending(models.Model):
    """An entry that waits for its link; gone once sealed. Visible means committed."""

    entry = models.OneToOneField(
        AuditEntry, on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False
    )
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return str(self.pk)


class AuditLink(models.Model):
    """One link of a tenant's chain: sha256 over the previous hash and the entry's text."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(Tenant, on_delete=models.PROTECT, related_name="+")
    sequence = models.BigIntegerField()
    entry = models.OneToOneField(AuditEntry, on_delete=models.DO_NOTHING, db_constraint=False)
    hash = models.CharField(max_length=64)

    class Meta:
        app_label = "core"
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sequence"], name="audit_link_sequence")
        ]

    def __str__(self) -> str:
        return f"{self.sequence} {self.hash[:12]}"
