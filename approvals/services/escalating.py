"""Call louder for a decision: a level adds people who may approve, and changes nothing else.

Who may approve at which level was frozen when the request was submitted.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from django.db import transaction

from approvals.constants import ESCALATION_LEVEL_MAX, SWEEP_BATCH_MAX
from approvals.events import ProposalEscalated
from approvals.models import ApprovalRequest
from approvals.selectors import progress
from approvals.selectors.levels import deciders_at
from approvals.services.notifying import facts_of
from core.events import publish


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """One level that a request reached, and when it was due."""

    request_id: UUID
    level: int
    due_at: datetime


def level_at(*, submitted_at: datetime, interval: timedelta, now: datetime) -> int:
    """Return the level that the time without a decision amounts to; the full interval counts."""
    return max(0, min((now - submitted_at) // interval, ESCALATION_LEVEL_MAX))


@transaction.atomic
def escalate_due(*, now: datetime) -> list[Escalation]:
    """Raise the bound tenant's overdue requests to the level their waiting time amounts to.

    Each level is announced exactly once, also those that passed while no worker ran.
    """
    due = (
        ApprovalRequest.objects.to_escalate(now)
        .select_for_update(of=("self",), skip_locked=True)
        .order_by("next_escalation_at", "id")[:SWEEP_BATCH_MAX]
    )
    return [step for request in due for step in _escalate(request, now)]


def _escalate(request: ApprovalRequest, now: datetime) -> list[Escalation]:
    interval = request.escalation_interval
    reached = level_at(submitted_at=request.submitted_at, interval=interval, now=now)
    steps = [
        Escalation(
            request_id=request.pk, level=level, due_at=request.submitted_at + level * interval
        )
        for level in range(request.escalation_level + 1, reached + 1)
    ]
    request.escalation_level = reached
    request.escalated_at = now
    is_last = reached >= ESCALATION_LEVEL_MAX
    request.next_escalation_at = (
        None if is_last else request.submitted_at + (reached + 1) * interval
    )
    request.save(update_fields=["escalation_level", "escalated_at", "next_escalation_at"])
    approved_count = progress(request).approved_count
    for step in steps:
        publish(
            ProposalEscalated(
                **facts_of(request),
                title=request.title,
                level=step.level,
                due_at=step.due_at,
                cutoff_at=request.cutoff_at,
                approvals_count=approved_count,
                required_count=request.required_count,
                deciders=deciders_at(request, step.level),
            )
        )
    return steps
