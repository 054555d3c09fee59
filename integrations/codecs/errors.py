"""Refusals of the codecs."""

from core.errors import DomainError


class UnreadableMessage(DomainError):
    """A bank's file cannot be read; message and locator tell a treasurer why and where."""

    code = "unreadable_message"
    status = 422

    def __init__(self, message: str, *, code: str, locator: str = "") -> None:
        super().__init__(message, locator=locator)
        self.code = code
        self.locator = locator


class UnwritableMessage(DomainError):
    """A payment instruction cannot be expressed in the format; `locator` names the field."""

    code = "unwritable_message"
    status = 422

    def __init__(self, message: str, *, code: str, locator: str = "") -> None:
        super().__init__(message, locator=locator)
        self.code = code
        self.locator = locator
