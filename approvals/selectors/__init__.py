"""Reads: what is required, who may decide, what waits for whom."""

import json
from collections.abc import Collection, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final
from uuid import UUID

from django.db import connection
from django.db.models import F, Q, QuerySet

from approvals.constants import DUAL_THRESHOLD_USD, RATE_CLOCK_SKEW, UNMATCHED_REQUIRED_COUNT
from approvals.errors import RequestUnknown
from approvals.models import (
    ApprovalRequest,
    ApprovalRule,
    BreakGlassReview,
    CheckerRole,
    Decision,
    Delegation,
    Outcome,
    Viewing,
)
from approvals.policies import (
    APPROVAL_RATE_AGE_HOURS,
    DUAL_CHECKER_THRESHOLD_USD,
    STEP_UP_FOR_EVERY_APPROVAL,
)
from approvals.registry import SubjectDescription, hooks_for
from approvals.selectors.levels import may_approve_now, open_to_managers
from core import clock, policies
from core.identity.models import User
from core.identity.roles import AUDITOR, RISK_OFFICER, TREASURY_MANAGER

SEES_VIEWINGS: Final = (AUDITOR, RISK_OFFICER, TREASURY_MANAGER)


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
class Need:
    """How many different people one step needs, and how many of them must be managers."""

    step: int
    count: int
    manager_count: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Requirement:
    """What all steps need together; `steps` one after the other."""

    steps: tuple[Need, ...]

    @property
    def count(self) -> int:
        """Return how many different people must approve."""
        return sum(need.count for need in self.steps)

    @property
    def manager_count(self) -> int:
        """Return how many of them must be managers."""
        return sum(need.manager_count for need in self.steps)

    def stored(self) -> list[dict[str, int]]:
        """Return the steps as a request keeps them."""
        return [asdict(need) for need in self.steps]

    @classmethod
    def of(cls, count: int) -> "Requirement":
        """Return that so many different people must approve, of whatever role."""
        return cls(steps=(Need(step=1, count=count, manager_count=0),))

    def risen(self, other: "Requirement") -> "Requirement":
        """Return the greater of both, step by step."""
        greater: dict[int, Need] = {}
        for need in (*self.steps, *other.steps):
            known = greater.get(need.step, need)
            greater[need.step] = Need(
                step=need.step,
                count=max(need.count, known.count),
                manager_count=max(need.manager_count, known.manager_count),
            )
        return Requirement(steps=tuple(greater[step] for step in sorted(greater)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """What rules are chosen by; `usd` None is above every threshold."""

    action: str
    usd: Decimal | None
    currency: str
    rail: str
    entity: UUID | None


def requirement(*, terms: Terms) -> Requirement:
    """Return what the tenant's rules and policies ask for.

    All rules that fit must be satisfied. Those of one step overlap, so that the greatest count
    per role is needed; steps come one after the other and add up. Without any rule two people
    must approve.
    """
    needs = _ask("approvals_needs", terms)
    steps = tuple(Need(**need) for need in needs)
    found = Requirement(steps=steps)
    is_above = terms.usd is None or terms.usd > policies.get(DUAL_CHECKER_THRESHOLD_USD)
    return at_least_two(found) if is_above else found


def at_least_two(needed: Requirement) -> Requirement:
    """Return the requirement, risen to two people where it asks for one."""
    if needed.count >= UNMATCHED_REQUIRED_COUNT:
        return needed
    first = replace(needed.steps[0], count=UNMATCHED_REQUIRED_COUNT)
    return Requirement(steps=(first, *needed.steps[1:]))


def matching_rules(*, terms: Terms) -> list[dict[str, Any]]:
    """Return the rules that fit, in full, as they are frozen on a request."""
    return _ask("approvals_matching_rules", terms)


def _ask(question: str, terms: Terms) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {question}(%s, %s::numeric, %s, %s, %s::uuid)::text",
            [terms.action, terms.usd, terms.currency, terms.rail, terms.entity],
        )
        found: list[dict[str, Any]] = json.loads(cursor.fetchone()[0])
    return found


def needs_of(request: ApprovalRequest) -> Requirement:
    """Return what a request needs, as it stands."""
    steps = tuple(Need(**need) for need in request.needs)
    return Requirement(steps=steps or (_only_step(request),))


def _only_step(request: ApprovalRequest) -> Need:
    return Need(step=1, count=request.required_count, manager_count=request.required_manager_count)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Eligible:
    """How many different people could decide, and how many of them are managers."""

    count: int
    manager_count: int


def eligible_persons(
    *, besides: Collection[str], roles: Sequence[str] = CheckerRole.values
) -> Eligible:
    """Return how many different people of `roles`, managers among them, could decide besides."""
    found = deciders().filter(groups__name__in=roles).exclude(person_number__in=list(besides))
    everyone = found.values("person_number").distinct().count()
    managers = found.filter(groups__name=CheckerRole.MANAGER)
    return Eligible(
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

    @property
    def may_refuse(self) -> bool:
        """Return whether they may reject it or send it back, even where they may not approve."""
        return self.code in {"", "not_escalated", "authority_exceeded", "not_your_turn"}


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
    return _standing_of_links(user, request)


def _standing_of_links(user: User, request: ApprovalRequest) -> Eligibility:
    found = links(user, request, clock.now())
    if any(link.is_delegator and link.person in request.involved_persons for link in found):
        return Eligibility(
            code="self_approval_refused",
            reason="You act for somebody who made, edited or triggered this.",
        )
    others = {link.person for link in found}
    if (
        others
        and request.decisions.filter(
            Q(checker_person__in=others) | Q(on_behalf_of__person_number__in=others)
        ).exists()
    ):
        return Eligibility(
            code="already_decided",
            reason="You and who delegates to you, or acts for you, count as one person.",
        )
    return Eligibility()


def eligibility(user: User, request: ApprovalRequest) -> Eligibility:
    """Return whether `user` may decide `request` now, or the first reason why not."""
    stands = standing(user, request)
    if not stands.is_eligible:
        return stands
    if request.decisions.filter(checker_person=user.person_number).exists():
        return Eligibility(code="already_decided", reason="You have decided on this already.")
    return _openness(user, request)


def _openness(user: User, request: ApprovalRequest) -> Eligibility:
    if not request.is_pending:
        state = request.get_state_display()
        return Eligibility(code="not_pending", reason=f"This request is {state}.")
    if request.is_past_cutoff(clock.now()):
        return Eligibility(code="past_cutoff", reason="The cut-off has passed.")
    if not may_approve_now(user, request):
        return Eligibility(code="not_escalated", reason=_until_escalated(request))
    if beyond := beyond_authority(user.person_number, request, clock.now()):
        return Eligibility(code="authority_exceeded", reason=f"It is beyond your {beyond}.")
    if out_of_turn(user, request):
        return Eligibility(code="not_your_turn", reason="A manager must approve before you do.")
    return Eligibility()


def _until_escalated(request: ApprovalRequest) -> str:
    at = request.submitted_at + request.managers_from_level * request.escalation_interval
    return (
        "Its checkers decide first. You may approve it once it has escalated to level"
        f" {request.managers_from_level}, from {at:%H:%M} UTC on; you may reject it now."
    )


def worth_of(request: ApprovalRequest) -> Worth:
    """Return what a request is worth, as it stands."""
    return Worth(
        amount=request.amount,
        currency=request.currency,
        usd_equivalent=request.usd_equivalent,
        usd_rate_at=request.usd_rate_at,
    )


def is_above_dual(request: ApprovalRequest, now: datetime) -> bool:
    """Return whether the amount passes the dual threshold; an unknown figure does."""
    usd = worth_of(request).usd_for_rules(now)
    return usd is None or usd > min(policies.get(DUAL_CHECKER_THRESHOLD_USD), DUAL_THRESHOLD_USD)


def needs_step_up(request: ApprovalRequest, now: datetime) -> bool:
    """Return whether an approval of this needs a fresh second factor."""
    return policies.get(STEP_UP_FOR_EVERY_APPROVAL) or is_above_dual(request, now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """A person who counts as one with another; `is_delegator`: who is acted for."""

    person: str
    is_delegator: bool


def links(user: User, request: ApprovalRequest, now: datetime) -> list[Link]:
    """Return who counts as one person with `user` on this request, by delegations in force."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT l.other, l.is_delegator FROM approvals_approvalrequest q,"
            " approvals_linked(%s, q, %s) l WHERE q.id = %s",
            [user.person_number, now, request.pk],
        )
        return [Link(person=other, is_delegator=up) for other, up in cursor.fetchall()]


def beyond_authority(person: str, request: ApprovalRequest, now: datetime) -> str | None:
    """Return which limit of this person the request's amount passes, or None."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT approvals_beyond_authority(%s, q, %s) FROM approvals_approvalrequest q"
            " WHERE q.id = %s",
            [person, now, request.pk],
        )
        found: str | None = cursor.fetchone()[0]
    return found


def delegations_of(user: User, request: ApprovalRequest, now: datetime) -> list[Delegation]:
    """Return the delegations in force by which `user` may decide this for somebody else."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT d.id FROM approvals_delegations(%s) d WHERE d.delegate_id = %s"
            " AND d.action IN ('', %s) AND d.rail IN ('', %s)",
            [now, user.pk, request.action, request.rail],
        )
        found = [row[0] for row in cursor.fetchall()]
    return list(Delegation.objects.filter(pk__in=found).select_related("delegator"))


def unacknowledged(
    request: ApprovalRequest, codes: Collection[str], *, listed: bool = False
) -> list[str]:
    """Return the words of the warnings that were not acknowledged; on a list notes count too."""
    return [
        flag["words"]
        for flag in request.flags
        if (listed or flag["severity"] == "ack") and flag["code"] not in codes
    ]


def waiting_reviews() -> QuerySet[BreakGlassReview]:
    """Return what was approved over broken glass and nobody reviewed yet."""
    return BreakGlassReview.objects.waiting().select_related("request")


def out_of_turn(user: User, request: ApprovalRequest) -> bool:
    """Return whether this person's approval could count only in a later step."""
    found = progress(request)
    waits = found.waits_for_managers and not found.is_last_step
    return waits and not user.has_role(CheckerRole.MANAGER)


def all_requests() -> QuerySet[ApprovalRequest]:
    """Return all requests with what a list shows."""
    return ApprovalRequest.objects.select_related("maker").prefetch_related(
        "decisions__checker", "decisions__step_up", "decisions__on_behalf_of"
    )


def inbox(*, user: User) -> QuerySet[ApprovalRequest]:
    """Return the requests that wait for this user's decision, soonest cut-off first."""
    if user.is_service or not user.is_active or not user.has_role(*CheckerRole.values):
        return all_requests().none()
    is_open = ApprovalRequest.objects.open_at(clock.now())
    if not user.has_role(CheckerRole.CHECKER):
        is_open = is_open.filter(open_to_managers())
    return (
        all_requests()
        .filter(pk__in=is_open.values("pk"))
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
    """How far a request has come; `missing_count` counts people, managers among them.

    `open_step` is the step whose turn it is, None when all are satisfied; `missing_now_count` and
    `missing_now_manager_count` are what that step alone still lacks.
    """

    approved_count: int
    missing_count: int
    missing_manager_count: int
    open_step: int | None
    is_last_step: bool
    missing_now_count: int
    missing_now_manager_count: int
    is_rejected: bool

    @property
    def is_enough(self) -> bool:
        """Return whether nobody else is needed."""
        return not (self.missing_count or self.missing_manager_count or self.is_rejected)

    @property
    def waits_for_managers(self) -> bool:
        """Return whether only managers help the present step."""
        return 0 < self.missing_now_count <= self.missing_now_manager_count


def progress(request: ApprovalRequest) -> Progress:
    """Count the decisions on exactly this content, in the order in which they were given."""
    decisions = [
        decision
        for decision in request.decisions.all()
        if decision.content_hash == request.content_hash
    ]
    approvals = [found for found in decisions if found.outcome == Outcome.APPROVE]
    approvals.sort(key=lambda found: (found.position, found.pk))
    lacking = list(_lacking(needs_of(request), approvals))
    ahead = lacking[0] if lacking else None
    return Progress(
        approved_count=len(approvals),
        missing_count=sum(need.count for need in lacking),
        missing_manager_count=sum(need.manager_count for need in lacking),
        open_step=ahead.step if ahead else None,
        is_last_step=len(lacking) == 1,
        missing_now_count=ahead.count if ahead else 0,
        missing_now_manager_count=ahead.manager_count if ahead else 0,
        is_rejected=len(approvals) < len(decisions),
    )


def _lacking(needed: Requirement, approvals: Sequence[Decision]) -> Iterator[Need]:
    """Yield what the steps that are not satisfied still lack; each approval serves one step."""
    given = iter(approvals)
    for need in needed.steps:
        people = managers = 0
        while people < need.count or managers < need.manager_count:
            approval = next(given, None)
            if approval is None:
                missing_managers = max(need.manager_count - managers, 0)
                yield Need(
                    step=need.step,
                    count=max(need.count - people, missing_managers),
                    manager_count=missing_managers,
                )
                break
            people += 1
            managers += approval.as_role == CheckerRole.MANAGER


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestDetail:
    """Everything a checker needs to see of one request."""

    request: ApprovalRequest
    decisions: tuple[Decision, ...]
    progress: Progress
    eligibility: Eligibility
    description: SubjectDescription
    needs_step_up: bool
    delegations: tuple[Delegation, ...]
    viewings: tuple[Viewing, ...]


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
        needs_step_up=needs_step_up(request, clock.now()),
        delegations=tuple(delegations_of(user, request, clock.now())),
        viewings=tuple(request.viewings.select_related("viewer"))
        if user.has_role(*SEES_VIEWINGS)
        else (),
        description=describe(request.subject_id)
        if describe
        else SubjectDescription(title=request.title),
    )
