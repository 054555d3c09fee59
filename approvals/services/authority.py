"""Propose who acts for whom, and how far authority reaches: both count once a manager approved."""

import json
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Q

from approvals.constants import AUTHORITY_LIMIT, CONTROL, DELEGATION, DELEGATION_DAYS_MAX
from approvals.errors import DelegationRefused, DelegationUnknown
from approvals.models import AuthorityLimit, CheckerRole, Delegation
from approvals.selectors.authority import LIMIT_KEEPERS
from approvals.services.submitting import Submission, submit
from core import clock
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import TREASURY_MANAGER


@dataclass(frozen=True, slots=True, kw_only=True)
class DelegationIn:
    """In whose place `delegate` decides, and how far; empty text means any."""

    delegate: User
    starts_at: datetime
    ends_at: datetime
    reason: str
    action: str = ""
    rail: str = ""
    amount_usd_max: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LimitIn:
    """Up to what a person may approve, in USD; None is no limit."""

    person: User
    per_transaction_usd: Decimal | None
    per_day_usd: Decimal | None
    reason: str


@transaction.atomic
def propose_delegation(*, delegation: DelegationIn, actor: User) -> Delegation:
    """Put a delegation of one's own before a manager; until they approve it counts for nothing.

    Raises:
        Invalid: the dates, the cap or the reason make no sense.
        DelegationRefused: either may not check, or it would be delegated on.
        NobodyEligible: no other manager could approve it.
    """
    _check_span(delegation)
    _check_people(delegation, actor)
    made = Delegation.objects.create(
        delegator=actor,
        delegate=delegation.delegate,
        action=delegation.action,
        rail=delegation.rail,
        amount_usd_max=delegation.amount_usd_max,
        starts_at=delegation.starts_at,
        ends_at=delegation.ends_at,
        reason=delegation.reason.strip(),
        created_at=clock.now(),
    )
    content = _content_of("approvals_delegation_content", "approvals_delegation", made.pk)
    _submit_control(
        subject_type=DELEGATION,
        subject_id=made.pk,
        title=f"{delegation.delegate.display_name} decides for {actor.display_name}",
        content=content,
        people=(actor, delegation.delegate),
    )
    return made


def _check_span(delegation: DelegationIn) -> None:
    span = delegation.ends_at - delegation.starts_at
    if not timedelta(0) < span <= timedelta(days=DELEGATION_DAYS_MAX):
        raise Invalid(f"A delegation lasts {DELEGATION_DAYS_MAX} days at most.", field="ends_at")
    if delegation.ends_at <= clock.now():
        raise Invalid("A delegation ends in the future.", field="ends_at")
    if delegation.amount_usd_max is not None and delegation.amount_usd_max < 0:
        raise Invalid("A cap is not negative.", field="amount_usd_max")
    if not delegation.reason.strip():
        raise Invalid("Say why.", field="reason")


def _check_people(delegation: DelegationIn, actor: User) -> None:
    delegate = delegation.delegate
    if delegate.person_number == actor.person_number:
        raise DelegationRefused("Nobody delegates to themselves.")
    for person in (actor, delegate):
        if person.is_service or not person.is_active or not person.has_role(*CheckerRole.values):
            raise DelegationRefused(f"{person.display_name} may not check.")
    again = Delegation.objects.filter(
        Q(delegate__person_number=actor.person_number)
        | Q(delegator__person_number=delegate.person_number),
        revoked_at=None,
        starts_at__lt=delegation.ends_at,
        ends_at__gt=delegation.starts_at,
    )
    if again.exists():
        raise DelegationRefused("What was delegated is not delegated again.")


@transaction.atomic
def revoke_delegation(*, delegation_id: UUID, actor: User) -> Delegation:
    """End a delegation at once; either side or a manager may.

    Raises:
        DelegationUnknown: the tenant has none of that id.
        Forbidden: the actor has no part in it.
        DelegationRefused: it was revoked before.
    """
    found = Delegation.objects.select_for_update().filter(pk=delegation_id).first()
    if found is None:
        raise DelegationUnknown("There is no such delegation.", delegation=str(delegation_id))
    has_part = actor.pk in (found.delegator_id, found.delegate_id)
    if not has_part and not actor.has_role(TREASURY_MANAGER):
        raise Forbidden("Its two people and managers revoke a delegation.")
    if found.revoked_at is not None:
        raise DelegationRefused("It was revoked before.")
    found.revoked_at = clock.now()
    found.save(update_fields=["revoked_at"])
    return found


@transaction.atomic
def propose_limit(*, limit: LimitIn, actor: User) -> AuthorityLimit:
    """Put a person's limit before a manager; until they approve the one before stays in force.

    Raises:
        Forbidden: the actor looks after neither risk nor the tenant.
        Invalid: the figures or the reason make no sense.
        NobodyEligible: no other manager could approve it.
    """
    if not actor.has_role(*LIMIT_KEEPERS):
        raise Forbidden("Limits are proposed by managers, risk and administration only.")
    for name in ("per_transaction_usd", "per_day_usd"):
        figure = getattr(limit, name)
        if figure is not None and (not figure.is_finite() or figure < 0):
            raise Invalid("A limit is a figure that is not negative.", field=name)
    if not limit.reason.strip():
        raise Invalid("Say why.", field="reason")
    made = AuthorityLimit.objects.create(
        person=limit.person,
        per_transaction_usd=limit.per_transaction_usd,
        per_day_usd=limit.per_day_usd,
        reason=limit.reason.strip(),
        created_by=actor,
        created_at=clock.now(),
    )
    _submit_control(
        subject_type=AUTHORITY_LIMIT,
        subject_id=made.pk,
        title=f"Limit of {limit.person.display_name}",
        content=_content_of("approvals_limit_content", "approvals_authoritylimit", made.pk),
        people=(actor, limit.person),
    )
    return made


def _content_of(function: str, table: str, row: UUID) -> dict[str, Any]:
    """Return what is approved of a row, as the database compares it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT {function}(t)::text FROM {table} t WHERE t.id = %s",  # noqa: S608
            [row],
        )
        content: dict[str, Any] = json.loads(cursor.fetchone()[0])
    return content


def _submit_control(
    *,
    subject_type: str,
    subject_id: UUID,
    title: str,
    content: dict[str, Any],
    people: tuple[User, User],
) -> None:
    maker, other = people
    submit(
        submission=Submission(
            action=CONTROL,
            subject_type=subject_type,
            subject_id=subject_id,
            subject_version=1,
            title=title,
            content=content,
            maker=maker,
            maker_label=maker.display_name,
            amount=None,
            involved=(other,),
        )
    )
