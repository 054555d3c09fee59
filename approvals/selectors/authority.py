"""What the page of authority shows: who acts for whom, and how far each person's word reaches."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Final
from uuid import UUID

from django.db import connection

from approvals.constants import AUTHORITY_LIMIT, CONTROL, DELEGATION, STATIC_DATA
from approvals.models import (
    ApprovalRequest,
    ApprovalRule,
    AuthorityLimit,
    BreakGlassReview,
    CheckerRole,
    Delegation,
    RequestState,
)
from approvals.selectors import deciders
from calendars import selectors as calendars
from core.identity.models import User
from core.identity.roles import AUDITOR, RISK_OFFICER, TENANT_ADMIN, TREASURY_MANAGER

READERS: Final = (*CheckerRole.values, RISK_OFFICER, AUDITOR, TENANT_ADMIN)
REVIEWERS: Final = (*CheckerRole.values, RISK_OFFICER, AUDITOR)
LIMIT_KEEPERS: Final = (TENANT_ADMIN, RISK_OFFICER, TREASURY_MANAGER)
LISTED_MAX: Final = 100


class Standing(StrEnum):
    """What became of a delegation or a limit."""

    WAITING = "waits for a manager"
    AHEAD = "approved, begins later"
    IN_FORCE = "in force"
    REFUSED = "not approved"
    REVOKED = "revoked"
    ENDED = "ended"

    @property
    def look(self) -> str:
        """Return how its label looks."""
        looks = {Standing.WAITING: "PENDING", Standing.AHEAD: "APPROVED", Standing.IN_FORCE: "OK"}
        return looks.get(self, "QUIET")


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationLine:
    """One delegation, where it stands, and whether the reader may end it."""

    delegation: Delegation
    standing: Standing
    request: UUID | None
    may_revoke: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitLine:
    """One person's limit: in force, proposed, or none at all."""

    person: User
    per_transaction_usd: Decimal | None
    per_day_usd: Decimal | None
    reason: str
    since: datetime | None
    standing: Standing
    request: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ReviewLine:
    """One review that waits, and whether the reader may close it."""

    review: BreakGlassReview
    is_late: bool
    may_close: bool


def delegations(*, user: User, now: datetime) -> list[DelegationLine]:
    """Return the newest delegations with where they stand."""
    found = list(Delegation.objects.select_related("delegator", "delegate")[:LISTED_MAX])
    asked = _requests(DELEGATION, [one.pk for one in found])
    counting = _approved_delegations()
    return [
        DelegationLine(
            delegation=one,
            standing=(standing := _standing(one, asked.get(one.pk), counting, now)),
            request=asked[one.pk].pk if one.pk in asked else None,
            may_revoke=standing in (Standing.WAITING, Standing.AHEAD, Standing.IN_FORCE)
            and (user.pk in (one.delegator_id, one.delegate_id) or user.has_role(TREASURY_MANAGER)),
        )
        for one in found
    ]


def _standing(
    delegation: Delegation, request: ApprovalRequest | None, counting: set[UUID], now: datetime
) -> Standing:
    if delegation.revoked_at is not None:
        return Standing.REVOKED
    if delegation.ends_at <= now:
        return Standing.ENDED
    if delegation.pk in counting:
        return Standing.IN_FORCE if delegation.starts_at <= now else Standing.AHEAD
    is_waiting = request is not None and request.state == RequestState.PENDING
    return Standing.WAITING if is_waiting else Standing.REFUSED


def _requests(subject_type: str, subjects: list[UUID]) -> dict[UUID, ApprovalRequest]:
    found = ApprovalRequest.objects.filter(subject_type=subject_type, subject_id__in=subjects)
    return {request.subject_id: request for request in found}


def _approved_delegations() -> set[UUID]:
    """Return what a manager approved, as the guards of decisions ask it."""
    return _ids(
        "SELECT d.id FROM approvals_delegation d WHERE approvals_control_approved(%s, d.id,"
        " approvals_delegation_content(d),"
        " ARRAY[approvals_person(d.delegator_id), approvals_person(d.delegate_id)])",
        DELEGATION,
    )


def _limits_in_force() -> set[UUID]:
    """Return each person's latest approved limit, as the guards of decisions ask it."""
    return _ids(
        "SELECT DISTINCT ON (l.person_id) l.id FROM approvals_authoritylimit l"
        " WHERE approvals_control_approved(%s, l.id, approvals_limit_content(l),"
        " ARRAY[approvals_person(l.person_id)])"
        " ORDER BY l.person_id, l.created_at DESC, l.id DESC",
        AUTHORITY_LIMIT,
    )


def _ids(question: str, subject_type: str) -> set[UUID]:
    with connection.cursor() as cursor:
        cursor.execute(question, [subject_type])
        return {row[0] for row in cursor.fetchall()}


def limits() -> list[LimitLine]:
    """Return what is in force and what waits, person by person; checkers without a limit too."""
    in_force = _limits_in_force()
    pending = ApprovalRequest.objects.filter(
        subject_type=AUTHORITY_LIMIT, state=RequestState.PENDING
    )
    asked = {request.subject_id: request.pk for request in pending}
    shown = AuthorityLimit.objects.filter(pk__in={*in_force, *asked}).select_related("person")
    lines = [
        LimitLine(
            person=one.person,
            per_transaction_usd=one.per_transaction_usd,
            per_day_usd=one.per_day_usd,
            reason=one.reason,
            since=one.created_at,
            standing=Standing.IN_FORCE if one.pk in in_force else Standing.WAITING,
            request=asked.get(one.pk),
        )
        for one in shown
    ]
    limited = {line.person.pk for line in lines if line.standing == Standing.IN_FORCE}
    lines += [
        LimitLine(
            person=person,
            per_transaction_usd=None,
            per_day_usd=None,
            reason="",
            since=None,
            standing=Standing.IN_FORCE,
            request=None,
        )
        for person in deciders()
        if person.pk not in limited
    ]
    return sorted(lines, key=lambda line: (line.person.display_name, line.standing))


def reviews(*, user: User, now: datetime) -> list[ReviewLine]:
    """Return the reviews of broken glass that wait, soonest due first."""
    found = BreakGlassReview.objects.waiting().select_related("request")
    waiting = found.prefetch_related("request__decisions__on_behalf_of")
    return [
        ReviewLine(
            review=one,
            is_late=one.due_at <= now,
            may_close=user.has_role(*REVIEWERS)
            and user.person_number not in _had_a_part(one.request),
        )
        for one in waiting
    ]


def _had_a_part(request: ApprovalRequest) -> set[str]:
    decisions = request.decisions.all()
    acted_for = {one.on_behalf_of.person_number for one in decisions if one.on_behalf_of}
    return {*request.involved_persons, *(one.checker_person for one in decisions), *acted_for}


def actions() -> list[str]:
    """Return what can be delegated on its own: every action that rules or requests name."""
    ruled = ApprovalRule.objects.exclude(action="").values_list("action", flat=True)
    seen = ApprovalRequest.objects.values_list("action", flat=True).distinct()
    return sorted({CONTROL, STATIC_DATA, *ruled, *seen.order_by()})


def rails() -> list[str]:
    """Return the codes of the rails."""
    return sorted({rail.code for _, rail in calendars.all_rails()})


def find_person(person: UUID) -> User | None:
    """Return somebody who may check, or None."""
    return deciders().filter(pk=person).first()
