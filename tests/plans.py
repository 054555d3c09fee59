"""Statements stay prepared from test to test.

Nearly every test ends with a rollback, upon which the driver forgets all that it has prepared: what
a statement names might be rolled back too. Here only the owner makes and replaces anything, and
commits it; who does so while a test's transaction is open lets its connection `forget`.
"""

from typing import Any

from psycopg._preparing import PrepareManager

_forget = PrepareManager.clear


def keep() -> None:
    """Let connections of this process keep what they prepared when a transaction is rolled back."""

    def nothing(self: PrepareManager) -> bool:
        return False

    PrepareManager.clear = nothing  # type: ignore[method-assign]


def forget(connection: Any) -> None:
    """Let everything be planned anew, with the functions that the owner has just replaced."""
    _forget(connection.connection._prepared)
