"""Approve or reject: lock, check, decide, transition, publish."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from approvals.errors import (
    AlreadyDecided,
    ContentChanged,
    NotPending,
    NotTheActor,
    NotYourTurn,
    PastCutoff,
    ReasonRequired,
    RoleMissing,
    SelfApprovalRefused,
)
from approvals.events import ProposalApproved, ProposalRejected, ProposalReturned
from approvals.models import ApprovalRequest, Decision, Outcome
from approvals.registry import hooks_for
from approvals.selectors import (
    Terms,
    needs_of,
    needs_step_up,
    out_of_turn,
    progress,
    requirement,
    standing,
    worth_of,
)
from approvals.services.locking import lock_request
from approvals.services.notifying import approvals_of, facts_of, outcome_of
from core import clock
from core.events import publish
from core.identity import step_up
from core.identity.models import User
from core.tenancy import current_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How the checker proved who they are; `step_up` is a second factor for this very content."""

    auth_method: str
    auth_at: datetime | None
    ip: str | None
    step_up: UUID | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What a checker says, and about exactly which content."""

    outcome: Outcome
    content_hash: str
    version: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class DecisionResult:
    """The request afterwards; `counted` is false for a repeat of one's own earlier decision."""

    request: ApprovalRequest
    counted: bool
    is_final: bool


@transaction.atomic
def decide(  # noqa: PLR0913 - the decision, its binding and its evidence, all by keyword
    *,
    request_id: UUID,
    checker: User,
    outcome: str,
    content_hash: str,
    version: int,
    reason: str = "",
    evidence: Evidence,
) -> DecisionResult:
    """Record one person's decision: the last approval needed approves, any other word closes.

    The same decision by the same checker again changes nothing and returns the result.

    Raises:
        RequestUnknown: the tenant has no such request.
        NotTheActor: the checker is not who acts.
        ContentChanged: version or hash are not those of the request.
        AlreadyDecided: this person decided before, differently or under another login.
        SelfApprovalRefused: the checker made, edited or triggered it.
        RoleMissing: the account may not check.
        NotPending: the request is closed.
        PastCutoff: the cut-off has passed.
        NotYourTurn: a manager must approve the present step first.
        StepUpMissing: the second factor was not shown for this content, or too long ago.
        ReasonRequired: a rejection, or a request for changes, says why.
    """
    verdict = Verdict(
        outcome=Outcome(outcome),
        content_hash=content_hash,
        version=version,
        reason=reason.strip(),
    )
    request = lock_request(request_id)
    now = clock.now()

    _require_own_hand(checker)
    _require_standing(checker, request)
    _require_same_content(verdict, request)
    if _is_repeated(verdict, checker, request):
        return DecisionResult(request=request, counted=False, is_final=not request.is_pending)
    _require_open(request, now)
    if verdict.outcome == Outcome.APPROVE:
        _require_means(checker, request, evidence, now)
    elif not verdict.reason:
        raise ReasonRequired("Say why, for its maker to read.", field="reason")

    decision = _recorded(verdict, request, checker, evidence, now)
    if verdict.outcome != Outcome.APPROVE:
        refuse = _reject if verdict.outcome == Outcome.REJECT else _send_back
        refuse(request, decision, checker)
        return DecisionResult(request=request, counted=True, is_final=True)
    rose = _raise_requirement(request, now)
    if progress(request).is_enough:
        _approve(request, checker, now)
    elif rose:
        request.save(update_fields=_REQUIREMENT_FIELDS)
    return DecisionResult(request=request, counted=True, is_final=not request.is_pending)


def _recorded(
    verdict: Verdict, request: ApprovalRequest, checker: User, evidence: Evidence, now: datetime
) -> Decision:
    return Decision.objects.create(
        request=request,
        checker=checker,
        outcome=verdict.outcome,
        reason=verdict.reason,
        content_hash=request.content_hash,
        auth_method=evidence.auth_method,
        auth_at=evidence.auth_at,
        ip=evidence.ip,
        step_up_id=evidence.step_up if verdict.outcome == Outcome.APPROVE else None,
        decided_at=now,
    )


_REQUIREMENT_FIELDS = (
    "needs",
    "required_count",
    "required_manager_count",
    "usd_equivalent",
    "usd_rate",
    "usd_rate_at",
)
_CLOSING_FIELDS = ("state", "decided_at", "reason", "next_escalation_at")


def _require_own_hand(checker: User) -> None:
    if current_actor() != str(checker.pk):
        raise NotTheActor("Nobody records a decision for somebody else.")


def _require_standing(checker: User, request: ApprovalRequest) -> None:
    found = standing(checker, request)
    if found.is_eligible:
        return
    refusal = SelfApprovalRefused if found.code == SelfApprovalRefused.code else RoleMissing
    raise refusal(found.reason, request=str(request.pk))


def _require_same_content(verdict: Verdict, request: ApprovalRequest) -> None:
    same_hash = hmac.compare_digest(verdict.content_hash, request.content_hash)
    if not same_hash or verdict.version != request.subject_version:
        raise ContentChanged(
            "It changed since you loaded it; look at it again.",
            version=request.subject_version,
            content_hash=request.content_hash,
            given_version=verdict.version,
        )


def _is_repeated(verdict: Verdict, checker: User, request: ApprovalRequest) -> bool:
    before = request.decisions.filter(checker_person=checker.person_number).first()
    if before is None:
        return False
    if before.checker_id == checker.pk and before.outcome == verdict.outcome:
        return True
    raise AlreadyDecided(
        "You have decided on this already.", outcome=before.outcome, at=before.decided_at
    )


def _require_open(request: ApprovalRequest, now: datetime) -> None:
    if not request.is_pending:
        raise NotPending(f"This request is {request.get_state_display()}.", state=request.state)
    if request.is_past_cutoff(now):
        raise PastCutoff("The cut-off has passed.", cutoff_at=request.cutoff_at)


def _require_means(
    checker: User, request: ApprovalRequest, evidence: Evidence, now: datetime
) -> None:
    """Make sure that this approval would count, and use its second factor up."""
    if out_of_turn(checker, request):
        raise NotYourTurn("A manager must approve before you do.", request=str(request.pk))
    if evidence.step_up is not None or needs_step_up(request, now):
        step_up.require(step_up=evidence.step_up, user=checker, content_hash=request.content_hash)


def _raise_requirement(request: ApprovalRequest, now: datetime) -> bool:
    """Count again at today's rate and rules: it may rise, never fall. Return whether it changed."""
    before = [getattr(request, name) for name in _REQUIREMENT_FIELDS]
    requote = hooks_for(request.subject_type).requote
    amount: Decimal | None = request.amount
    quote = requote(amount, request.currency) if requote and amount is not None else None
    if quote is not None and (request.usd_rate_at is None or quote.rate_at > request.usd_rate_at):
        request.usd_equivalent = max(
            request.usd_equivalent or quote.usd_equivalent, quote.usd_equivalent
        )
        request.usd_rate, request.usd_rate_at = quote.rate, quote.rate_at
    terms = Terms(
        action=request.action,
        usd=worth_of(request).usd_for_rules(now),
        currency=request.currency,
        rail=request.rail,
        entity=request.entity,
    )
    needed = needs_of(request).risen(requirement(terms=terms))
    request.needs = needed.stored()
    request.required_count = max(request.required_count, needed.count)
    request.required_manager_count = max(request.required_manager_count, needed.manager_count)
    return before != [getattr(request, name) for name in _REQUIREMENT_FIELDS]


def _approve(request: ApprovalRequest, checker: User, now: datetime) -> None:
    request.approve(at=now)
    request.save(update_fields=[*_CLOSING_FIELDS, *_REQUIREMENT_FIELDS])
    publish(
        ProposalApproved(
            **facts_of(request),
            approvals=approvals_of(request),
            usd_equivalent=request.usd_equivalent,
        )
    )
    hooks = hooks_for(request.subject_type)
    hooks.on_approved(outcome_of(request, actor=checker, at=now))


def _reject(request: ApprovalRequest, decision: Decision, checker: User) -> None:
    request.reject(at=decision.decided_at, reason=decision.reason)
    request.save(update_fields=_CLOSING_FIELDS)
    publish(
        ProposalRejected(
            **facts_of(request),
            checker=checker.pk,
            reason=decision.reason,
            at=decision.decided_at,
        )
    )
    hooks = hooks_for(request.subject_type)
    hooks.on_rejected(outcome_of(request, actor=checker, at=decision.decided_at))


def _send_back(request: ApprovalRequest, decision: Decision, checker: User) -> None:
    request.send_back(at=decision.decided_at, reason=decision.reason)
    request.save(update_fields=_CLOSING_FIELDS)
    publish(
        ProposalReturned(
            **facts_of(request),
            checker=checker.pk,
            reason=decision.reason,
            at=decision.decided_at,
        )
    )
    hooks = hooks_for(request.subject_type)
    tell = hooks.on_changes_requested or hooks.on_rejected
    tell(outcome_of(request, actor=checker, at=decision.decided_at))
