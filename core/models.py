"""All models of the core, gathered for Django."""

from core.audit.models import (
    AuditEntry,
    AuditLink,
    AuditPending,
    AuditVerification,
    PersonalText,
)
from core.changes.models import ChangeDraft, ChangeRequest
from core.events.models import Delivery, OutboxEvent
from core.idempotency import IdempotencyKey
from core.identity.models import User
from core.identity.proofs import Passkey, StepUp
from core.identity.reviews import AccessReview, AccessReviewItem
from core.identity.sessions import PersonSession
from core.identity.tokens import TokenFamily
from core.policies.models import PolicyVersion
from core.tenancy.models import Tenant

__all__ = [
    "AccessReview",
    "AccessReviewItem",
    "AuditEntry",
    "AuditLink",
    "AuditPending",
    "AuditVerification",
    "ChangeDraft",
    "ChangeRequest",
    "Delivery",
    "IdempotencyKey",
    "OutboxEvent",
    "Passkey",
    "PersonSession",
    "PersonalText",
    "PolicyVersion",
    "StepUp",
    "Tenant",
    "TokenFamily",
    "User",
]
