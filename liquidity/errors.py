"""What the liquidity room refuses, with stable codes."""

from core.errors import DomainError, NotFound


class PlanUnknown(NotFound):
    """There is no such payout plan."""

    code = "plan_unknown"


class PatternUnknown(NotFound):
    """There is no such recurring pattern."""

    code = "pattern_unknown"


class ForecastUnknown(NotFound):
    """There is no such forecast."""

    code = "forecast_unknown"


class PlanDiffers(DomainError):
    """A plan with this reference exists and says something else."""

    code = "plan_differs"


class PlanClosed(DomainError):
    """The plan is done or was cancelled before."""

    code = "plan_closed"
