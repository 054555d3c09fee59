"""What the treasury listens to: bank messages, payment outcomes, shortfalls."""

from treasury.receivers import bank, freezing, movement, recalls  # noqa: F401 - importing subscribes
