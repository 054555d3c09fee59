"""Tell the subject's room, and the house, what became of a request."""

from datetime import datetime
from typing import TypedDict
from uuid import UUID

from approvals.events import Approval
from approvals.models import ApprovalRequest, Outcome
from approvals.registry import SubjectOutcome
from core.identity.models import User


class RequestFacts(TypedDict):
    """What every event of a request carries."""

    request_id: UUID
    action: str
    subject_type: str
    proposal_id: UUID
    proposal_version: int
    content_hash: str


def facts_of(request: ApprovalRequest) -> RequestFacts:
    """Return what every event about this request carries."""
    return RequestFacts(
        request_id=request.pk,
        action=request.action,
        subject_type=request.subject_type,
        proposal_id=request.subject_id,
        proposal_version=request.subject_version,
        content_hash=request.content_hash,
    )


def outcome_of(request: ApprovalRequest, *, actor: User | None, at: datetime) -> SubjectOutcome:
    """Return the request's outcome as its subject's room gets it."""
    return SubjectOutcome(
        request_id=request.pk,
        subject_type=request.subject_type,
        subject_id=request.subject_id,
        subject_version=request.subject_version,
        content_hash=request.content_hash,
        content=request.content,
        state=request.state,
        at=at,
        reason=request.reason,
        actor=actor,
    )


def approvals_of(request: ApprovalRequest) -> list[Approval]:
    """Return who approved, in order."""
    return [
        Approval(checker=decision.checker_id, at=decision.decided_at)
        for decision in request.decisions.filter(outcome=Outcome.APPROVE).order_by("id")
    ]
