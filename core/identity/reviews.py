"""The quarterly access review: somebody else looks at what each person may do, and says so."""

from datetime import datetime
from typing import Final
from uuid import UUID

from django.db import models
from django.db.models import Q

from core import clock
from core.errors import DomainError, Forbidden, Invalid, NotFound
from core.identity import roles as names
from core.identity.models import User
from core.tenancy.models import TenantModel

REVIEWERS: Final = (names.TENANT_ADMIN, names.TREASURY_MANAGER, names.RISK_OFFICER)
WORDS_CHARS_MIN: Final = 5
WORDS_CHARS_MAX: Final = 500


class Verdict(models.TextChoices):
    """What the reviewer found."""

    OPEN = "", "open"
    KEEP = "KEEP", "keep"
    REMOVE = "REMOVE", "remove"


class AccessReview(TenantModel):
    """The review of one quarter."""

    quarter = models.CharField(max_length=6, help_text="Like 2026Q4.")
    opened_at = models.DateTimeField()
    closed_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "core"
        ordering = ["-quarter"]
        constraints = [
            models.UniqueConstraint(name="access_review_quarter", fields=["tenant", "quarter"]),
            models.CheckConstraint(
                name="access_review_quarter_is_one", condition=Q(quarter__regex=r"^\d{4}Q[1-4]$")
            ),
        ]

    def __str__(self) -> str:
        return f"Access review {self.quarter}"


class AccessReviewItem(TenantModel):
    """One login as it was when the review was opened, and what the reviewer said."""

    review = models.ForeignKey(AccessReview, on_delete=models.PROTECT, related_name="items")
    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="+")
    person_number = models.CharField(max_length=40)
    roles = models.JSONField(default=list)
    last_sign_in = models.DateTimeField(null=True)
    verdict = models.CharField(
        max_length=6, choices=Verdict.choices, default=Verdict.OPEN, blank=True
    )
    words = models.TextField(blank=True)
    decided_by = models.ForeignKey(User, null=True, on_delete=models.PROTECT, related_name="+")
    decided_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "core"
        ordering = ["review", "person_number"]
        constraints = [
            models.UniqueConstraint(
                name="access_review_item_once", fields=["tenant", "review", "user"]
            ),
            models.CheckConstraint(
                name="access_review_item_decided_whole",
                condition=Q(verdict="", decided_by=None, decided_at=None)
                | Q(~Q(verdict=""), decided_by__isnull=False, decided_at__isnull=False),
            ),
            models.CheckConstraint(
                name="access_review_not_by_oneself",
                condition=Q(decided_by=None) | ~Q(decided_by=models.F("user")),
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user}, {self.review.quarter}"

    def still_holds(self) -> bool:
        """Return whether the person holds a role now that they were reviewed for."""
        held = {group.name for group in self.user.groups.all()} if self.user.is_active else set()
        return bool(held & set(self.roles))


class ReviewClosed(DomainError):
    """The item was decided or the review was closed."""

    code = "review_closed"


def quarter_of(at: datetime) -> str:
    """Return the quarter of an instant, like 2026Q4."""
    return f"{at.year}Q{(at.month - 1) // 3 + 1}"


def open_review() -> AccessReview | None:
    """Open the present quarter's review of everybody active; None when it was opened before."""
    now = clock.now()
    review, is_new = AccessReview.objects.get_or_create(
        quarter=quarter_of(now), defaults={"opened_at": now}
    )
    if not is_new:
        return None
    people = User.objects.filter(is_active=True).prefetch_related("groups")
    AccessReviewItem.objects.bulk_create(
        AccessReviewItem(
            review=review,
            user=user,
            person_number=user.person_number,
            roles=sorted(group.name for group in user.groups.all()),
            last_sign_in=user.last_login,
        )
        for user in people
    )
    return review


def decide_item(*, item: UUID, verdict: Verdict, words: str, reviewer: User) -> AccessReviewItem:
    """Say whether a person keeps what they may do.

    Raises:
        Forbidden: the reviewer may not review, or is the reviewed person.
        Invalid: no verdict, too many words, or a removal without any.
        NotFound: there is no such item.
        ReviewClosed: it was decided before.
    """
    if not reviewer.has_role(*REVIEWERS):
        raise Forbidden("Your roles do not allow to review access.")
    if verdict not in (Verdict.KEEP, Verdict.REMOVE):
        raise Invalid("Keep or remove?", field="verdict")
    if len(words) > WORDS_CHARS_MAX:
        raise Invalid(f"{WORDS_CHARS_MAX} characters at most.", field="words")
    if verdict == Verdict.REMOVE and len(words.strip()) < WORDS_CHARS_MIN:
        raise Invalid("Say why it is to be removed.", field="words")
    row = AccessReviewItem.objects.select_for_update().filter(pk=item).first()
    if row is None:
        raise NotFound("There is no such item.")
    if row.person_number == reviewer.person_number:
        raise Forbidden("Somebody else reviews your access.")
    if row.verdict or row.review.closed_at:
        raise ReviewClosed("This was decided before.")
    row.verdict, row.words = verdict.value, words.strip()
    row.decided_by, row.decided_at = reviewer, clock.now()
    row.save(update_fields=["verdict", "words", "decided_by", "decided_at"])
    return row


def still_open(*, review: AccessReview) -> list[AccessReviewItem]:
    """Return what keeps the review open: undecided items, and removals not carried out."""
    items = review.items.select_related("user").prefetch_related("user__groups")
    return [item for item in items if not item.verdict or _is_undone(item)]


def _is_undone(item: AccessReviewItem) -> bool:
    return item.verdict == Verdict.REMOVE and item.still_holds()


def close_review(*, review: UUID, reviewer: User) -> AccessReview:
    """Close a review of which everything was decided and carried out.

    Raises:
        Forbidden: the reviewer may not review.
        NotFound: there is no such review.
        ReviewClosed: it was closed before, or something is still open.
    """
    if not reviewer.has_role(*REVIEWERS):
        raise Forbidden("Your roles do not allow to review access.")
    row = AccessReview.objects.select_for_update().filter(pk=review).first()
    if row is None:
        raise NotFound("There is no such review.")
    waiting = still_open(review=row)
    if row.closed_at or waiting:
        raise ReviewClosed(f"{len(waiting)} items are still open.", count=len(waiting))
    row.closed_at = clock.now()
    row.save(update_fields=["closed_at"])
    return row
