"""Who looked at a request, and what must be looked at afterwards."""

from typing import ClassVar, Self

from django.conf import settings
from django.db import models
from django.db.models import Q

from approvals.constants import REASON_LENGTH_MAX
from approvals.models.requests import ApprovalRequest
from core.tenancy import TenantModel


class Viewing(TenantModel):
    """The first time that a person opened a request, which is one version of its subject."""

    request = models.ForeignKey(ApprovalRequest, on_delete=models.PROTECT, related_name="viewings")
    viewer = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.PROTECT, related_name="+")
    content_hash = models.CharField(max_length=64)
    viewed_at = models.DateTimeField()

    class Meta:
        ordering = ["viewed_at", "id"]
        constraints = [
            models.UniqueConstraint(
                fields=["tenant", "request", "viewer"], name="viewing_once_per_person"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.viewer} at {self.viewed_at:%Y-%m-%d %H:%M}"


class BreakGlassReviewQuerySet(models.QuerySet["BreakGlassReview"]):
    """Reviews, in the words of the desk."""

    def waiting(self) -> Self:
        """Return the reviews that nobody closed yet."""
        return self.filter(closed_at=None)


class BreakGlassReview(TenantModel):
    """What was approved over broken glass is looked at afterwards by somebody else.

    The database makes the row together with the approval; it stays until another person closes it.
    """

    request = models.OneToOneField(
        ApprovalRequest, on_delete=models.PROTECT, related_name="break_glass_review"
    )
    opened_at = models.DateTimeField()
    due_at = models.DateTimeField()
    closed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, on_delete=models.PROTECT, null=True, related_name="+"
    )
    closed_at = models.DateTimeField(null=True)
    findings = models.CharField(max_length=REASON_LENGTH_MAX, blank=True)

    objects: ClassVar[BreakGlassReviewQuerySet] = BreakGlassReviewQuerySet.as_manager()  # type: ignore[assignment]

    class Meta:
        ordering = ["due_at"]
        constraints = [
            models.CheckConstraint(
                name="break_glass_review_is_closed_in_full",
                condition=Q(closed_at=None, closed_by=None, findings="")
                | (Q(closed_at__isnull=False, closed_by__isnull=False) & ~Q(findings="")),
            ),
        ]

    def __str__(self) -> str:
        return f"Review of {self.request}"
