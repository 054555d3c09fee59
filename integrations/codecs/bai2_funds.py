"""When the money of a BAI2 transaction can be used: the funds type and what belongs to it."""

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Final

from integrations.codecs.bai2_records import Record, read_units
from integrations.codecs.errors import UnreadableMessage

_DAYS_BY_TYPE: Final = {"0": 0, "1": 1, "2": 2}
_PLAIN: Final = frozenset({"", "Z", "0", "1", "2"})
_BUCKETS: Final = 3
_PARTS_MAX: Final = 99
_DAYS_MAX: Final = 99
_DATE_CHARS: Final = 6
_SATURDAY: Final = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Availability:
    """From when all of an amount is available: a day, or weekdays after the booking."""

    days: int = 0
    on: date | None = None
    words: str = ""


def read_funds(record: Record) -> Availability:
    """Take the funds type and its own fields from a record.

    Where an amount becomes available in parts, the day of the last part counts: nothing is counted
    before it is there.

    Raises:
        UnreadableMessage: a funds type that BAI2 does not have, or unreadable parts.
    """
    kind = record.take().upper()
    if kind in _PLAIN:
        return Availability(days=_DAYS_BY_TYPE.get(kind, 0))
    if kind == "V":
        return _on_a_day(record)
    if kind == "S":
        parts = [(day, record.take()) for day in range(_BUCKETS)]
        return _in_parts(parts, record=record)
    if kind == "D":
        count = record.take()
        if not (count.isascii() and count.isdigit()) or int(count[:4]) > _PARTS_MAX:
            raise _unreadable(record, f"D,{count}")
        pairs = [(record.take(), record.take()) for _ in range(int(count))]
        return _in_parts([(_days(days, record), part) for days, part in pairs], record=record)
    raise _unreadable(record, kind)


def next_weekdays(day: date, count: int) -> date:
    """Return the day that many weekdays later: banks make funds available on working days."""
    while count:
        day += timedelta(days=1)
        count -= day.weekday() < _SATURDAY
    return day


def _on_a_day(record: Record) -> Availability:
    day, _time = record.take(), record.take()
    if len(day) != _DATE_CHARS or not day.isdigit():
        return Availability()
    try:
        return Availability(on=date(2000 + int(day[:2]), int(day[2:4]), int(day[4:])))
    except ValueError:
        return Availability()


def _days(text: str, record: Record) -> int:
    if not (text.isascii() and text.isdigit()) or int(text[:4]) > _DAYS_MAX:
        raise _unreadable(record, text)
    return int(text)


def _in_parts(parts: list[tuple[int, str]], *, record: Record) -> Availability:
    """Return the last day that brings money, and the parts as the bank wrote them."""
    told = [
        (days, read_units(text, what="A part of the funds", locator=record.locator)[0])
        for days, text in parts
        if text
    ]
    days = max((days for days, units in told if units), default=0)
    shown = ", ".join(f"{units} after {days} days" for days, units in told if units)
    return Availability(days=days, words=f"Funds: {shown}" if shown else "")


def _unreadable(record: Record, kind: str) -> UnreadableMessage:
    return UnreadableMessage(
        f"The funds type {kind[:20]} is not one of Z, 0, 1, 2, S, V, D.",
        code="funds_unreadable",
        locator=record.locator,
    )
