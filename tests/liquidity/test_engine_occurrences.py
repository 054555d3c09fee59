"""When recurring flows fall due, with weekends and holidays in the way."""

from datetime import date

import pytest

from calendars.engine.days import EVERY_DAY
from calendars.library import reference_calendar
from liquidity.engine.occurrences import Adjust, Rule, RuleKind, occurrences

TARGET = reference_calendar("TARGET", range(2026, 2028))


def due(rule: Rule, start: date, end: date) -> list[date]:
    return [one.on for one in occurrences(rule, calendar=TARGET, start=start, end=end)]


def rule(kind: RuleKind, adjust: Adjust, **more: object) -> Rule:
    facts: dict[str, object] = {
        "kind": kind,
        "adjust": adjust,
        "valid_from": date(2026, 1, 1),
        **more,
    }
    return Rule(**facts)  # type: ignore[arg-type]


def test_a_month_end_on_a_saturday_is_paid_before_or_after() -> None:
    # 31 October 2026 is a Saturday.
    span = date(2026, 10, 25), date(2026, 11, 5)
    assert due(rule(RuleKind.MONTH_END, Adjust.PRECEDING), *span) == [date(2026, 10, 30)]
    assert due(rule(RuleKind.MONTH_END, Adjust.FOLLOWING), *span) == [date(2026, 11, 2)]
    assert due(rule(RuleKind.MONTH_END, Adjust.NONE), *span) == [date(2026, 10, 31)]


def test_an_occurrence_that_moves_into_the_span_is_seen() -> None:
    start = date(2026, 11, 2)
    assert due(rule(RuleKind.MONTH_END, Adjust.FOLLOWING), start, start) == [start]


def test_an_occurrence_that_moves_out_of_the_span_is_not() -> None:
    saturday = date(2026, 10, 31)
    assert due(rule(RuleKind.MONTH_END, Adjust.FOLLOWING), saturday, saturday) == []


def test_easter_moves_a_payment_over_four_days() -> None:
    # Good Friday 3 April to Easter Monday 6 April 2026.
    good_friday = rule(RuleKind.MONTH_DAY, Adjust.FOLLOWING, month_day=3)
    assert due(good_friday, date(2026, 4, 1), date(2026, 4, 30)) == [date(2026, 4, 7)]


def test_the_31st_of_a_short_month_is_its_last_day() -> None:
    monthly = rule(RuleKind.MONTH_DAY, Adjust.NONE, month_day=31)
    assert due(monthly, date(2026, 2, 1), date(2026, 4, 30)) == [
        date(2026, 2, 28), date(2026, 3, 31), date(2026, 4, 30),
    ]  # fmt: skip


def test_weekdays_follow_the_mask() -> None:
    twice = rule(RuleKind.WEEKDAYS, Adjust.NONE, weekday_mask=0b0010010)
    assert due(twice, date(2026, 11, 16), date(2026, 11, 22)) == [
        date(2026, 11, 17), date(2026, 11, 20),
    ]  # fmt: skip


def test_a_daily_flow_rolled_forward_brings_the_weekend_on_monday() -> None:
    daily = rule(RuleKind.DAILY, Adjust.FOLLOWING)
    found = occurrences(daily, calendar=TARGET, start=date(2026, 11, 20), end=date(2026, 11, 23))
    assert [one.on.day for one in found] == [20, 23, 23, 23]
    assert [one.nominal.day for one in found] == [20, 21, 22, 23]


@pytest.mark.parametrize(
    ("valid_to", "count"), [(None, 5), (date(2026, 11, 17), 2), (date(2026, 11, 15), 0)]
)
def test_validity_counts_for_the_nominal_day(valid_to: date | None, count: int) -> None:
    daily = rule(RuleKind.DAILY, Adjust.NONE, valid_to=valid_to)
    found = occurrences(daily, calendar=EVERY_DAY, start=date(2026, 11, 16), end=date(2026, 11, 20))
    assert len(found) == count
