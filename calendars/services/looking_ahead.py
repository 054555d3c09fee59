"""Publish the closures of the next days and how many days of payouts they span."""

from datetime import date, timedelta

from django.db import IntegrityError, transaction

from calendars.constants import LOOKAHEAD_DAYS
from calendars.engine.days import (
    CalendarData,
    days_until_next_funding_day,
    next_business_day,
)
from calendars.events import HolidayLookahead
from calendars.models import LookaheadRun
from calendars.selectors import settlement_calendars
from core import clock
from core.events import publish


def publish_holiday_lookahead(*, today: date) -> LookaheadRun:
    """Publish `ops.holiday.lookahead` for the days after `today`; once a day.

    Weekends are no news and are left out. A second call for the same day returns the first run.

    Raises:
        CalendarCoverageError: a settlement calendar ends within the days to look at.
    """
    known = LookaheadRun.objects.filter(generated_for=today).first()
    if known is not None:
        return known
    calendars = settlement_calendars()
    closures = [
        closure for calendar in calendars.values() for closure in _closures(calendar, today)
    ]
    try:
        with transaction.atomic():
            run = LookaheadRun.objects.create(
                generated_for=today,
                published_at=clock.now(),
                closures=len(closures),
                currencies_closed=" ".join(sorted({row["currency"] for row in closures})),
            )
    except IntegrityError:
        return LookaheadRun.objects.get(generated_for=today)
    publish(
        HolidayLookahead(
            generated_for=today,
            days=sorted(closures, key=lambda row: (row["date"], row["calendar"])),
            next_open={
                code: next_business_day(calendar, today) for code, calendar in calendars.items()
            },
            funding_gap_days={
                calendar.currency: days_until_next_funding_day(calendar, today)
                for calendar in calendars.values()
            },
        )
    )
    return run


def _closures(calendar: CalendarData, today: date) -> list[dict[str, str]]:
    days = [today + timedelta(days=ahead) for ahead in range(1, LOOKAHEAD_DAYS + 1)]
    return [
        {
            "calendar": calendar.code,
            "currency": calendar.currency,
            "date": day.isoformat(),
            "name": calendar.holidays[day].name,
            "status": calendar.holidays[day].status.value,
        }
        for day in days
        if not calendar.is_open(day) and not calendar.is_weekend(day)
    ]
