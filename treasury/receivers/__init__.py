"""What the treasury listens to: bank messages, payment outcomes, shortfalls."""

from treasury.receivers import (  # noqa: F401 - importing subscribes
    archive,
    bank,
    freezing,
    movement,
    recalls,
    sweeps,
)
