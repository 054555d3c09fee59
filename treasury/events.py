"""What the treasury tells the other rooms. Payload keys are a contract (domain 12.3)."""

from dataclasses import dataclass
from datetime import date, datetime
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
    """A bank stated a balance; with a statement entries may have come, or have gone."""

    topic: ClassVar[str] = "ops.nostro.balance.update"
    account_id: UUID
    currency: str
    balance_type: str
    amount: Decimal
    as_of: datetime
    source: str
    statement_id: UUID | None
    brings_entries: bool

    def aggregate(self) -> str:
        """Order balances per account."""
        return f"account:{self.account_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CashPosition(Event):
    """What an account has at the end of its present day, by value date, after news of it.

    A state, not a change: the newest one counts. `balance` is the newest stated one, from which
    `available` is reckoned; booked and projected start from the newest booked one. `through`
    is the place in the tenant's sequence of events up to which everything is reckoned in. Figures
    are in the account's currency.
    """

    topic: ClassVar[str] = "cash_positions"
    account_id: UUID
    currency: str
    on: date
    balance: Decimal | None
    balance_type: str
    as_of: datetime | None
    is_stale: bool
    booked: Decimal
    pending: Decimal
    expected_in: Decimal
    expected_out: Decimal
    projected: Decimal
    available: Decimal
    floor: Decimal
    through: int

    def aggregate(self) -> str:
        """Order positions per account."""
        return str(self.account_id)


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


@dataclass(frozen=True, slots=True, kw_only=True)
class _SweepOrderNews(Event):
    """What became of a sweep order."""

    order_id: str
    account_id: UUID
    product: str
    amount_usd: Decimal
    cutoff_utc: datetime
    state: str
    reason: str
    bank_ref: str
    at: datetime

    def aggregate(self) -> str:
        """Order news per sweep order."""
        return f"sweep:{self.order_id}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrderCreated(_SweepOrderNews):
    """An order was decided."""

    topic: ClassVar[str] = "sweep.order.created"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrderSent(_SweepOrderNews):
    """An order left for the connector."""

    topic: ClassVar[str] = "sweep.order.sent"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrderAcked(_SweepOrderNews):
    """The bank has it."""

    topic: ClassVar[str] = "sweep.order.acked"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepOrderFailed(_SweepOrderNews):
    """It does not happen."""

    topic: ClassVar[str] = "sweep.order.failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class SweepIntent(Event):
    """An order to execute, as its signature covers it; or the word that one is void."""

    topic: ClassVar[str] = "sweep_intent"
    type: str
    order_id: str
    jws: str
    reason: str

    def aggregate(self) -> str:
        """Order intents per sweep order."""
        return f"sweep:{self.order_id}"
