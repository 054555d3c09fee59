"""Durations as people type them: `2h`, `90m`, `1d12h`."""

import re
from datetime import timedelta

from core.errors import Invalid

_PARTS = re.compile(r"(?:(\d{1,4})d)?(?:(\d{1,4})h)?(?:(\d{1,6})m)?(?:(\d{1,8})s)?", re.ASCII)


def parse_duration(text: str) -> timedelta:
    """Read days, hours, minutes and seconds in this order.

    Raises:
        Invalid: another form, or nothing at all.
    """
    found = _PARTS.fullmatch(text.strip())
    numbers = [int(part or 0) for part in found.groups()] if found else [0]
    if not any(numbers):
        raise Invalid(f"{text!r} is not a duration; write it like 2h, 90m or 1d12h.", field="step")
    days, hours, minutes, seconds = numbers
    return timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds)
