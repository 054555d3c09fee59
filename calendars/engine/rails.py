"""Payment rails: opening hours, cut-offs and value dates as pure functions of an instant.

A cut-off is a local wall time in an IANA zone on a business date; instants are computed from
it with `datetime.combine`, so that daylight-saving changes move the instant and never the
wall time. Intervals are half-open: the cut-off instant itself is already missed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from calendars.constants import EVERY_WEEKDAY, SEARCH_DAYS_MAX
from calendars.engine.days import (
    EVERY_DAY,
    ONE_DAY,
    BusinessCalendar,
    JointCalendar,
    add_business_days,
)
from calendars.errors import CalendarCoverageError


class WindowKind(StrEnum):
    """The instants that shape a rail's day."""

    OPEN = "OPEN"
    CUSTOMER = "CUSTOMER"
    INTERBANK = "INTERBANK"
    CLOSE = "CLOSE"


class SlaPolicy(StrEnum):
    """When a missing confirmation counts as late."""

    ELAPSED = "ELAPSED"
    DESK_CLOSE = "DESK_CLOSE"


class ClosedReason(StrEnum):
    """Why a rail takes nothing at this instant."""

    WEEKEND = "weekend"
    HOLIDAY = "holiday"
    NOT_YET_OPEN = "not_yet_open"
    CLOSED_FOR_TODAY = "closed_for_today"


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowRule:
    """A local time of day with its validity; `effective_to` is exclusive.

    `day_offset` -1 places the time on the calendar day before the business date (Fedwire opens
    at 21:00 on the evening before). The mask and the dates are those of the business date.
    """

    kind: WindowKind
    local_time: time
    effective_from: date
    effective_to: date | None = None
    day_offset: int = 0
    weekday_mask: int = EVERY_WEEKDAY

    def applies(self, day: date) -> bool:
        """Tell whether the rule governs the business date `day`."""
        started = self.effective_from <= day
        ended = self.effective_to is not None and day >= self.effective_to
        return started and not ended and bool(self.weekday_mask >> day.weekday() & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowOverride:
    """An approved exception for one business date; without a time the rail stays closed."""

    business_date: date
    kind: WindowKind
    local_time: time | None


@dataclass(frozen=True, slots=True, kw_only=True)
class BankCutoffRule:
    """A bank's own, earlier cut-off for a rail, in its zone; `effective_to` is exclusive."""

    bank: str
    kind: WindowKind
    local_time: time
    tz: str
    effective_from: date
    effective_to: date | None = None
    weekday_mask: int = EVERY_WEEKDAY

    def applies(self, day: date) -> bool:
        """Tell whether the rule governs the business date `day`."""
        started = self.effective_from <= day
        ended = self.effective_to is not None and day >= self.effective_to
        return started and not ended and bool(self.weekday_mask >> day.weekday() & 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class RailData:
    """Everything that decides when a rail takes a payment and for which date."""

    code: str
    currency: str
    tz: str
    calendar: str | None
    name: str = ""
    windows: tuple[WindowRule, ...] = ()
    overrides: tuple[WindowOverride, ...] = ()
    bank_cutoffs: tuple[BankCutoffRule, ...] = ()
    settlement_days: int = 0
    sla_minutes: int | None = None
    sla_policy: SlaPolicy = SlaPolicy.ELAPSED

    @property
    def cutoff_kind(self) -> WindowKind | None:
        """The cut-off a customer payment must meet: CUSTOMER, else CLOSE, else none (24x7)."""
        kinds = {window.kind for window in self.windows}
        preference = (WindowKind.CUSTOMER, WindowKind.CLOSE)
        return next((kind for kind in preference if kind in kinds), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a payment uses the rail: through which bank, as which kind, with how much lead."""

    bank: str | None = None
    kind: WindowKind | None = None
    lead: timedelta = timedelta(0)


PLAIN = Terms()


@dataclass(frozen=True, slots=True, kw_only=True)
class RailStatus:
    """A rail at one instant. All instants are UTC.

    `business_date` is the date being worked, or the next one. `cutoff_at` belongs to it and may
    have passed while the rail is still open for other traffic; `next_cutoff_at` is the first
    one that can still be met. Rails without cut-off carry None in all three.
    """

    rail: str
    currency: str
    tz: str
    is_open: bool
    business_date: date
    opens_at: datetime | None
    cutoff_at: datetime | None
    closes_at: datetime | None
    seconds_to_cutoff: int | None
    next_cutoff_at: datetime | None
    value_date: date
    reason_closed: ClosedReason | None
    reason_detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ClosingWindow:
    """A cut-off that comes within the warning time."""

    kind: WindowKind
    business_date: date
    cutoff_at: datetime
    minutes_left: int


def instant(day: date, at: time, tz: str) -> datetime:
    """Return the UTC instant of a local wall time.

    A wall time skipped by a daylight-saving change is read as the same span after midnight
    would be without the change; one that occurs twice is taken the first time.
    """
    return datetime.combine(day, at, ZoneInfo(tz)).astimezone(UTC)


def business_calendar(
    rail: RailData, calendar: BusinessCalendar | None, *also: BusinessCalendar
) -> BusinessCalendar:
    """Return the days on which `rail` runs, narrowed by further calendars.

    Raises:
        CalendarCoverageError: the rail follows a calendar and none was given.
    """
    if rail.calendar is not None and calendar is None:
        raise CalendarCoverageError(
            f"Rail {rail.code} needs calendar {rail.calendar}.", rail=rail.code
        )
    own = EVERY_DAY if calendar is None else calendar
    return JointCalendar((own, *also)) if also else own


def _override(rail: RailData, day: date, kind: WindowKind) -> WindowOverride | None:
    return next((o for o in rail.overrides if o.business_date == day and o.kind is kind), None)


def window_at(rail: RailData, day: date, kind: WindowKind) -> datetime | None:
    """Return the rail's own instant of `kind` on the business date, or None without one."""
    override = _override(rail, day, kind)
    if override is not None and override.local_time is not None:
        return instant(day, override.local_time, rail.tz)
    rule = next((w for w in rail.windows if w.kind is kind and w.applies(day)), None)
    if rule is None:
        return None
    return instant(day + ONE_DAY * rule.day_offset, rule.local_time, rail.tz)


def _is_struck_out(rail: RailData, day: date) -> bool:
    return any(o.business_date == day and o.local_time is None for o in rail.overrides)


def runs_on(rail: RailData, calendar: BusinessCalendar, day: date) -> bool:
    """Tell whether `day` is a business date of the rail, ad hoc closures included."""
    return calendar.is_open(day) and not _is_struck_out(rail, day)


def effective_cutoff(
    rail: RailData, calendar: BusinessCalendar, day: date, terms: Terms = PLAIN
) -> datetime | None:
    """Return min(rail cut-off, bank's cut-off, half-day end) less the lead time, in UTC.

    None means that nothing limits the day: a rail around the clock.

    Raises:
        CalendarCoverageError: the rail has windows, but none of that kind in force on `day`.
    """
    kind = terms.kind or rail.cutoff_kind or WindowKind.CUSTOMER
    own = window_at(rail, day, kind)
    if own is None and rail.windows:
        raise CalendarCoverageError(
            f"Rail {rail.code} has no {kind} window in force on {day}.",
            rail=rail.code,
            date=day.isoformat(),
        )
    kinds = {kind} if terms.kind else {kind, WindowKind.CUSTOMER}
    bounds = [own, calendar.early_close(day)]
    bounds += [
        instant(day, rule.local_time, rule.tz)
        for rule in rail.bank_cutoffs
        if rule.bank == terms.bank and rule.kind in kinds and rule.applies(day)
    ]
    known = [bound.astimezone(UTC) for bound in bounds if bound is not None]
    return min(known) - terms.lead if known else None


def opens_at(rail: RailData, day: date) -> datetime | None:
    """Return the instant from which the rail works for `day`, or None without opening hours."""
    return window_at(rail, day, WindowKind.OPEN)


def closes_at(rail: RailData, calendar: BusinessCalendar, day: date) -> datetime | None:
    """Return the instant at which the rail stops for `day`, or None if it never does."""
    ends = [
        at
        for kind in (WindowKind.CUSTOMER, WindowKind.INTERBANK, WindowKind.CLOSE)
        if (at := window_at(rail, day, kind)) is not None
    ]
    early = calendar.early_close(day)
    last = max(ends, default=None)
    if early is None or last is None:
        return last
    return min(last, early.astimezone(UTC))


def _business_dates(
    rail: RailData, calendar: BusinessCalendar, start: date, *, step: timedelta = ONE_DAY
) -> Iterator[date]:
    for count in range(SEARCH_DAYS_MAX):
        day = start + step * count
        if runs_on(rail, calendar, day):
            yield day
    raise CalendarCoverageError(
        f"Rail {rail.code} has no usable date within {SEARCH_DAYS_MAX} days of {start}.",
        rail=rail.code,
        date=start.isoformat(),
    )


def local_date(rail: RailData, now: datetime) -> date:
    """Return the calendar date in the rail's zone."""
    return now.astimezone(ZoneInfo(rail.tz)).date()


def value_date_for(
    rail: RailData, calendar: BusinessCalendar | None, now: datetime, terms: Terms = PLAIN
) -> date:
    """Return the first business date whose effective cut-off lies strictly after `now`.

    Raises:
        CalendarCoverageError: the search leaves what the calendar covers.
    """
    days = business_calendar(rail, calendar)
    return next(
        day
        for day in _business_dates(rail, days, local_date(rail, now))
        if _is_ahead(effective_cutoff(rail, days, day, terms), now)
    )


def _is_ahead(bound: datetime | None, now: datetime) -> bool:
    return bound is None or now < bound


def _working_date(rail: RailData, calendar: BusinessCalendar, now: datetime) -> date:
    return next(
        day
        for day in _business_dates(rail, calendar, local_date(rail, now))
        if _is_ahead(closes_at(rail, calendar, day), now)
    )


def _reason(rail: RailData, calendar: BusinessCalendar, now: datetime) -> tuple[ClosedReason, str]:
    today = local_date(rail, now)
    closure = calendar.closure(today)
    if closure == "Weekend":
        return ClosedReason.WEEKEND, closure
    if closure is not None:
        return ClosedReason.HOLIDAY, closure
    if _is_struck_out(rail, today):
        return ClosedReason.HOLIDAY, "Closed by a window override"
    close = closes_at(rail, calendar, today)
    if close is not None and now >= close:
        return ClosedReason.CLOSED_FOR_TODAY, "The day's window has closed"
    return ClosedReason.NOT_YET_OPEN, "The day's window has not opened"


def rail_status(
    rail: RailData, calendar: BusinessCalendar | None, now: datetime, terms: Terms = PLAIN
) -> RailStatus:
    """Describe the rail at `now`: open or not, for which date, until when.

    Raises:
        CalendarCoverageError: the search leaves what the calendar covers.
    """
    days = business_calendar(rail, calendar)
    working = _working_date(rail, days, now)
    opens = opens_at(rail, working)
    is_open = opens is None or opens <= now
    value_date = value_date_for(rail, days, now, terms)
    cutoff = effective_cutoff(rail, days, working, terms)
    reason, detail = (None, "") if is_open else _reason(rail, days, now)
    return RailStatus(
        rail=rail.code,
        currency=rail.currency,
        tz=rail.tz,
        is_open=is_open,
        business_date=working,
        opens_at=opens,
        cutoff_at=cutoff,
        closes_at=closes_at(rail, days, working),
        seconds_to_cutoff=_seconds_until(cutoff, now),
        next_cutoff_at=effective_cutoff(rail, days, value_date, terms),
        value_date=value_date,
        reason_closed=reason,
        reason_detail=detail,
    )


def _seconds_until(cutoff: datetime | None, now: datetime) -> int | None:
    return None if cutoff is None else max(0, int((cutoff - now).total_seconds()))


def closing_window(
    rail: RailData, calendar: BusinessCalendar | None, now: datetime, *, within: timedelta
) -> ClosingWindow | None:
    """Return the rail's cut-off if `cutoff - within <= now < cutoff`, else None.

    The interval has a width, so that a worker which wakes late still finds the window, with
    the minutes that are really left.
    """
    kind = rail.cutoff_kind
    if kind is None:
        return None
    days = business_calendar(rail, calendar)
    day = value_date_for(rail, days, now)
    cutoff = effective_cutoff(rail, days, day)
    if cutoff is None or now < cutoff - within:
        return None
    minutes = int((cutoff - now) / timedelta(minutes=1))
    return ClosingWindow(kind=kind, business_date=day, cutoff_at=cutoff, minutes_left=minutes)


def latest_landing(
    rail: RailData,
    calendar: BusinessCalendar | None,
    need_by: date | datetime,
    terms: Terms = PLAIN,
) -> datetime | None:
    """Return the instant before which a payment must be submitted to be there in time.

    With a date, money must carry a value date not later than it. With an instant, the rail's
    confirmation SLA must have run out by then, too. The bound is exclusive, like a cut-off.
    None means that a rail around the clock sets no bound for that date.

    Raises:
        CalendarCoverageError: the search leaves what the calendar covers.
    """
    days = business_calendar(rail, calendar)
    if isinstance(need_by, datetime):
        return _latest_for_instant(rail, days, need_by.astimezone(UTC), terms)
    day = next(
        day
        for day in _business_dates(rail, days, need_by, step=-ONE_DAY)
        if add_business_days(days, day, rail.settlement_days) <= need_by
    )
    return effective_cutoff(rail, days, day, terms)


def _latest_for_instant(
    rail: RailData, calendar: BusinessCalendar, need_by: datetime, terms: Terms
) -> datetime:
    # The business date may already have begun on the evening before, hence one day ahead.
    start = local_date(rail, need_by) + ONE_DAY
    bounds = (
        _bound_on(rail, calendar, day, need_by, terms)
        for day in _business_dates(rail, calendar, start, step=-ONE_DAY)
    )
    return next(bound for bound in bounds if bound is not None)


def _bound_on(
    rail: RailData, calendar: BusinessCalendar, day: date, need_by: datetime, terms: Terms
) -> datetime | None:
    """Return the submission bound if `day` is used, or None when that day lands too late."""
    lands_on = add_business_days(calendar, day, rail.settlement_days)
    if need_by <= _earliest_confirmation(rail, calendar, lands_on):
        return None
    cutoff = effective_cutoff(rail, calendar, day, terms)
    if rail.sla_policy is SlaPolicy.DESK_CLOSE or lands_on > day:
        return cutoff
    ready = need_by - timedelta(minutes=rail.sla_minutes or 0) - terms.lead
    return ready if cutoff is None else min(ready, cutoff)


def _earliest_confirmation(rail: RailData, calendar: BusinessCalendar, lands_on: date) -> datetime:
    close = closes_at(rail, calendar, lands_on)
    if rail.sla_policy is SlaPolicy.DESK_CLOSE and close is not None:
        return close - timedelta(microseconds=1)  # landing by the close itself is in time
    opening = opens_at(rail, lands_on) or instant(lands_on, time.min, rail.tz)
    return opening + timedelta(minutes=rail.sla_minutes or 0)
