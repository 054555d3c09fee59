"""Withdraw, cancel and expire."""

from datetime import datetime
from uuid import UUID

import structlog
from django.db import transaction

from approvals.constants import SWEEP_BATCH_MAX
from approvals.errors import NotExpired, NotPending, NotTheMaker, ReasonRequired
from approvals.events import ProposalExpired
from approvals.models import LIVE, ApprovalRequest, CheckerRole
from approvals.registry import hooks_for
from approvals.services.locking import lock_request
from approvals.services.notifying import facts_of, outcome_of
from core import clock
from core.errors import DomainError, Forbidden
from core.events import publish
from core.identity.models import User

log = structlog.get_logger(__name__)
_CLOSING_FIELDS = ("state", "decided_at", "reason", "next_escalation_at")


def _is_involved(actor: User, request: ApprovalRequest) -> bool:
    return actor.pk == request.maker_id or actor.person_number in request.involved_persons


@transaction.atomic
def withdraw(*, request_id: UUID, actor: User, reason: str = "") -> ApprovalRequest:
    """Take back what one submitted, while it waits for its checkers.

    Raises:
        RequestUnknown: the tenant has no such request.
        NotTheMaker: somebody else made it.
        NotPending: it was decided or closed already.
    """
    request = lock_request(request_id)
    if not _is_involved(actor, request):
        raise NotTheMaker("Only who made it may withdraw it.", request=str(request_id))
    if not request.is_pending:
        raise NotPending(f"This request is {request.get_state_display()}.", state=request.state)
    return _cancel(request, actor, reason.strip() or "Withdrawn by its maker.")


@transaction.atomic
def cancel(*, request_id: UUID, actor: User | None, reason: str) -> ApprovalRequest:
    """Stop a pending or approved request; its subject's room refuses when it is too late.

    `actor` None is the system itself: the need for it went away.

    Raises:
        RequestUnknown: the tenant has no such request.
        Forbidden: the actor is neither its maker nor a checker.
        NotPending: it is closed.
        ReasonRequired: no reason is given.
    """
    request = lock_request(request_id)
    if actor is not None and not (
        _is_involved(actor, request) or actor.has_role(*CheckerRole.values)
    ):
        raise Forbidden("Only its maker and checkers may cancel it.", request=str(request_id))
    if request.state not in LIVE:
        raise NotPending(f"This request is {request.get_state_display()}.", state=request.state)
    if not reason.strip():
        raise ReasonRequired("Say why it is cancelled.", field="reason")
    return _cancel(request, actor, reason.strip())


def _cancel(request: ApprovalRequest, actor: User | None, reason: str) -> ApprovalRequest:
    now = clock.now()
    request.cancel(at=now, reason=reason)
    request.save(update_fields=_CLOSING_FIELDS)
    hooks = hooks_for(request.subject_type)
    hooks.on_cancelled(outcome_of(request, actor=actor, at=now))
    return request


@transaction.atomic
def expire(*, request_id: UUID, now: datetime) -> ApprovalRequest:
    """Let a pending or unused approved request expire at its cut-off.

    Raises:
        RequestUnknown: the tenant has no such request.
        NotPending: it is closed.
        NotExpired: its cut-off is ahead, or it has none.
    """
    request = lock_request(request_id)
    if request.state not in LIVE:
        raise NotPending(f"This request is {request.get_state_display()}.", state=request.state)
    if request.cutoff_at is None or now < request.cutoff_at:
        raise NotExpired("Its cut-off has not passed.", cutoff_at=request.cutoff_at)
    request.expire(at=now)
    request.save(update_fields=_CLOSING_FIELDS)
    publish(ProposalExpired(**facts_of(request), cutoff_at=request.cutoff_at, at=now))
    hooks = hooks_for(request.subject_type)
    hooks.on_expired(outcome_of(request, actor=None, at=now))
    return request


def expire_due(*, now: datetime) -> list[ApprovalRequest]:
    """Expire the bound tenant's pending requests whose cut-off has passed.

    A subject's room that refuses keeps its own request open, and no other one.
    """
    due = ApprovalRequest.objects.overdue(now).order_by("cutoff_at", "id")
    expired = []
    for request_id in list(due.values_list("pk", flat=True)[:SWEEP_BATCH_MAX]):
        try:
            expired.append(expire(request_id=request_id, now=now))
        except NotPending:  # decided between the list and the lock
            continue
        except DomainError as refusal:
            log.warning("not_expired", request=str(request_id), code=refusal.code)
    return expired
