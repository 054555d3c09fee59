"""Who may approve at which level of escalation, and how much may go over broken glass."""

from decimal import Decimal

from django.db import connection
from django.db.models import F, Q

from approvals.constants import ESCALATION_LEVEL_MAX
from approvals.models import ApprovalRequest, CheckerRole
from core.identity.models import User


def deciders_by_level(managers_from: int) -> list[list[str]]:
    """Return whose approvals count at each level, the first one being the ordinary one."""
    return [
        [role for role in CheckerRole.values if role == CheckerRole.CHECKER or opened]
        for opened in (level >= managers_from for level in range(ESCALATION_LEVEL_MAX + 1))
    ]


def deciders_at(request: ApprovalRequest, level: int) -> list[str]:
    """Return the roles whose approvals count at a level, as frozen at the submission."""
    frozen: list[list[str]] = request.policy_snapshot.get("deciders", [])
    return frozen[level] if level < len(frozen) else list(CheckerRole.values)


def may_approve_now(user: User, request: ApprovalRequest) -> bool:
    """Return whether the request's level lets a person of these roles approve it."""
    if user.has_role(CheckerRole.CHECKER):
        return True
    return (
        request.managers_from_level <= request.escalation_level
        or request.required_manager_count > 0
    )


def open_to_managers() -> Q:
    """Return the condition under which somebody who is no checker may approve."""
    return Q(managers_from_level__lte=F("escalation_level")) | Q(required_manager_count__gt=0)


def glass_refuses(usd: Decimal | None) -> str | None:
    """Return which limit one more request of this worth over broken glass would pass, or None."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT approvals_glass_refuses(%s::numeric)", [usd])
        found: str | None = cursor.fetchone()[0]
    return found
