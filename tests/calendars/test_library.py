"""The public-holiday library: what it knows, where it ends, what others say."""

import csv
import os
from collections import defaultdict
from datetime import date
from pathlib import Path

import pytest

from calendars.engine.days import HolidayStatus
from calendars.errors import LibraryCoverageError
from calendars.library import DOCUMENTED_DAYS, SPECS, provisional_holidays, reference_calendar

SHARED = Path(os.environ.get("TMS_SHARED_DATA", Path(__file__).parents[3] / "shared" / "data"))
CANDIDATES = SHARED / "calendars" / "candidate_holidays_2024_2027.csv"


def test_everything_from_the_library_is_provisional() -> None:
    for code in SPECS:
        facts = provisional_holidays(code, [2026])
        assert {fact.status for fact in facts.values()} == {HolidayStatus.PROVISIONAL}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_a_year_without_its_movable_feasts_is_refused() -> None:
    assert provisional_holidays("MUMBAI_FX", [2035])
    with pytest.raises(LibraryCoverageError) as refusal:
        provisional_holidays("MUMBAI_FX", [2035, 2036])
    assert refusal.value.context == {"calendar": "MUMBAI_FX", "year": 2036}


@pytest.mark.filterwarnings("ignore::UserWarning")
def test_without_the_anchors_the_library_would_have_answered() -> None:
    # Negative control: the bare library gives a plausible, shorter list for the same year.
    import holidays

    bare = holidays.country_holidays("IN", subdiv="MH", years=2036)
    assert len(bare) > 5
    assert not any("Diwali" in name for name in bare.values())


def test_documented_days_are_weekdays_the_library_lacks() -> None:
    import holidays

    known = holidays.country_holidays("IN", subdiv="MH", years=range(2024, 2029))
    for documented in DOCUMENTED_DAYS:
        assert documented.day not in known
        for code in documented.calendars:
            assert documented.day in provisional_holidays(code, [documented.day.year])


def _candidates() -> dict[str, dict[date, str]]:
    if not CANDIDATES.exists():
        pytest.skip("the shared calendar files are not on this machine")
    found: dict[str, dict[date, str]] = defaultdict(dict)
    with CANDIDATES.open(encoding="utf-8", newline="") as lines:
        for row in csv.DictReader(lines):
            found[row["calendar"]][date.fromisoformat(row["date"])] = row["sources"]
    return found


@pytest.mark.parametrize(
    ("code", "theirs"),
    [("FED", "FED"), ("UK_EW", "GB-ENG"), ("TARGET", "T2"), ("UAE", "AE")],
)
def test_weekday_closures_agree_with_the_independent_list(code: str, theirs: str) -> None:
    calendar = reference_calendar(code, range(2024, 2028))
    ours = {day for day in calendar.holidays if not calendar.is_weekend(day)}
    assert ours == set(_candidates()[theirs])


def test_mumbai_holds_every_day_on_which_two_independent_sources_agree() -> None:
    calendar = reference_calendar("MUMBAI_FX", range(2024, 2028))
    agreed = {day for day, by in _candidates()["IN-MUMBAI"].items() if "holidays.IN-MH" in by}
    assert agreed <= set(calendar.holidays)
    assert date(2026, 1, 15) in calendar.holidays
