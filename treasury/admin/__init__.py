"""The treasury in the admin."""

from treasury.admin import (  # noqa: F401 - importing registers
    beneficiaries,
    freezing,
    movement,
    statements,
    static,
    tasks,
    uploading,
)
