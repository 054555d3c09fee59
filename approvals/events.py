"""What the approvals room tells the house."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any, ClassVar, TypedDict
from uuid import UUID

from core.events import Event


class Approval(TypedDict):
    """Who approved, and when."""

    checker: UUID
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestEvent(Event):
    """What every event about a request carries; `proposal_id` is the subject's id."""

    request_id: UUID
    action: str
    subject_type: str
    proposal_id: UUID
    proposal_version: int
    content_hash: str

    def aggregate(self) -> str:
        """Order events per subject."""
        return f"{self.subject_type}:{self.proposal_id}"

    def payload(self) -> dict[str, Any]:
        """Name the subject's version `version`, as the contract does."""
        # Not super(): a dataclass with slots is made anew, and its cell would name the old class.
        wire = Event.payload(self)
        wire["version"] = wire.pop("proposal_version")
        return wire


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalSubmitted(RequestEvent):
    """A request waits for its checkers."""

    topic: ClassVar[str] = "maker_checker.proposal.submitted"
    title: str
    maker: UUID | None
    maker_label: str
    amount: Decimal | None
    currency: str
    rail: str
    usd_equivalent: Decimal | None
    required_count: int
    cutoff_at: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BreakGlassOpened(RequestEvent):
    """Somebody broke the glass: the heads of finance and security hear of it at once."""

    topic: ClassVar[str] = "maker_checker.break_glass.opened"
    title: str
    maker_label: str
    incident: str
    reason: str
    usd_equivalent: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalApproved(RequestEvent):
    """Enough different people approved."""

    topic: ClassVar[str] = "maker_checker.proposal.approved"
    approvals: list[Approval]
    usd_equivalent: Decimal | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalRejected(RequestEvent):
    """One checker said no."""

    topic: ClassVar[str] = "maker_checker.proposal.rejected"
    checker: UUID
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalReturned(RequestEvent):
    """One checker sent it back to its maker, who may amend and submit it again."""

    topic: ClassVar[str] = "maker_checker.proposal.returned"
    checker: UUID
    reason: str
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalEscalated(RequestEvent):
    """Nobody decided in time; its state is unchanged."""

    topic: ClassVar[str] = "maker_checker.proposal.escalated"
    title: str
    level: int
    due_at: datetime
    cutoff_at: datetime | None
    approvals_count: int
    required_count: int
    deciders: list[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalExpired(RequestEvent):
    """The cut-off passed before enough people approved, or before it was used."""

    topic: ClassVar[str] = "maker_checker.proposal.expired"
    cutoff_at: datetime
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class ProposalAmended(RequestEvent):
    """A newer version replaces an older one; the older one's decisions do not count for it."""

    topic: ClassVar[str] = "maker_checker.proposal.amended"
    previous_version: int
    previous_content_hash: str
    voided_decisions_count: int
