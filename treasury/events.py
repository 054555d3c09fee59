"""What the treasury tells the other rooms. Payload keys are a contract (domain 12.3)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from uuid import UUID

from core.events import Event


@dataclass(frozen=True, slots=True, kw_only=True)
class FundMovementStatus(Event):
    """A proposal or its transfer changed state."""

    topic: ClassVar[str] = "ops.fund.movement.status"
    proposal_id: UUID
    reference: str
    from_state: str
    to_state: str
    reason: str
    rail: str
    bank_ref: str
    uetr: str
    at: datetime

    def aggregate(self) -> str:
        """Order changes per proposal."""
        return f"proposal:{self.proposal_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class NostroBalanceUpdate(Event):
    """A bank stated a balance."""

    topic: ClassVar[str] = "ops.nostro.balance.update"
    account_id: UUID
    currency: str
    balance_type: str
    amount: Decimal
    as_of: datetime
    source: str
    statement_id: UUID | None

    def aggregate(self) -> str:
        """Order balances per account."""
        return f"account:{self.account_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class RiskAlert(Event):
    """Something a person must look at: what, where, how bad."""

    topic: ClassVar[str] = "risk.alert"
    kind: str
    severity: str
    subject_type: str
    subject_id: UUID
    title: str
    detail: str
    at: datetime

    def aggregate(self) -> str:
        """Order alerts per subject."""
        return f"{self.subject_type}:{self.subject_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutflowsStopped(Event):
    """One person stopped all outflows."""

    topic: ClassVar[str] = "ops.outflows.stopped"
    freeze_id: UUID
    reason: str
    by: str
    at: datetime

    def aggregate(self) -> str:
        """Order changes per freeze."""
        return f"freeze:{self.freeze_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class OutflowsReleased(Event):
    """Two other people let outflows go on."""

    topic: ClassVar[str] = "ops.outflows.released"
    freeze_id: UUID
    reason: str
    at: datetime

    def aggregate(self) -> str:
        """Order changes per freeze."""
        return f"freeze:{self.freeze_id}"
