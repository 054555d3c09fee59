"""Recalls as the approvals room decides them, and as their line ends."""

from uuid import UUID

from approvals import registry as approvals
from core.events import Envelope, subscribe
from treasury.constants import RECALL_SUBJECT
from treasury.selectors import recalls as reads
from treasury.services import recalls


@subscribe("integrations.payment.refused", consumer="treasury.recalls")
def recall_refused(envelope: Envelope) -> None:
    """The bank certainly does not have the recall."""
    facts = envelope.payload
    recalls.fail_recall(case_id=facts["reference"], reason=facts["reason"])


def _approved(outcome: approvals.SubjectOutcome) -> None:
    recalls.send_recall(recall_id=outcome.subject_id)


def _not_approved(outcome: approvals.SubjectOutcome) -> None:
    recalls.decline_recall(recall_id=outcome.subject_id, reason=outcome.reason)


def _describe(subject_id: UUID) -> approvals.SubjectDescription:
    found = reads.recall(subject_id)
    proposal = found.transfer.proposal
    return approvals.SubjectDescription(
        title=f"Ask {found.transfer.end_to_end_id} back",
        url=f"/proposals/{proposal.pk}",
        facts=(
            ("Payment", f"{proposal.amount:,.2f} {proposal.currency} to {proposal.payee}"),
            ("Why", f"{found.get_reason_display()}: {found.words}"),
            ("Asked by", found.requested_by.display_name),
            ("Case", found.case_id),
            ("UETR", found.transfer.uetr),
        ),
    )


approvals.register(
    RECALL_SUBJECT,
    approvals.SubjectHooks(
        on_approved=_approved,
        on_rejected=_not_approved,
        on_expired=_not_approved,
        on_cancelled=_not_approved,
        describe=_describe,
    ),
)
