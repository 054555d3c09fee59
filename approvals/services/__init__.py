"""The writers of the approvals room."""

from approvals.services.closing import cancel, expire, expire_due, withdraw
from approvals.services.deciding import DecisionResult, Evidence, decide
from approvals.services.escalating import Escalation, escalate_due
from approvals.services.ruling import RuleIn, add_rule, install_default_rules
from approvals.services.submitting import Submission, submit

__all__ = [
    "DecisionResult",
    "Escalation",
    "Evidence",
    "RuleIn",
    "Submission",
    "add_rule",
    "cancel",
    "decide",
    "escalate_due",
    "expire",
    "expire_due",
    "install_default_rules",
    "submit",
    "withdraw",
]
