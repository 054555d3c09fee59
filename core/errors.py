"""Refusals with stable codes. Free of Django, so that engines may raise them."""

from typing import Any


class DomainError(Exception):
    """A command was refused for a reason that its sender can understand and act on.

    `code` is stable and machine-readable, `status` is the HTTP status it maps to, `context`
    holds the facts behind the message.
    """

    code = "domain_error"
    status = 409

    def __init__(self, message: str, **context: Any) -> None:
        super().__init__(message)
        self.message = message
        self.context = context


class NotFound(DomainError):
    """Nothing of that name exists for this tenant; another tenant's row is answered the same."""

    code = "not_found"
    status = 404


class Invalid(DomainError):
    """The input cannot be accepted; `context['field']` names the field or line."""

    code = "invalid"
    status = 422


class Forbidden(DomainError):
    """The caller may not do this."""

    code = "forbidden"
    status = 403


class FourEyesNeeded(DomainError):
    """The rows steer money: in an opened tenant another person approves their change first."""

    code = "four_eyes_needed"


class IdempotencyConflict(DomainError):
    """The Idempotency-Key was used before, for another request."""

    code = "idempotency_conflict"


class CurrencyMismatch(DomainError):
    """Amounts of two currencies met in one sum or comparison."""

    code = "currency_mismatch"
