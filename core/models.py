"""All models of the core, gathered for Django."""

from core.audit.models import (
    AuditEntry,
    AuditLink,
    AuditPending,
    AuditVerification,
    PersonalText,
)
from core.events.models import Delivery, OutboxEvent
from core.idempotency import IdempotencyKey
from core.identity.models import User
from core.policies.models import PolicyVersion
from core.tenancy.models import Tenant

__all__ = [
    "AuditEntry",
    "AuditLink",
    "AuditPending",
    "AuditVerification",
    "Delivery",
    "IdempotencyKey",
    "OutboxEvent",
    "PersonalText",
    "PolicyVersion",
    "Tenant",
    "User",
]
