"""When the currency market is open: from Sunday to Friday, both 17:00 in New York."""

from datetime import UTC, datetime, time, timedelta
from typing import Final
from zoneinfo import ZoneInfo

_NEW_YORK: Final = ZoneInfo("America/New_York")
_TURNS_AT: Final = time(17)
_FRIDAY: Final = 4
_ONE_DAY: Final = timedelta(days=1)
_WEEKEND: Final = timedelta(days=2)
NONE: Final = timedelta(0)


def open_time(since: datetime, until: datetime) -> timedelta:
    """Return how long the market was open between two instants; weekends do not count."""
    since, until = since.astimezone(UTC), until.astimezone(UTC)
    if until <= since:
        return NONE
    total = until - since
    day = since.astimezone(_NEW_YORK).date() - 3 * _ONE_DAY
    while day <= until.astimezone(_NEW_YORK).date():
        if day.weekday() == _FRIDAY:
            shut = datetime.combine(day, _TURNS_AT, _NEW_YORK).astimezone(UTC)
            sunday = datetime.combine(day + _WEEKEND, _TURNS_AT, _NEW_YORK)
            opens = sunday.astimezone(UTC)
            total -= max(NONE, min(opens, until) - max(shut, since))
        day += _ONE_DAY
    return total
