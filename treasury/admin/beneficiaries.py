"""Beneficiaries in the admin: looked at, verified and blocked; written on the desk and the API."""

from typing import Any
from uuid import UUID

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.urls import reverse
from simple_history.admin import SimpleHistoryAdmin
from unfold.decorators import action, display

from core.api.actor import actor
from core.confirming import confirmed
from treasury.admin.movement import ReadOnly
from treasury.models import Beneficiary, BeneficiaryState
from treasury.selectors import beneficiaries as reads
from treasury.services import beneficiaries

_LABELS = {BeneficiaryState.ACTIVE: "success", BeneficiaryState.BLOCKED: "danger"}


@admin.register(Beneficiary)
class BeneficiaryAdmin(SimpleHistoryAdmin, ReadOnly):
    """Whom we may pay; the number itself stays hidden."""

    list_display = (
        "name", "currency", "bank_bic", "number_hint", "town", "country", "shown_state",
        "is_verified", "is_typed_in", "changed_by", "changed_at",
    )  # fmt: skip
    list_filter = ("state", "is_verified", "is_typed_in", "currency", "country")
    search_fields = ("name", "bank_bic", "number_hint", "town")
    exclude = ("number", "number_index")
    list_select_related = ("changed_by",)
    actions_detail = ("verify_it", "block_it", "unblock_it")

    @display(description="state", label=_LABELS)
    def shown_state(self, beneficiary: Beneficiary) -> str:
        """Show the state as a coloured label."""
        return beneficiary.state

    def get_queryset(self, request: HttpRequest) -> QuerySet[Beneficiary]:
        """Return the tenant's beneficiaries."""
        return reads.beneficiaries()

    @action(description="Verified by a call", url_path="verify")
    @confirmed(
        "You state that you called the beneficiary on a known number and heard these bank details."
    )
    def verify_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Record the second person's call."""
        return self._done(request, object_id, "Verified.", beneficiaries.verify_beneficiary)

    @action(description="Block", url_path="block")
    @confirmed("Nothing can be paid to it any more.")
    def block_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Stop all payments to it."""
        return self._done(request, object_id, "Blocked.", beneficiaries.block_beneficiary)

    @action(description="Unblock", url_path="unblock")
    @confirmed("It can be paid again, after verification and the cool-off.")
    def unblock_it(self, request: HttpRequest, object_id: str) -> HttpResponseRedirect:
        """Let it be paid again after verification and cool-off."""
        return self._done(request, object_id, "Unblocked.", beneficiaries.unblock_beneficiary)

    def _done(
        self, request: HttpRequest, object_id: str, words: str, service: Any
    ) -> HttpResponseRedirect:
        self._press(
            request, words, lambda: service(beneficiary_id=UUID(object_id), actor=actor(request))
        )
        return HttpResponseRedirect(reverse("admin:treasury_beneficiary_change", args=[object_id]))
