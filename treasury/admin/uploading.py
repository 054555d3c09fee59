"""Files of proposals in the admin: a window; they are submitted on the desk."""

from typing import Any

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.admin import TabularInline
from unfold.decorators import display

from treasury.admin.movement import ReadOnly
from treasury.models import ProposalUpload, UploadedProposal
from treasury.selectors import uploads as reads


class MadeInline(TabularInline):
    """Which proposal came of which row."""

    model = UploadedProposal
    extra = 0
    can_delete = False
    fields = ("row_number", "proposal")
    readonly_fields = fields

    def has_add_permission(self, request: HttpRequest, *_args: Any) -> bool:
        """Refuse."""
        return False


@admin.register(ProposalUpload)
class ProposalUploadAdmin(ReadOnly):
    """Files of proposals and what became of them."""

    list_display = (
        "name", "format", "maker", "uploaded_at", "rows_count", "errors_count", "shown_state",
    )  # fmt: skip
    list_filter = ("format",)
    search_fields = ("name", "sha256")
    date_hierarchy = "uploaded_at"
    exclude = ("body",)
    inlines = (MadeInline,)

    @display(description="stands")
    def shown_state(self, upload: ProposalUpload) -> str:
        """Show where it stands, in words."""
        return upload.stands

    def get_queryset(self, request: HttpRequest) -> QuerySet[ProposalUpload]:
        """Return the tenant's uploads."""
        return reads.uploads()
