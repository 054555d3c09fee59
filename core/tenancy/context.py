"""The tenant is bound for the length of a transaction, and the database enforces it."""

from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import TypeVar
from uuid import UUID

from django.db import ProgrammingError, connection, transaction

from core.errors import DomainError
from core.tenancy.refusals import four_eyes_needed


class NoTenantBound(DomainError):
    """Tenant data was touched outside `bound(...)`."""

    code = "no_tenant"
    status = 500


Read = TypeVar("Read")


@dataclass(frozen=True, slots=True)
class Scope:
    """Who acts, for which tenant, in which request; triggers read the same facts.

    `memory` is what was read once for the whole transaction.
    """

    tenant: UUID
    actor: str
    request: str
    reason: str
    memory: dict[Hashable, object] = field(default_factory=dict, compare=False, repr=False)


_UNKEPT = "unkept"
_scope: ContextVar[Scope | None] = ContextVar("tenant_scope", default=None)

_ANNOUNCE = (
    "SELECT set_config('app.tenant', %s, true), set_config('app.actor', %s, true),"
    " set_config('app.request', %s, true), set_config('app.reason', %s, true)"
)


def _announce(scope: Scope | None) -> None:
    facts = (str(scope.tenant), scope.actor, scope.request, scope.reason) if scope else ("",) * 4
    with connection.cursor() as cursor:
        cursor.execute(_ANNOUNCE, facts)


@contextmanager
def bound(
    tenant: UUID | str, *, actor: UUID | str | None = None, request: str = "", reason: str = ""
) -> Iterator[Scope]:
    """Open a transaction that sees and writes the rows of `tenant` only.

    `actor` is a user's id, or `system:<name>` for the system's own work. Where actor or request
    are not given they are taken over from the outer block, which is restored afterwards: a
    setting survives the release of a savepoint, so leaving it would leak into the outer block.
    The end of the transaction itself ends its settings.

    Raises:
        FourEyesNeeded: the block wrote what only an approved change may write.
    """
    outer = _scope.get()
    wall = UUID(str(tenant))
    scope = Scope(
        tenant=wall,
        actor=str(actor) if actor else (outer.actor if outer else "system"),
        request=request or (outer.request if outer else ""),
        reason=reason,
        memory=outer.memory if outer and outer.tenant == wall else {},
    )
    is_nested = connection.in_atomic_block
    with _in_words(), transaction.atomic():
        _announce(scope)
        token = _scope.set(scope)
        try:
            yield scope
        finally:
            _scope.reset(token)
        if is_nested and not connection.needs_rollback:
            _announce(outer)


@contextmanager
def _in_words() -> Iterator[None]:
    """Let a governed write that nobody approved be a refusal, not a failure of the database."""
    try:
        yield
    except ProgrammingError as error:
        if (refusal := four_eyes_needed(error)) is None:
            raise
        raise refusal from error


def once_per_transaction(key: Hashable, read: Callable[[], Read]) -> Read:
    """Return what `read` returns, asked once until the bound transaction ends.

    For what the transaction may as well see as it was at its first look: never for what a lock
    protects or a person may stop. Whoever writes it calls `read_anew`. Outside of `bound` it is
    read each time.
    """
    scope = _scope.get()
    if scope is None or (_UNKEPT, key) in scope.memory:
        return read()
    if key not in scope.memory:
        scope.memory[key] = read()
    return scope.memory[key]  # type: ignore[return-value]


def read_anew(key: Hashable) -> None:
    """Forget what was read under `key`, and keep nothing under it until the transaction ends.

    What was written may be taken back with a savepoint: what is read after it must not stay.
    """
    scope = _scope.get()
    if scope is not None:
        scope.memory.pop(key, None)
        scope.memory[_UNKEPT, key] = True


def current_scope() -> Scope | None:
    """Return the bound scope, or None outside `bound`."""
    return _scope.get()


def current_tenant_id() -> UUID:
    """Return the bound tenant's id.

    Raises:
        NoTenantBound: called outside `bound`.
    """
    scope = _scope.get()
    if scope is None:
        raise NoTenantBound("No tenant is bound here.")
    return scope.tenant


def tenant_of_new_rows() -> UUID | None:
    """Return the bound tenant for a new row; without one the database refuses the row."""
    scope = _scope.get()
    return scope.tenant if scope else None


def current_actor() -> str:
    """Return the acting user's id or `system:<name>`."""
    scope = _scope.get()
    return scope.actor if scope else "system"


def tenant_ids() -> list[UUID]:
    """Return the ids of all tenants, for batches that visit each in its own transaction."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT core_tenant_ids()")
        return [row[0] for row in cursor.fetchall()]
