"""Files of proposals that a person uploads, looks at, and submits as a whole."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.tenancy import TenantModel
from treasury.models.movement import Proposal


class UploadFormat(models.TextChoices):
    """How the file is written."""

    CSV = "CSV", "CSV"
    XLSX = "XLSX", "Excel workbook"
    PAIN001 = "PAIN001", "pain.001"


class ProposalUpload(TenantModel):
    """One file of proposals. The same bytes of the same person are one upload, for ever.

    `findings` are errors and warnings by row, `totals` the sums per account and currency.
    """

    name = models.CharField(max_length=200)
    sha256 = models.CharField(max_length=64)
    size_bytes = models.PositiveIntegerField()
    format = models.CharField(max_length=7, choices=UploadFormat)
    body = models.BinaryField()
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    uploaded_at = models.DateTimeField()
    checked_at = models.DateTimeField()
    rows_count = models.PositiveIntegerField(default=0)
    errors_count = models.PositiveIntegerField(default=0)
    findings = models.JSONField(default=list)
    totals = models.JSONField(default=list)
    queued_at = models.DateTimeField(null=True)
    made_count = models.PositiveIntegerField(default=0)
    problem = models.TextField(blank=True, help_text="Why nothing of it was proposed.")
    submitted_at = models.DateTimeField(null=True)
    discarded_at = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "maker", "sha256"], name="upload_once_per_maker"
            ),
            models.UniqueConstraint(
                fields=["tenant", "sha256"],
                condition=Q(submitted_at__isnull=False),
                name="upload_submitted_once",
            ),
            models.CheckConstraint(
                name="upload_submitted_has_no_errors",
                condition=Q(submitted_at__isnull=True) | Q(errors_count=0, rows_count__gt=0),
            ),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def stands(self) -> str:
        """Return where it stands, in words."""
        if self.submitted_at is not None:
            return "submitted"
        if self.discarded_at is not None:
            return "discarded"
        if self.errors_count or not self.rows_count:
            return "has errors"
        if self.problem:
            return "refused"
        return "being submitted" if self.queued_at is not None else "ready"


class UploadedProposal(TenantModel):
    """Which proposal came of which row."""

    upload = models.ForeignKey(ProposalUpload, on_delete=models.PROTECT, related_name="made")
    row_number = models.PositiveIntegerField()
    proposal = models.OneToOneField(Proposal, on_delete=models.PROTECT, related_name="upload_row")

    class Meta:
        ordering = ["row_number"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "upload", "row_number"], name="upload_row")
        ]

    def __str__(self) -> str:
        return f"{self.upload} row {self.row_number}"
