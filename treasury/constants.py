"""Words of the treasury that other rooms may use."""

from typing import Final

from django.db import models

# What the approvals room calls our proposals.
PROPOSAL_SUBJECT: Final = "treasury.proposal"
# What the approvals room calls the release of a freeze.
FREEZE_SUBJECT: Final = "treasury.freeze"
# What the approvals room calls the recall of a payment.
RECALL_SUBJECT: Final = "treasury.recall"
# What the approvals room calls a sweep beyond its mandate.
SWEEP_SUBJECT: Final = "treasury.sweep"


class ProposalState(models.TextChoices):
    """The life of a fund-movement proposal."""

    DRAFT = "DRAFT", "draft"
    PENDING = "PENDING", "awaiting approval"
    APPROVED = "APPROVED", "approved"
    REJECTED = "REJECTED", "rejected"
    CANCELLED = "CANCELLED", "cancelled"
    EXPIRED = "EXPIRED", "expired"
    EXECUTING = "EXECUTING", "being sent"
    SENT = "SENT", "sent"
    CONFIRMED = "CONFIRMED", "confirmed"
    SETTLED = "SETTLED", "settled"
    FAILED = "FAILED", "failed"
    RETURNED = "RETURNED", "returned"


class BeneficiaryState(models.TextChoices):
    """Whether a beneficiary may be paid."""

    ACTIVE = "ACTIVE", "active"
    BLOCKED = "BLOCKED", "blocked"


class FreezeState(models.TextChoices):
    """The life of an emergency stop."""

    FROZEN = "FROZEN", "all outflows stopped"
    RELEASING = "RELEASING", "release awaits approval"
    RELEASED = "RELEASED", "released"


class SweepState(models.TextChoices):
    """The life of a sweep order, as its consumers know it."""

    NEW = "NEW", "new"
    SENT = "SENT", "sent"
    ACK = "ACK", "acknowledged"
    FAILED = "FAILED", "failed"


# What a person looks into while a balance is too old to decide on, and what closes it.
SWEEP_STALE_TASK: Final = "sweep_balance_stale"
SWEEP_STALE_ANSWERED: Final = "A fresh balance came."
