"""Reads of uploaded files of proposals: everybody sees them, only their maker submits."""

from uuid import UUID

from django.db.models import QuerySet

from core.errors import NotFound
from treasury.models import ProposalUpload


def uploads() -> QuerySet[ProposalUpload]:
    """Return all uploads without their bytes, newest first."""
    return ProposalUpload.objects.select_related("maker").defer("body")


def upload(upload_id: UUID) -> ProposalUpload:
    """Return one upload.

    Raises:
        NotFound: no such upload.
    """
    found = uploads().filter(pk=upload_id).first()
    if found is None:
        raise NotFound("There is no such upload.", field="upload")
    return found
