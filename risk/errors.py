"""What the risk room refuses, with stable codes."""

from core.errors import DomainError, Invalid, NotFound


class NotEnoughData(DomainError):
    """A figure needs more observations than there are."""

    code = "not_enough_data"


class FlowsNotFinite(Invalid):
    """A flow is not a finite number."""

    code = "flows_not_finite"


class ReadingUnknown(NotFound):
    """There is no such reading."""

    code = "risk_reading_unknown"
