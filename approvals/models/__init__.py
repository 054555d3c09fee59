"""Nouns of the approvals room: rules, requests, decisions, authority, and who looked."""

from approvals.models.authority import AuthorityLimit, Delegation
from approvals.models.requests import (
    LIVE,
    ApprovalRequest,
    ApprovalRule,
    CheckerRole,
    Decision,
    DecisionList,
    Outcome,
    RequestState,
)
from approvals.models.watching import BreakGlassReview, Viewing

__all__ = [
    "LIVE",
    "ApprovalRequest",
    "ApprovalRule",
    "AuthorityLimit",
    "BreakGlassReview",
    "CheckerRole",
    "Decision",
    "DecisionList",
    "Delegation",
    "Outcome",
    "RequestState",
    "Viewing",
]
