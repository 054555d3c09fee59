"""Reads: what is required, who may decide, what waits for whom."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection
from django.db.models import F, QuerySet

from approvals.constants import RATE_CLOCK_SKEW, UNMATCHED_REQUIRED_COUNT
from approvals.errors import RequestUnknown
from approvals.models import (
    ApprovalRequest,
    ApprovalRule,
    CheckerRole,
    Decision,
    Outcome,
)
from approvals.policies import APPROVAL_RATE_AGE_HOURS, DUAL_CHECKER_THRESHOLD_USD
from approvals.registry import SubjectDescription, hooks_for
from core import clock, policies
from core.identity.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class Worth:
    """An amount and what it is worth in USD; None is no money at all, not an unknown amount."""

    amount: Decimal | None
    currency: str
    usd_equivalent: Decimal | None
    usd_rate_at: datetime | None

    def usd_for_rules(self, at: datetime) -> Decimal | None:
        """Return the figure that thresholds compare, None (above all) without a fresh rate.

        What is not about money compares as 0: only rules without a threshold fit it.
        """
        if self.amount is None:
            return Decimal(0)
        if self.currency == "USD":
            return self.amount
        if self.usd_equivalent is None or self.usd_rate_at is None:
            return None
        age_max = timedelta(hours=policies.get(APPROVAL_RATE_AGE_HOURS))
        age = at - self.usd_rate_at
        return self.usd_equivalent if -RATE_CLOCK_SKEW <= age <= age_max else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """How many different people must approve, and how many of them must be managers."""

    count: int
    manager_count: int


def requirement(*, action: str, usd: Decimal | None, currency: str, rail: str) -> Requirement:
    """Return what the tenant's rules and policies ask for; `usd` None is above every threshold."""
    facts = [action, usd, currency, rail]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT approvals_required(%s, %s::numeric, %s, %s),"
            " approvals_required_managers(%s, %s::numeric, %s, %s)",
            facts * 2,
        )
        count, manager_count = cursor.fetchone()
    if usd is None or usd > policies.get(DUAL_CHECKER_THRESHOLD_USD):
        count = max(count, UNMATCHED_REQUIRED_COUNT)
    return Requirement(count=max(count, manager_count), manager_count=manager_count)


def content_hash_of(request: ApprovalRequest) -> str:
    """Return the hash that decisions on this request bind to, as the database computes it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT approvals_content_hash(%s, %s, %s, %s, %s::jsonb)",
            [
                request.tenant_id,
                request.subject_type,
                request.subject_id,
                request.subject_version,
                json.dumps(request.content),
            ],
        )
        return str(cursor.fetchone()[0])


def rules() -> QuerySet[ApprovalRule]:
    """Return the tenant's rules."""
    return ApprovalRule.objects.all()


def deciders() -> QuerySet[User]:
    """Return the people who may check anything at all."""
    return User.objects.filter(
        is_active=True, is_service=False, groups__name__in=CheckerRole.values
    ).distinct()


def eligible_persons(*, besides: Collection[str]) -> Requirement:
    """Return how many different people, and managers among them, could decide besides those."""
    found = deciders().exclude(person_number__in=list(besides))
    everyone = found.values("person_number").distinct().count()
    managers = found.filter(groups__name=CheckerRole.MANAGER)
    return Requirement(
        count=everyone, manager_count=managers.values("person_number").distinct().count()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligibility:
    """Whether somebody may decide; if not, a stable code and the reason in words."""

    code: str = ""
    reason: str = ""

    @property
    def is_eligible(self) -> bool:
        """Return whether nothing stands against it."""
        return not self.code


def standing(user: User, request: ApprovalRequest) -> Eligibility:
    """Return whether this person may check this subject at all, whatever its state."""
    if user.is_service:
        return Eligibility(code="role_missing", reason="Service accounts make, they never check.")
    if user.person_number in request.involved_persons or user.pk == request.maker_id:
        return Eligibility(
            code="self_approval_refused",
            reason="You made, edited or triggered this; another person must check it.",
        )
    if not user.is_active or not user.has_role(*CheckerRole.values):
        return Eligibility(
            code="role_missing", reason="Only treasury checkers and managers decide."
        )
    return Eligibility()


def eligibility(user: User, request: ApprovalRequest) -> Eligibility:
    """Return whether `user` may decide `request` now, or the first reason why not."""
    stands = standing(user, request)
    if not stands.is_eligible:
        return stands
    if request.decisions.filter(checker_person=user.person_number).exists():
        return Eligibility(code="already_decided", reason="You have decided on this already.")
    if not request.is_pending:
        state = request.get_state_display()
        return Eligibility(code="not_pending", reason=f"This request is {state}.")
    if request.is_past_cutoff(clock.now()):
        return Eligibility(code="past_cutoff", reason="The cut-off has passed.")
    return Eligibility()


def all_requests() -> QuerySet[ApprovalRequest]:
    """Return all requests with what a list shows."""
    return ApprovalRequest.objects.select_related("maker").prefetch_related("decisions__checker")


def inbox(*, user: User) -> QuerySet[ApprovalRequest]:
    """Return the requests that wait for this user's decision, soonest cut-off first."""
    if user.is_service or not user.is_active or not user.has_role(*CheckerRole.values):
        return all_requests().none()
    return (
        all_requests()
        .filter(pk__in=ApprovalRequest.objects.open_at(clock.now()).values("pk"))
        .exclude(involved_persons__contains=[user.person_number])
        .exclude(decisions__checker_person=user.person_number)
        .order_by(F("cutoff_at").asc(nulls_last=True), "submitted_at", "id")
    )


def find_request(request_id: UUID) -> ApprovalRequest | None:
    """Return a request, or None."""
    return all_requests().filter(pk=request_id).first()


def require_request(request_id: UUID) -> ApprovalRequest:
    """Return a request.

    Raises:
        RequestUnknown: the tenant has none of that id.
    """
    found = find_request(request_id)
    if found is None:
        raise RequestUnknown("There is no such approval request.", request=str(request_id))
    return found


def request_of(
    *, subject_type: str, subject_id: UUID, subject_version: int | None = None
) -> ApprovalRequest | None:
    """Return the request for a version of a subject (the latest when none is named), or None."""
    found = all_requests().filter(subject_type=subject_type, subject_id=subject_id)
    if subject_version is not None:
        found = found.filter(subject_version=subject_version)
    return found.order_by("-subject_version").first()


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a request has come; `missing_count` counts people, managers among them."""

    approved_count: int
    missing_count: int
    missing_manager_count: int
    is_rejected: bool

    @property
    def is_enough(self) -> bool:
        """Return whether nobody else is needed."""
        return not (self.missing_count or self.missing_manager_count or self.is_rejected)


def progress(request: ApprovalRequest) -> Progress:
    """Count the decisions on exactly this content."""
    decisions = [
        decision
        for decision in request.decisions.all()
        if decision.content_hash == request.content_hash
    ]
    approvals = [found for found in decisions if found.outcome == Outcome.APPROVE]
    persons = {found.checker_person for found in approvals}
    managers = {found.checker_person for found in approvals if found.as_role == CheckerRole.MANAGER}
    missing_managers = max(request.required_manager_count - len(managers), 0)
    return Progress(
        approved_count=len(persons),
        missing_count=max(request.required_count - len(persons), missing_managers),
        missing_manager_count=missing_managers,
        is_rejected=len(approvals) < len(decisions),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDetail:
    """Everything a checker needs to see of one request."""

    request: ApprovalRequest
    decisions: tuple[Decision, ...]
    progress: Progress
    eligibility: Eligibility
    description: SubjectDescription


def request_detail(*, request_id: UUID, user: User) -> RequestDetail:
    """Return a request with its decisions, what is missing, and whether `user` may decide.

    Raises:
        RequestUnknown: the tenant has none of that id.
    """
    request = require_request(request_id)
    describe = hooks_for(request.subject_type).describe
    return RequestDetail(
        request=request,
        decisions=tuple(request.decisions.all()),
        progress=progress(request),
        eligibility=eligibility(user, request),
        description=describe(request.subject_id)
        if describe
        else SubjectDescription(title=request.title),
    )
