"""Refusals of the lines to the banks."""

from collections.abc import Sequence

from core.errors import DomainError, Invalid, NotFound
from integrations.codecs.records import Finding


class MessageUnknown(NotFound):
    """No message of that id."""

    code = "message_unknown"


class ConnectionUnknown(NotFound):
    """No active bank connection of that code."""

    code = "bank_connection_unknown"


class ProfileUnknown(NotFound):
    """No active bank profile of that code."""

    code = "bank_profile_unknown"


class PreflightRefused(Invalid):
    """The bank or the rail would refuse this payment; `context['findings']` says all reasons."""

    code = "preflight_refused"

    def __init__(self, findings: Sequence[Finding]) -> None:
        words = " ".join(finding.message for finding in findings)
        super().__init__(
            f"The payment cannot be sent: {words}",
            field=findings[0].locator,
            findings=[
                {"code": one.code, "message": one.message, "locator": one.locator}
                for one in findings
            ],
        )


class PaymentAlreadyQueued(DomainError):
    """Another order with this end-to-end reference is on its way or was sent."""

    code = "payment_already_queued"


class MessageStateRefused(DomainError):
    """The message is not in a state in which this can be done."""

    code = "message_state_refused"


class CalledInsideTransaction(DomainError):
    """A bank was to be called inside a database transaction."""

    code = "called_inside_transaction"
    status = 500


class LineMisconfigured(Invalid):
    """The connection's settings cannot work."""

    code = "line_misconfigured"
