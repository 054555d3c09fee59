"""What the treasury listens to: bank messages, payment outcomes, shortfalls."""

from treasury.receivers import archive, bank, freezing, movement  # noqa: F401 - importing subscribes
