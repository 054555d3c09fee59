"""The treasury in the admin."""

from treasury.admin import (  # noqa: F401 - importing registers
    beneficiaries,
    movement,
    statements,
    static,
)
