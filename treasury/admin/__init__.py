"""The treasury in the admin."""

from treasury.admin import (  # noqa: F401 - importing registers
    beneficiaries,
    freezing,
    movement,
    periods,
    pools,
    readings,
    recalls,
    statements,
    static,
    sweeps,
    tasks,
    uploading,
)
