"""The treasury in the admin."""

from treasury.admin import movement  # noqa: F401 - importing registers
