"""Add approval rules. There is no way to change or remove one."""

from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from approvals.constants import CONTROL, STATIC_DATA, STEP_MAX
from approvals.models import ApprovalRule, CheckerRole
from approvals.policies import DUAL_CHECKER_THRESHOLD_USD
from core import clock, policies
from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.roles import RISK_OFFICER, TENANT_ADMIN, TREASURY_MANAGER

RULE_KEEPERS: Final = (TENANT_ADMIN, RISK_OFFICER, TREASURY_MANAGER)


@dataclass(frozen=True, slots=True, kw_only=True)
class RuleIn:
    """A rule to add; empty text means any, no amount means always."""

    required_count: int
    action: str = ""
    amount_above_usd: Decimal | None = None
    currency: str = ""
    rail: str = ""
    role: str = CheckerRole.CHECKER
    entity: UUID | None = None
    step: int = 1


def _ensure(rule: RuleIn, created_by: User | None) -> ApprovalRule:
    made, _ = ApprovalRule.objects.get_or_create(
        action=rule.action,
        amount_above_usd=rule.amount_above_usd,
        currency=rule.currency,
        rail=rule.rail,
        entity=rule.entity,
        step=rule.step,
        role=rule.role,
        required_count=rule.required_count,
        defaults={"created_by": created_by, "created_at": clock.now()},
    )
    return made


def install_default_rules() -> list[ApprovalRule]:
    """Make sure of the house rules, all of which hold together.

    One checker always, two strictly above the threshold; a checker for static data, a manager for
    what changes the strength of controls.
    """
    threshold = policies.get(DUAL_CHECKER_THRESHOLD_USD)
    return [
        _ensure(RuleIn(required_count=1), None),
        _ensure(RuleIn(required_count=2, amount_above_usd=threshold), None),
        _ensure(RuleIn(required_count=1, action=STATIC_DATA), None),
        _ensure(RuleIn(required_count=1, action=CONTROL, role=CheckerRole.MANAGER), None),
    ]


def add_rule(*, rule: RuleIn, actor: User) -> ApprovalRule:
    """Add a rule; it can only make approvals stricter, and applies from the next decision on.

    Raises:
        Forbidden: the actor looks after neither risk nor the tenant.
        Invalid: the count or the role makes no sense.
    """
    if not actor.has_role(*RULE_KEEPERS):
        raise Forbidden("Rules are added by managers, risk and administration only.")
    if rule.role not in CheckerRole.values:
        raise Invalid("A rule counts checkers or managers.", field="role")
    if rule.required_count < 1:
        raise Invalid("A rule asks for at least one approval.", field="required_count")
    if not 1 <= rule.step <= STEP_MAX:
        raise Invalid(f"Steps are counted from 1 to {STEP_MAX}.", field="step")
    return _ensure(rule, actor)
