"""Say for whom somebody acts: every audit entry written inside carries it."""

from collections.abc import Iterator
from contextlib import contextmanager
from uuid import UUID

from django.db import connection

from core.errors import DomainError


class NotInATransaction(DomainError):
    """Acting for somebody else means something inside `bound(...)` only."""

    code = "no_tenant"
    status = 500


@contextmanager
def on_behalf_of(person: UUID | str | None) -> Iterator[None]:
    """Mark what is changed inside as done for `person`; None changes nothing.

    Raises:
        NotInATransaction: no transaction is open that the mark could live in.
    """
    if not person:
        yield
        return
    if not connection.in_atomic_block:
        raise NotInATransaction("Bind a tenant before acting for somebody else.")
    before = _mark(str(person))
    yield
    # After a failure the rollback takes the mark along with everything else.
    _mark(before)


def _mark(person: str) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(current_setting('app.on_behalf_of', true), '')")
        before = str(cursor.fetchone()[0])
        cursor.execute("SELECT set_config('app.on_behalf_of', %s, true)", [person])
    return before
