"""Files of deals as they came in, and which draft each row became."""

from django.conf import settings
from django.db import models
from django.db.models import Q

from core.tenancy import TenantModel
from fx.models.deals import Deal


class DealFile(TenantModel):
    """A file whose rows all became drafts; never changed."""

    name = models.CharField(max_length=120)
    sha256 = models.CharField(max_length=64)
    rows_count = models.PositiveIntegerField()
    maker = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    received_at = models.DateTimeField()

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["tenant", "sha256"], name="deal_file_once"),
            models.CheckConstraint(
                name="deal_file_digest_form", condition=Q(sha256__regex=r"^[0-9a-f]{64}$")
            ),
        ]

    def __str__(self) -> str:
        return self.name


class DealFileRow(TenantModel):
    """Which row of a file a deal was captured from; never changed."""

    file = models.ForeignKey(DealFile, on_delete=models.PROTECT, related_name="rows")
    row_number = models.PositiveIntegerField()
    deal = models.OneToOneField(Deal, on_delete=models.PROTECT, related_name="file_row")

    class Meta:
        ordering = ["file", "row_number"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "file", "row_number"], name="deal_file_row_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.file} row {self.row_number}"
