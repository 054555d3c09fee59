"""Where this room meets others: its part of `/health`, who stops the sending, who pays."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.db import DatabaseError

from core.tenancy import bound, tenant_ids
from integrations import selectors
from integrations.engine.routes import Gap, Sender

_readers: list[Callable[[UUID, str], Iterable["Use"]]] = []
_stops: list[Callable[[], bool]] = []
_senders: list[Callable[[], Iterable[Sender]]] = []


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What a higher room made of a message, and where that can be seen."""

    title: str
    words: str
    url: str


def register_reader(uses: Callable[[UUID, str], Iterable[Use]]) -> None:
    """Let a higher room say what became of a message, by its id and its end-to-end id."""
    if uses not in _readers:
        _readers.append(uses)


def uses_of(message_id: UUID, reference: str) -> list[Use]:
    """Return what the rooms above made of a message."""
    return [use for uses in _readers for use in uses(message_id, reference)]


def register_senders(senders: Callable[[], Iterable[Sender]]) -> None:
    """Let a higher room name the accounts that pay, so that their routes can be looked over."""
    if senders not in _senders:
        _senders.append(senders)


def route_gaps() -> list[Gap]:
    """Return the accounts and rails of the bound tenant for which no payment could leave."""
    return selectors.route_gaps([one for senders in _senders for one in senders()])


def register_stop(is_stopped: Callable[[], bool]) -> None:
    """Let a higher room hold back what is queued: while it says so, nothing is handed to a bank."""
    if is_stopped not in _stops:
        _stops.append(is_stopped)


def sending_is_stopped() -> bool:
    """Return whether any room holds back what is queued, for the bound tenant."""
    return any(is_stopped() for is_stopped in _stops)


def bank_apis() -> dict[str, Any]:
    """Report `degraded` while the circuit of any active line is open."""
    circuits = 0
    try:
        for tenant in tenant_ids():
            with bound(tenant, actor="system:health"):
                circuits += len(selectors.open_circuits())
    except DatabaseError as error:
        return {"status": "degraded", "error": type(error).__name__}
    return {"status": "degraded" if circuits else "ok", "open_circuits": circuits}
