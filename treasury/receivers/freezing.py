"""The emergency stop at the bank's door, and its release as the approvals room decides it."""

from uuid import UUID

from approvals import registry as approvals
from integrations import registry as bank_lines
from treasury.constants import FREEZE_SUBJECT
from treasury.selectors import freezing as reads
from treasury.services import freezing


def _approved(outcome: approvals.SubjectOutcome) -> None:
    freezing.release(freeze_id=outcome.subject_id)


def _not_approved(outcome: approvals.SubjectOutcome) -> None:
    freezing.keep_stopped(freeze_id=outcome.subject_id)


def _describe(subject_id: UUID) -> approvals.SubjectDescription:
    found = reads.freeze(subject_id)
    asker = found.release_asked_by
    return approvals.SubjectDescription(
        title=f"Release all outflows, stopped by {found.frozen_by.display_name}",
        url="/freeze",
        facts=(
            ("Stopped because", found.reason),
            ("Stopped by", f"{found.frozen_by.display_name} at {found.frozen_at:%d %b %H:%M} UTC"),
            ("To be released because", found.release_reason),
            ("Asked by", asker.display_name if asker else ""),
        ),
    )


def _is_stopped() -> bool:
    return reads.standing_freeze() is not None


approvals.register(
    FREEZE_SUBJECT,
    approvals.SubjectHooks(
        on_approved=_approved,
        on_rejected=_not_approved,
        on_expired=_not_approved,
        on_cancelled=_not_approved,
        describe=_describe,
    ),
)
bank_lines.register_stop(_is_stopped)
