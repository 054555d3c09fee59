"""Sessions, access reviews and the report of duties in the admin."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils.decorators import method_decorator
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe
from unfold.decorators import action, display
from unfold.forms import ActionForm
from unfold.widgets import UnfoldAdminTextInputWidget

from core.admin import ReadOnlyAdmin
from core.api.actor import actor
from core.audit.refusals import refuse
from core.errors import DomainError
from core.identity import reviews
from core.identity.duties import present_conflicts
from core.identity.reviews import WORDS_CHARS_MAX, AccessReview, AccessReviewItem, Verdict
from core.identity.roles import TENANT_ADMIN
from core.identity.sessions import PersonSession, end_session
from core.identity.tokens import TokenFamily


class ReviewForm(ActionForm):
    """The verdict comes with the reviewer's own words."""

    words = forms.CharField(
        label="In your words",
        max_length=WORDS_CHARS_MAX,
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "Needed to remove"}),
    )


@admin.register(PersonSession)
class PersonSessionAdmin(ReadOnlyAdmin):
    """Who is signed in where; ending a session takes effect with its next request."""

    list_display = ("user", "device", "second_factor", "ip", "created_at", "seen_at", "ended_at")
    list_filter = ("second_factor", "user")
    list_select_related = ("user",)
    exclude = ("key_digest",)
    actions = ("end",)

    @display(description="device")
    def device(self, session: PersonSession) -> str:
        """Name browser and system."""
        return session.device

    def has_end_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller administers people."""
        return actor(request).has_role(TENANT_ADMIN)

    @action(description="End", permissions=["end"])
    def end(self, request: HttpRequest, queryset: QuerySet[PersonSession]) -> None:
        """End the chosen sessions."""
        for session in queryset.filter(ended_at=None):
            end_session(session=session.pk, actor=actor(request))
        messages.success(request, "Ended: their next request is refused.")


@admin.register(AccessReview)
class AccessReviewAdmin(ReadOnlyAdmin):
    """The quarterly reviews; one closes when everything in it was decided and carried out."""

    list_display = ("quarter", "opened_at", "closed_at", "open_items")
    actions = ("close",)
    actions_list = ("report",)

    @display(description="still open")
    def open_items(self, review: AccessReview) -> int:
        """Count what keeps the review open."""
        return 0 if review.closed_at else len(reviews.still_open(review=review))

    def get_urls(self) -> list[URLPattern]:
        """Add the report of conflicts."""
        report = path(
            "conflicts/",
            self.admin_site.admin_view(self.conflicts),
            name="core_accessreview_conflicts",
        )
        return [report, *super().get_urls()]

    @method_decorator(require_safe)
    def conflicts(self, request: HttpRequest) -> HttpResponse:
        """List every person who holds two roles that must be in two hands."""
        context = {
            **self.admin_site.each_context(request),
            "title": "Conflicts of duties",
            "conflicts": present_conflicts(),
        }
        return render(request, "admin/core/conflicts.html", context)

    @action(description="Conflicts of duties")
    @method_decorator(require_safe)
    def report(self, request: HttpRequest) -> HttpResponse:
        """Lead to the report."""
        return redirect("admin:core_accessreview_conflicts")

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller may review."""
        return actor(request).has_role(*reviews.REVIEWERS)

    @action(description="Close", permissions=["review"])
    def close(self, request: HttpRequest, queryset: QuerySet[AccessReview]) -> None:
        """Close the chosen reviews."""
        for review in queryset:
            try:
                reviews.close_review(review=review.pk, reviewer=actor(request))
            except DomainError as refusal:
                messages.error(request, f"{review}: {refusal.message}")
                refuse(request, refusal)
            else:
                messages.success(request, f"{review} is closed.")


@admin.register(AccessReviewItem)
class AccessReviewItemAdmin(ReadOnlyAdmin):
    """Who may do what, to be kept or removed by somebody else."""

    list_display = (
        "user", "review", "shown_roles", "last_sign_in", "verdict", "words", "decided_by",
        "decided_at", "carried_out",
    )  # fmt: skip
    list_filter = ("review", "verdict")
    list_select_related = ("user", "review", "decided_by")
    action_form = ReviewForm
    actions = ("keep", "remove")

    def get_queryset(self, request: HttpRequest) -> QuerySet[AccessReviewItem]:
        """Return the items with what their people may do now."""
        return AccessReviewItem.objects.prefetch_related("user__groups")

    @display(description="carried out")
    def carried_out(self, item: AccessReviewItem) -> SafeString | str:
        """Lead to the person's roles until what was to be removed is."""
        if item.verdict != Verdict.REMOVE:
            return "–"
        if not item.still_holds():
            return "yes"
        page = reverse("admin:core_user_change", args=[item.user_id])
        return format_html('<a href="{}">Take the roles of {}</a>', page, item.user.display_name)

    @display(description="roles")
    def shown_roles(self, item: AccessReviewItem) -> str:
        """Show the roles as they were when the review was opened."""
        return ", ".join(item.roles)

    def has_review_permission(self, request: HttpRequest) -> bool:
        """Return whether the caller may review."""
        return actor(request).has_role(*reviews.REVIEWERS)

    @action(description="Keep", permissions=["review"])
    def keep(self, request: HttpRequest, queryset: QuerySet[AccessReviewItem]) -> None:
        """Keep the chosen people's access."""
        self._decide(request, queryset, Verdict.KEEP)

    @action(description="Remove", permissions=["review"])
    def remove(self, request: HttpRequest, queryset: QuerySet[AccessReviewItem]) -> None:
        """Ask for the removal of the chosen people's access."""
        self._decide(request, queryset, Verdict.REMOVE)

    def _decide(self, request: HttpRequest, queryset: Any, verdict: Verdict) -> None:
        reviewer = actor(request)
        words = request.POST.get("words", "")
        for item in queryset:
            try:
                reviews.decide_item(item=item.pk, verdict=verdict, words=words, reviewer=reviewer)
            except DomainError as refusal:
                messages.error(request, f"{item.user}: {refusal.message}")
                refuse(request, refusal)
            else:
                messages.success(request, f"{item.user}: {verdict.label}.")


@admin.register(TokenFamily)
class TokenFamilyAdmin(ReadOnlyAdmin):
    """Which machines hold tokens; a family is revoked when a spent token comes back."""

    list_display = ("user", "created_at", "expires_at", "revoked_at", "revoked_because")
    list_filter = ("revoked_because", "user")
    list_select_related = ("user",)
    exclude = ("current",)
