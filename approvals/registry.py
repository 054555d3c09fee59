"""What is approved: other rooms register their subjects here, so that this room knows none."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from approvals.errors import SubjectUnknown
from core.identity.models import User


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectOutcome:
    """What happened to a request, for the room that owns its subject."""

    request_id: UUID
    subject_type: str
    subject_id: UUID
    subject_version: int
    content_hash: str
    content: dict[str, Any]
    state: str
    at: datetime
    reason: str
    actor: User | None


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectDescription:
    """How a subject shows to its checkers."""

    title: str
    url: str = ""
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class UsdQuote:
    """What an amount is worth in USD: `rate` is USD for one unit of its currency."""

    usd_equivalent: Decimal
    rate: Decimal
    rate_at: datetime


Callback = Callable[[SubjectOutcome], None]


def nothing(_outcome: SubjectOutcome) -> None:
    """Do nothing: the subject does not care."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SubjectHooks:
    """Callbacks of a subject's room, called in the transaction that closes the request.

    A callback that raises refuses the step: everything rolls back. Without a callback of its own a
    request for changes reaches `on_rejected`. `requote` returns the present
    USD worth of (amount, currency) or None; with it the requirement can rise until approval.
    `before_several` takes, in one order, the locks of several subjects decided in one transaction.
    """

    on_approved: Callback
    on_rejected: Callback = nothing
    on_expired: Callback = nothing
    on_cancelled: Callback = nothing
    on_changes_requested: Callback | None = None
    describe: Callable[[UUID], SubjectDescription] | None = None
    requote: Callable[[Decimal, str], UsdQuote | None] | None = None
    before_several: Callable[[Sequence[UUID]], None] | None = None


_subjects: dict[str, SubjectHooks] = {}


def register(subject_type: str, hooks: SubjectHooks) -> None:
    """Register a kind of subject, like `treasury.proposal`; a second call replaces the first."""
    _subjects[subject_type] = hooks


def hooks_for(subject_type: str) -> SubjectHooks:
    """Return the hooks of a kind of subject.

    Raises:
        SubjectUnknown: no room registered it.
    """
    if subject_type not in _subjects:
        raise SubjectUnknown(f"Nobody registered {subject_type!r}.", field="subject_type")
    return _subjects[subject_type]


def subject_types() -> list[str]:
    """Return the registered kinds of subject."""
    return sorted(_subjects)
