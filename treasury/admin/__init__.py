"""The treasury in the admin."""

from treasury.admin import movement, statements, static  # noqa: F401 - importing registers
