"""Files of proposals on the desk: upload, look, submit as a whole."""

import csv
from typing import Final
from uuid import UUID

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.errors import DomainError, Forbidden, Invalid
from treasury.models import ProposalUpload
from treasury.selectors import uploads as reads
from treasury.services import proposals, uploading
from treasury.uploads.records import COLUMNS, ROWS_MAX

LISTED_MAX: Final = 20
EXAMPLE: Final = ("1000000002", "1000000001", "1250.00", "INR", "Payouts of tomorrow", "")


@require_http_methods(["GET", "POST"])
@login_required
def uploads(request: HttpRequest) -> HttpResponse:
    """Take a file of proposals, or show what was uploaded."""
    person = actor(request)
    if not person.has_role(*proposals.MAKERS):
        raise Forbidden("Making proposals takes the role treasury_maker.")
    if request.method == "POST":
        try:
            given = _file(request)
            kept = uploading.upload_file(name=given.name or "", data=given.read(), maker=person)
        except DomainError as refusal:
            tell(request, refusal)
            return redirect("treasury:uploads")
        return redirect("treasury:upload", upload_id=kept.pk)
    context = {
        "rows": reads.uploads()[:LISTED_MAX],
        "columns": COLUMNS,
        "rows_max": ROWS_MAX,
        "bytes_max": uploading.FILE_BYTES_MAX // 1_000_000,
    }
    return render(request, "treasury/uploads.html", context)


def _file(request: HttpRequest) -> "UploadedFile[bytes]":
    """Return the uploaded file, read only when it is not too large."""
    given = request.FILES.get("file")
    if not isinstance(given, UploadedFile):
        raise Invalid("Choose a file.", field="file")
    if (given.size or 0) > uploading.FILE_BYTES_MAX:
        raise Invalid(f"A file has at most {uploading.FILE_BYTES_MAX:,} bytes.", field="file")
    return given


@require_safe
@login_required
def upload(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Show one upload: totals, every problem by row, progress, and what came of it."""
    found = reads.upload(upload_id)
    context = {
        "upload": found,
        "is_mine": found.maker_id == actor(request).pk,
        "made": found.made.select_related("proposal").order_by("row_number")[:ROWS_MAX]
        if found.submitted_at
        else (),
    }
    whole = request.headers.get("HX-Request") != "true"
    page = "treasury/upload.html" if whole else "treasury/upload_body.html"
    return render(request, page, context)


@require_POST
@login_required
def submit(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Submit all rows of one's own upload."""
    try:
        done: ProposalUpload = uploading.submit_upload(upload_id=upload_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        words = "wait for their checkers" if done.submitted_at else "are being submitted"
        messages.success(request, f"{done.rows_count} proposals {words}.")
    return redirect("treasury:upload", upload_id=upload_id)


@require_POST
@login_required
def discard(request: HttpRequest, upload_id: UUID) -> HttpResponse:
    """Give one's own upload up."""
    try:
        uploading.discard_upload(upload_id=upload_id, actor=actor(request))
    except DomainError as refusal:
        tell(request, refusal)
    else:
        messages.success(request, "The upload is discarded; nothing of it was proposed.")
    return redirect("treasury:uploads")


@require_safe
@login_required
def template(_request: HttpRequest) -> HttpResponse:
    """Hand out a file with the columns and one example row."""
    answer = HttpResponse(content_type="text/csv; charset=utf-8")
    answer["Content-Disposition"] = 'attachment; filename="proposals.csv"'
    out = csv.writer(answer)
    out.writerow(COLUMNS)
    out.writerow(EXAMPLE)
    return answer
