"""Approve or reject: lock, check, decide, transition, publish."""

import hmac
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from approvals.errors import (
    AcknowledgementRequired,
    AlreadyDecided,
    AuthorityExceeded,
    ContentChanged,
    DelegationVoid,
    NotEscalated,
    NotPending,
    NotTheActor,
    NotYourTurn,
    PastCutoff,
    ReasonRequired,
    RoleMissing,
    SelfApprovalRefused,
)
from approvals.events import ProposalApproved, ProposalRejected, ProposalReturned
from approvals.models import ApprovalRequest, Decision, Delegation, Outcome
from approvals.registry import hooks_for
from approvals.selectors import (
    Terms,
    beyond_authority,
    delegations_of,
    needs_of,
    needs_step_up,
    out_of_turn,
    progress,
    requirement,
    standing,
    unacknowledged,
    worth_of,
)
from approvals.selectors.levels import may_approve_now
from approvals.services.locking import lock_request
from approvals.services.notifying import approvals_of, facts_of, outcome_of
from core import clock
from core.audit import acting
from core.events import publish
from core.identity import step_up
from core.identity.models import User
from core.identity.proofs import StepUp, StepUpMethod
from core.tenancy import current_actor


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """How the checker proved who they are, and what they saw.

    `step_up` is a second factor for this very content, or for the list `listed` that it is
    on; `acknowledged` are the codes of the
    warnings that they acknowledged, `delegation` says in whose place they decide.
    """

    auth_method: str
    auth_at: datetime | None
    ip: str | None
    step_up: UUID | None = None
    listed: UUID | None = None
    acknowledged: tuple[str, ...] = ()
    delegation: UUID | None = None


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
        NotEscalated: managers approve it once it has escalated.
        NotYourTurn: a manager must approve the present step first.
        AuthorityExceeded: the amount is beyond what this person may approve.
        DelegationVoid: no delegation in force covers it.
        AcknowledgementRequired: a warning was not acknowledged.
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

    with acting.on_behalf_of(_delegator(evidence.delegation)):
        decision = _recorded(verdict, request, checker, evidence, now)
        _settle(request, decision, checker)
    return DecisionResult(request=request, counted=True, is_final=not request.is_pending)


def _delegator(delegation: UUID | None) -> UUID | None:
    """Return in whose place somebody decides; None when in nobody's."""
    if delegation is None:
        return None
    return Delegation.objects.filter(pk=delegation).values_list("delegator_id", flat=True).first()


def _settle(request: ApprovalRequest, decision: Decision, checker: User) -> None:
    """Close the request when this decision is the one that closes it."""
    if decision.outcome == Outcome.REJECT:
        _reject(request, decision, checker)
        return
    if decision.outcome == Outcome.CHANGES:
        _send_back(request, decision, checker)
        return
    rose = _raise_requirement(request, decision.decided_at)
    if progress(request).is_enough:
        _approve(request, checker, decision.decided_at)
    elif rose:
        request.save(update_fields=_REQUIREMENT_FIELDS)


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
        listed_id=evidence.listed,
        acknowledged=list(evidence.acknowledged),
        delegation_id=evidence.delegation,
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
    kinds = {kind.code: kind for kind in (SelfApprovalRefused, AlreadyDecided)}
    raise kinds.get(found.code, RoleMissing)(found.reason, request=str(request.pk))


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
    """Make sure that this approval would count, and use its second factor up.

    That of a list was used up when the list was made.
    """
    if not may_approve_now(checker, request):
        raise NotEscalated(
            f"Managers approve this from escalation level {request.managers_from_level} on.",
            level=request.escalation_level,
        )
    _require_authority(checker, request, evidence, now)
    listed = evidence.listed is not None
    if missing := unacknowledged(request, evidence.acknowledged, listed=listed):
        raise AcknowledgementRequired(f"Acknowledge first: {missing[0]}", field="acknowledged")
    if out_of_turn(checker, request):
        raise NotYourTurn("A manager must approve before you do.", request=str(request.pk))
    if not listed and (evidence.step_up is not None or needs_step_up(request, now)):
        step_up.require(step_up=evidence.step_up, user=checker, content_hash=request.content_hash)
    if request.break_glass is not None and not _is_passkey(evidence.step_up):
        raise step_up.StepUpMissing("Over broken glass an approval needs a passkey.")


def _is_passkey(proof: UUID | None) -> bool:
    return (
        proof is not None and StepUp.objects.filter(pk=proof, method=StepUpMethod.PASSKEY).exists()
    )


def _require_authority(
    checker: User, request: ApprovalRequest, evidence: Evidence, now: datetime
) -> None:
    persons = [checker.person_number]
    if evidence.delegation is not None:
        found = delegations_of(checker, request, now)
        chosen = next((each for each in found if each.pk == evidence.delegation), None)
        if chosen is None:
            raise DelegationVoid("No delegation in force covers this decision.")
        usd = worth_of(request).usd_for_rules(now)
        if chosen.amount_usd_max is not None and (usd is None or usd > chosen.amount_usd_max):
            raise DelegationVoid("This is more than was delegated to you.")
        persons.append(chosen.delegator.person_number)
    for person in persons:
        if beyond := beyond_authority(person, request, now):
            raise AuthorityExceeded(f"It is beyond the {beyond}.", request=str(request.pk))


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
