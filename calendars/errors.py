"""Refusals of the calendars room."""

from core.errors import DomainError, Invalid, NotFound


class CalendarCoverageError(DomainError):
    """The calendar holds no data for that day, so nobody may say that it is open."""

    code = "calendar_not_covered"


class CalendarUnknown(NotFound):
    """No calendar of that code is installed for this tenant."""

    code = "calendar_unknown"


class RailUnknown(NotFound):
    """No rail of that code (and currency) is installed for this tenant."""

    code = "rail_unknown"


class RailAmbiguous(Invalid):
    """The rail carries several currencies and the question named none."""

    code = "rail_ambiguous"


class HolidayUnknown(NotFound):
    """The calendar has no holiday row on that day."""

    code = "holiday_unknown"


class HolidayStateRefused(DomainError):
    """The holiday row is not in a state that allows the step."""

    code = "holiday_state_refused"


class OverrideRefused(DomainError):
    """The window override cannot be entered or approved."""

    code = "override_refused"


class SameHandRefused(DomainError):
    """The second pair of eyes belongs to the first person."""

    code = "same_hand_refused"


class LibraryCoverageError(DomainError):
    """The public-holiday library has no complete data for that year."""

    code = "library_not_covered"
