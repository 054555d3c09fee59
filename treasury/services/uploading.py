"""Proposals from a file: read, looked at, submitted as a whole or not at all.

Every row becomes a proposal of its own with an approval request of its own: the rules see each
amount, each payee and, where they count payments of a day together, their sum. A request for the
whole file would make one decision out of many payees, and would let small rows hide behind it.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import IntegrityError, transaction

from core import clock
from core.errors import DomainError, Forbidden, Invalid, NotFound
from core.identity.models import User
from core.tenancy import bound
from integrations.codecs.errors import UnreadableMessage
from treasury.errors import UploadRefused
from treasury.models import (
    ProposalState,
    ProposalUpload,
    UploadedProposal,
    UploadFormat,
)
from treasury.services import controls, proposals
from treasury.services.upload_rows import checked_rows
from treasury.uploads.orders import read_pain001
from treasury.uploads.records import Row, RowFinding
from treasury.uploads.sheets import read_csv, read_xlsx

FILE_BYTES_MAX: Final = 5_000_000
FINDINGS_MAX: Final = 200
INLINE_ROWS_MAX: Final = 25
CHUNK_ROWS: Final = 50
_READERS: Final[dict[UploadFormat, Callable[[bytes], list[Row]]]] = {
    UploadFormat.CSV: read_csv,
    UploadFormat.XLSX: read_xlsx,
    UploadFormat.PAIN001: read_pain001,
}
_CHECKED: Final = ["checked_at", "rows_count", "errors_count", "findings", "totals", "problem"]


@transaction.atomic
def upload_file(*, name: str, data: bytes, maker: User) -> ProposalUpload:
    """Keep a file and check every row; the same bytes again are the same upload, checked anew.

    Raises:
        Forbidden: this person may not make proposals.
        Invalid: empty, or too large.
    """
    if maker.is_service or not maker.has_role(*proposals.MAKERS):
        raise Forbidden("Making proposals takes a person with the role treasury_maker.")
    if not 0 < len(data) <= FILE_BYTES_MAX:
        raise Invalid(f"A file has between 1 and {FILE_BYTES_MAX:,} bytes.", field="file")
    now = clock.now()
    made = ProposalUpload(
        name=_printable(name),
        sha256=hashlib.sha256(data).hexdigest(),
        size_bytes=len(data),
        format=format_of(data),
        body=data,
        maker=maker,
        uploaded_at=now,
        checked_at=now,
    )
    ProposalUpload.objects.bulk_create([made], ignore_conflicts=True)
    kept = ProposalUpload.objects.select_for_update().get(maker=maker, sha256=made.sha256)
    if kept.submitted_at is None and kept.queued_at is None:
        _check(kept)
    return kept


def format_of(data: bytes) -> UploadFormat:
    """Return how a file is written, told by its first bytes."""
    if data.startswith(b"PK\x03\x04"):
        return UploadFormat.XLSX
    start = data[:64].removeprefix(b"\xef\xbb\xbf").lstrip()
    return UploadFormat.PAIN001 if start.startswith(b"<") else UploadFormat.CSV


def _printable(name: str) -> str:
    return "".join(one for one in name if one.isprintable())[:200] or "upload"


def _check(upload: ProposalUpload) -> None:
    """Read the file and note every problem by row, the totals, and what looks like a twin."""
    findings: list[RowFinding] = []
    totals: dict[tuple[str, str], list[Decimal]] = defaultdict(list)
    rows = _read(upload, findings)
    if _submitted_by_another(upload):
        words = "Somebody submitted a file with exactly these bytes."
        findings.append(RowFinding(row=0, field="file", message=words))
    for checked in checked_rows(rows=rows, findings=findings):
        totals[checked.account_label, checked.draft_currency].append(checked.draft.amount)
    upload.rows_count = len(rows)
    upload.errors_count = sum(one.is_error for one in findings)
    upload.findings = [
        {"row": one.row, "field": one.field, "message": one.message, "error": one.is_error}
        for one in sorted(findings, key=lambda one: (not one.is_error, one.row))[:FINDINGS_MAX]
    ]
    upload.totals = [
        {"account": label, "currency": currency, "count": len(all_), "amount": f"{sum(all_):f}"}
        for (label, currency), all_ in sorted(totals.items())
    ]
    upload.checked_at, upload.problem = clock.now(), ""
    upload.save(update_fields=_CHECKED)


def _read(upload: ProposalUpload, findings: list[RowFinding]) -> list[Row]:
    try:
        return _READERS[UploadFormat(upload.format)](bytes(upload.body))
    except (Invalid, UnreadableMessage) as refusal:
        where = getattr(refusal, "locator", "")
        words = f"{refusal.message} ({where})" if where else refusal.message
        findings.append(RowFinding(row=0, field="file", message=words))
        return []


def _submitted_by_another(upload: ProposalUpload) -> bool:
    same = ProposalUpload.objects.filter(sha256=upload.sha256, submitted_at__isnull=False)
    return same.exclude(pk=upload.pk).exists()


@transaction.atomic
def submit_upload(*, upload_id: UUID, actor: User) -> ProposalUpload:
    """Propose and submit all rows of one's own upload: small files at once, large ones soon.

    Raises:
        NotFound: no such upload of this person.
        UploadRefused: it has errors, or was submitted or discarded before.
        LimitExceeded, PreflightFailed …: what a single proposal would be refused for.
    """
    held = _locked(upload_id, actor)
    if held.submitted_at is not None:
        return held
    if held.discarded_at is not None or held.errors_count or not held.rows_count:
        raise UploadRefused(f"It {held.stands}: correct the file and upload it again.")
    held.queued_at, held.problem = clock.now(), ""
    held.save(update_fields=["queued_at", "problem"])
    if held.rows_count <= INLINE_ROWS_MAX:
        _make_drafts(held, limit=INLINE_ROWS_MAX)
        _submit_all(held)
    return held


@transaction.atomic
def discard_upload(*, upload_id: UUID, actor: User) -> ProposalUpload:
    """Give an upload up that was not submitted; drafts that were made of it are closed.

    Raises:
        NotFound: no such upload of this person.
        UploadRefused: it was submitted.
    """
    held = _locked(upload_id, actor)
    if held.submitted_at is not None:
        raise UploadRefused("It was submitted: withdraw its proposals one by one.")
    for made in held.made.select_related("proposal"):
        if made.proposal.state == ProposalState.DRAFT:
            reason = f"The upload {held.name} was discarded."
            proposals.close_proposal(proposal_id=made.proposal_id, outcome="cancel", reason=reason)
    held.discarded_at, held.queued_at = held.discarded_at or clock.now(), None
    held.save(update_fields=["discarded_at", "queued_at"])
    return held


def work_off(*, tenant: UUID) -> int:
    """Go on with queued uploads: drafts in small steps that show, then all submitted at once."""
    with bound(tenant, actor="system:treasury.uploads"):
        waiting = list(
            ProposalUpload.objects.filter(
                queued_at__isnull=False, submitted_at__isnull=True, problem=""
            )
            .order_by("queued_at")
            .values_list("pk", "maker_id")
        )
    for upload_id, maker_id in waiting:
        while _work_on(tenant, upload_id, maker_id):
            pass
    return len(waiting)


def _work_on(tenant: UUID, upload_id: UUID, maker_id: UUID) -> bool:
    """Take one step, in its own transaction, as the maker. Return whether another is needed."""
    try:
        with bound(tenant, actor=maker_id, reason="upload of proposals"):
            held = _claimed(upload_id)
            if held is None:
                return False
            if held.made_count < held.rows_count:
                _make_drafts(held, limit=CHUNK_ROWS)
                return True
            _submit_all(held)
    except DomainError as refusal:
        with bound(tenant, actor=maker_id, reason="upload of proposals"):
            ProposalUpload.objects.filter(pk=upload_id).update(problem=refusal.message)
    return False


def _claimed(upload_id: UUID) -> ProposalUpload | None:
    rows = ProposalUpload.objects.select_for_update(skip_locked=True, of=("self",))
    waiting = rows.filter(
        pk=upload_id, queued_at__isnull=False, submitted_at__isnull=True, problem=""
    )
    return waiting.select_related("maker").first()


def _make_drafts(held: ProposalUpload, *, limit: int) -> None:
    """Make drafts of the next rows; those of rows already made are left as they are."""
    findings: list[RowFinding] = []
    known = set(held.made.values_list("row_number", flat=True))
    rows = [row for row in _read(held, findings) if row.number not in known][:limit]
    if not held.maker.is_active:
        raise Forbidden("Its maker is no longer active.")
    checked = list(checked_rows(rows=rows, findings=findings))
    wrong = [one for one in findings if one.is_error]
    if wrong:
        raise UploadRefused(f"Row {wrong[0].row}: {wrong[0].message}")
    drafts = proposals.create_proposals(terms=[one.terms for one in checked], maker=held.maker)
    made = [
        UploadedProposal(upload=held, row_number=one.row.number, proposal=proposal)
        for one, proposal in zip(checked, drafts, strict=True)
    ]
    UploadedProposal.objects.bulk_create(made)
    held.made_count = len(known) + len(made)
    held.save(update_fields=["made_count"])


def _submit_all(held: ProposalUpload) -> None:
    """Put every draft before its checkers, in the caller's transaction: all of them or none."""
    drafts = list(held.made.order_by("row_number"))
    controls.count_together([made.proposal_id for made in drafts])
    for made in drafts:
        with _named(Row(number=made.row_number)):
            proposals.submit_proposal(proposal_id=made.proposal_id, actor=held.maker)
    held.submitted_at = clock.now()
    try:
        with transaction.atomic():
            held.save(update_fields=["submitted_at"])
    except IntegrityError as error:
        raise UploadRefused("Somebody submitted a file with exactly these bytes.") from error


class _named:  # noqa: N801 - reads as a phrase
    """Name the row in a refusal; its code and field stay."""

    def __init__(self, row: Row) -> None:
        self.row = row

    def __enter__(self) -> None:
        """Nothing to prepare."""

    def __exit__(self, _kind: object, refusal: BaseException | None, _trace: object) -> None:
        """Put the row's number before the words."""
        if isinstance(refusal, DomainError):
            refusal.message = f"Row {self.row.number}: {refusal.message}"
            refusal.args = (refusal.message,)
            refusal.context["row"] = self.row.number


def _locked(upload_id: UUID, actor: User) -> ProposalUpload:
    held = (
        ProposalUpload.objects.select_for_update(of=("self",))
        .select_related("maker")
        .filter(pk=upload_id, maker=actor)
        .first()
    )
    if held is None:
        raise NotFound("There is no such upload of yours.", field="upload")
    return held
