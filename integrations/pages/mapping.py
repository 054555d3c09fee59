"""Draw the mapping: a sample goes in, its first rows come out as entries, two people decide."""

import base64
import binascii
from dataclasses import dataclass
from typing import Any, Final
from uuid import UUID

from django.contrib import messages as notices
from django.contrib.auth.decorators import login_required
from django.core.files.uploadedfile import UploadedFile
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import redirect, render
from django.views.decorators.http import require_http_methods, require_safe

from core.api.actor import actor
from core.audit.refusals import tell
from core.changes.models import ChangeRequest
from core.errors import DomainError, Forbidden, Invalid
from integrations import selectors
from integrations.codecs.errors import UnreadableMessage
from integrations.dialects.sheet import DECIMAL_MARKS, DELIMITERS, Column, RowOrder, SignRule
from integrations.services import mapping

_LABELS: Final = {
    Column.BOOKED: "Booking date",
    Column.VALUE: "Value date",
    Column.AMOUNT: "Amount",
    Column.DEBIT: "Money out",
    Column.CREDIT: "Money in",
    Column.SIDE: "Side (in or out)",
    Column.BALANCE: "Balance after it",
    Column.CURRENCY: "Currency",
    Column.ACCOUNT: "Account",
    Column.REFERENCE: "Bank's reference",
    Column.END_TO_END: "End-to-end reference",
    Column.COUNTERPARTY: "Other side's name",
    Column.COUNTERPARTY_ACCOUNT: "Other side's account",
    Column.CODE: "Kind of transaction",
}
_WORDS: Final = ("sheet", "dates", "account", "currency")
_LISTS: Final = ("credit_words", "debit_words", "footers")
_CHOICES: Final = {
    "delimiter": ("Between the cells", tuple(DELIMITERS)),
    "decimal_mark": ("Decimal mark", tuple(DECIMAL_MARKS)),
    "sign": ("Sign of the amount", tuple(str(one) for one in SignRule)),
    "order": ("Order of the rows", tuple(str(one) for one in RowOrder)),
}
NAME_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sample:
    """A sample and where it came from."""

    data: bytes
    name: str
    connection: str

    @property
    def text(self) -> str:
        """Return it as the form carries it from step to step."""
        return base64.b64encode(self.data).decode("ascii")


@login_required
@require_http_methods(["GET", "POST"])
def draw(request: HttpRequest) -> HttpResponse:
    """Ask for a sample; show what a mapping makes of it; propose the mapping."""
    _require_keeper(request)
    if request.method != "POST":
        return _page(request, {})
    try:
        sample = _posted_sample(request)
        if "sheet-shown" not in request.POST:
            return _first_draft(request, sample)
        sheet = _posted_sheet(request.POST)
        if "propose" in request.POST:
            return _propose(request, sample, sheet)
        return _show(request, sample, sheet, request.POST.getlist("heading"))
    except DomainError as refusal:
        tell(request, refusal)
        return _page(request, {})


@login_required
@require_safe
def draw_from_message(request: HttpRequest, message_id: UUID) -> HttpResponse:
    """Start from a message of the bank that could not be read."""
    _require_keeper(request)
    message = selectors.message(message_id)
    sample = _Sample(
        data=selectors.message_bytes(message.pk),
        name=message.name,
        connection=message.connection.code,
    )
    try:
        return _first_draft(request, sample)
    except DomainError as refusal:
        tell(request, refusal)
        return _page(request, {})


def _require_keeper(request: HttpRequest) -> None:
    if not actor(request).has_role(*mapping.ROLES_FOR_MAPPING):
        raise Forbidden("Your roles do not allow changing how a bank is read.")


def _posted_sample(request: HttpRequest) -> _Sample:
    """Return the sample that was uploaded, or that the form carried along.

    Raises:
        Invalid: there is none, it is too large, or it was damaged on the way.
    """
    upload = request.FILES.get("file")
    if isinstance(upload, UploadedFile):
        data, name = upload.read(mapping.SAMPLE_BYTES_MAX + 1), str(upload.name or "sample")
    else:
        name = request.POST.get("sample-name", "sample")
        try:
            data = base64.b64decode(request.POST.get("sample", ""), validate=True)
        except (binascii.Error, ValueError) as error:
            raise Invalid("The sample was damaged; choose it again.", field="file") from error
    if not data:
        raise Invalid("Choose a sample of the bank's file.", field="file")
    connection = request.POST.get("connection", "")
    return _Sample(data=data, name=name[:NAME_CHARS_MAX], connection=connection)


def _first_draft(request: HttpRequest, sample: _Sample) -> HttpResponse:
    if len(sample.data) > mapping.SAMPLE_BYTES_MAX:
        limit = mapping.SAMPLE_BYTES_MAX // 1024
        raise Invalid(f"A sample has up to {limit} KB; keep its first rows.", field="file")
    try:
        guess = mapping.draft_mapping(sample=sample.data, connection_code=sample.connection)
    except UnreadableMessage as refusal:
        raise Invalid(refusal.message, field="file") from refusal
    return _show(request, sample, guess.sheet, guess.headings)


def _posted_sheet(posted: QueryDict) -> dict[str, Any]:
    """Return the mapping that the form describes, as a profile writes it."""
    columns: dict[str, Any] = {
        str(column): posted.get(f"column-{column}", "")
        for column in _LABELS
        if posted.get(f"column-{column}", "")
    }
    text = [name for name in posted.getlist("column-text") if name]
    if text:
        columns[str(Column.TEXT)] = text
    sheet: dict[str, Any] = {"columns": columns}
    for name in (*_WORDS, *_CHOICES):
        word = str(posted.get(name, "")).strip()
        if word:
            sheet[name] = word
    for name in _LISTS:
        words = [word.strip() for word in posted.get(name, "").split(",") if word.strip()]
        if words:
            sheet[name] = words
    return sheet


def _propose(request: HttpRequest, sample: _Sample, sheet: dict[str, Any]) -> HttpResponse:
    trial = mapping.try_mapping(sample=sample.data, connection_code=sample.connection, sheet=sheet)
    if trial.problem:
        notices.error(request, trial.problem)
        return _show(request, sample, sheet, request.POST.getlist("heading"))
    try:
        made = mapping.propose_mapping(
            connection_code=sample.connection,
            sheet=sheet,
            maker=actor(request),
            reason=request.POST.get("reason", ""),
        )
    except DomainError as refusal:
        tell(request, refusal)
        return _show(request, sample, sheet, request.POST.getlist("heading"))
    if isinstance(made, ChangeRequest):
        notices.success(request, f"Your change waits for another person: {made.title}.")
    else:
        notices.success(request, f"{made.code} reads spreadsheets like this from now on.")
    return redirect("integrations:quarantine")


def _show(
    request: HttpRequest, sample: _Sample, sheet: dict[str, Any], headings: Any
) -> HttpResponse:
    trial = mapping.try_mapping(sample=sample.data, connection_code=sample.connection, sheet=sheet)
    columns = sheet.get("columns", {})
    context = {
        "sample": sample,
        "headings": headings,
        "columns": [
            (str(column), label, columns.get(str(column), "")) for column, label in _LABELS.items()
        ],
        "texts": columns.get(str(Column.TEXT), []),
        "choices": [
            (name, label, options, sheet.get(name, ""))
            for name, (label, options) in _CHOICES.items()
        ],
        "sheet": sheet | {name: ", ".join(sheet.get(name, [])) for name in _LISTS},
        "trial": trial,
    }
    return _page(request, context)


def _page(request: HttpRequest, context: dict[str, Any]) -> HttpResponse:
    lines = [one for one in selectors.connections() if one.is_active]
    asked = request.GET.get("connection", "")
    shown = {"connections": lines, "asked": asked, "reason": request.POST.get("reason", "")}
    return render(request, "integrations/mapping.html", shown | context)
