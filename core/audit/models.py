"""The audit trail: written by triggers, read by people, chained by the sealer."""

from django.db import models

from core.tenancy.models import Tenant, TenantModel


class AuditEntry(models.Model):
    """One change of one row, as the database saw it. The app role can read it, never write it.

    A refused attempt is an entry too: `action` is REFUSED, `table_name` is `core_refused`, `row_id`
    the object it was about, `after` says how it was answered. `on_behalf_of` is the person whose
    delegate acted; it is part of what is hashed where somebody acted for somebody else.
    """

    id = models.BigAutoField(primary_key=True)
    # Three checks of one and the same row for each line written: see `core.audit.tenants`.
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
    at = models.DateTimeField()
    actor = models.TextField()
    on_behalf_of = models.TextField(null=True)  # noqa: DJ001 - absent, so that old hashes stand
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
        indexes = [
            models.Index(fields=["tenant", "table_name", "-id"], name="audit_of_table"),
            models.Index(fields=["tenant", "row_id", "-id"], name="audit_of_thing"),
            models.Index(
                fields=["tenant", "actor", "-at"],
                condition=models.Q(action="REFUSED"),
                name="audit_refused_by_actor",
            ),
        ]
        verbose_name_plural = "audit entries"

    def __str__(self) -> str:
        return f"{self.action} {self.table_name} {self.row_id}"


class AuditPending(models.Model):
    """An entry that waits for its link; gone once sealed. Visible means committed."""

    entry = models.OneToOneField(
        AuditEntry, on_delete=models.DO_NOTHING, primary_key=True, db_constraint=False
    )
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )

    class Meta:
        app_label = "core"

    def __str__(self) -> str:
        return str(self.pk)


class AuditLink(models.Model):
    """One link of a tenant's chain: sha256 over the previous hash and the entry's text."""

    id = models.BigAutoField(primary_key=True)
    tenant = models.ForeignKey(
        Tenant, on_delete=models.PROTECT, related_name="+", db_constraint=False, db_index=False
    )
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


class AuditVerification(TenantModel):
    """One verification of the chain: asked for, later carried out by a job.

    A stored verdict spares the page a recomputation. It proves nothing: proof is the recomputation
    itself, here or by the stand-alone verifier.
    """

    requested_at = models.DateTimeField()
    requested_by = models.CharField(max_length=80)
    finished_at = models.DateTimeField(null=True)
    links_count = models.BigIntegerField(default=0)
    head = models.CharField(max_length=64, blank=True)
    faults = models.JSONField(default=list)

    class Meta:
        app_label = "core"
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant"],
                condition=models.Q(finished_at=None),
                name="audit_verification_one_open",
            )
        ]

    def __str__(self) -> str:
        return f"{self.requested_at:%Y-%m-%d %H:%M} {self.links_count}"

    @property
    def is_intact(self) -> bool:
        """Return whether it was carried out and found no fault."""
        return self.finished_at is not None and not self.faults


class PersonalText(TenantModel):
    """A name that the trail recorded: entries hold `digest` only, sha256 over salt and text.

    Written by the audit trigger, removed by `core_erase_person`; the chain does not change then.
    """

    person = models.UUIDField()
    digest = models.CharField(max_length=80)
    salt = models.CharField(max_length=80)
    text = models.TextField()

    class Meta:
        app_label = "core"
        indexes = [
            models.Index(fields=["tenant", "digest"], name="personal_by_digest"),
            models.Index(fields=["tenant", "person"], name="personal_by_person"),
        ]

    def __str__(self) -> str:
        return self.digest
