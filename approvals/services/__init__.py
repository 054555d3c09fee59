"""The writers of the approvals room."""

from approvals.services.authority import (
    DelegationIn,
    LimitIn,
    propose_delegation,
    propose_limit,
    revoke_delegation,
)
from approvals.services.closing import cancel, expire, expire_due, withdraw
from approvals.services.deciding import DecisionResult, Evidence, decide
from approvals.services.escalating import Escalation, escalate_due
from approvals.services.listing import (
    ItemResult,
    ListedItem,
    approve_each,
    approve_together,
    list_digest,
)
from approvals.services.ruling import RULE_KEEPERS, RuleIn, add_rule, install_default_rules
from approvals.services.submitting import (
    BreakGlass,
    BreakGlassReason,
    Flag,
    Submission,
    submit,
)
from approvals.services.watching import close_review, record_viewing

__all__ = [
    "RULE_KEEPERS",
    "BreakGlass",
    "BreakGlassReason",
    "DecisionResult",
    "DelegationIn",
    "Escalation",
    "Evidence",
    "Flag",
    "ItemResult",
    "LimitIn",
    "ListedItem",
    "RuleIn",
    "Submission",
    "add_rule",
    "approve_each",
    "approve_together",
    "cancel",
    "close_review",
    "decide",
    "escalate_due",
    "expire",
    "expire_due",
    "install_default_rules",
    "list_digest",
    "propose_delegation",
    "propose_limit",
    "record_viewing",
    "revoke_delegation",
    "submit",
    "withdraw",
]
