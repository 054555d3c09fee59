"""Note who looked, and close what is looked at afterwards."""

from uuid import UUID

from django.db import transaction

from approvals.errors import (
    NotPending,
    ReasonRequired,
    RequestUnknown,
    SelfApprovalRefused,
)
from approvals.models import ApprovalRequest, BreakGlassReview, Viewing
from approvals.selectors.authority import REVIEWERS
from core import clock
from core.errors import Forbidden
from core.identity.models import User


def record_viewing(*, request: ApprovalRequest, viewer: User) -> None:
    """Note the first time that a person opened a request; every further time changes nothing."""
    if Viewing.objects.filter(request=request, viewer=viewer).exists():
        return
    Viewing.objects.bulk_create(
        [
            Viewing(
                request=request,
                viewer=viewer,
                content_hash=request.content_hash,
                viewed_at=clock.now(),
            )
        ],
        ignore_conflicts=True,
    )


@transaction.atomic
def close_review(*, request_id: UUID, actor: User, findings: str) -> BreakGlassReview:
    """Close the review of what was approved over broken glass.

    Raises:
        RequestUnknown: no review waits for that request.
        Forbidden: the actor looks after neither checks, risk nor the audit.
        SelfApprovalRefused: the actor had a part in it.
        NotPending: it is closed already.
        ReasonRequired: the findings are empty.
    """
    review = (
        BreakGlassReview.objects.select_for_update(of=("self",))
        .select_related("request")
        .filter(request_id=request_id)
        .first()
    )
    if review is None:
        raise RequestUnknown("There is no such review.", request=str(request_id))
    if not actor.has_role(*REVIEWERS):
        raise Forbidden("Checkers, risk and auditors review what was done over broken glass.")
    person = actor.person_number
    decided = review.request.decisions.filter(checker_person=person)
    if person in review.request.involved_persons or decided.exists():
        raise SelfApprovalRefused("Somebody who had no part in it reviews it.")
    if review.closed_at is not None:
        raise NotPending("This review is closed.")
    if not findings.strip():
        raise ReasonRequired("Say what you found.", field="findings")
    review.closed_by, review.closed_at = actor, clock.now()
    review.findings = findings.strip()
    review.save(update_fields=["closed_by", "closed_at", "findings"])
    return review
