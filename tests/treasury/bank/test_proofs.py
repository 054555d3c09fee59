"""The daily proof and the habits of feeds: worked days, and the pages that show them."""

import csv
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any
from zoneinfo import ZoneInfo

from core import clock
from core.events.models import OutboxEvent
from tests.treasury.bank.paper import DAY, E, arrive, camt, day_statement, mt940
from tests.treasury.bank.test_admin import signed_in
from treasury.engine.habits import Arrival, learn, overdue
from treasury.engine.proofs import DayProof, DayStatement, ProvenDay, prove_days
from treasury.models import BankAccount
from treasury.selectors import proofs
from treasury.services.feeds import tell_late_feeds

MONDAY = date(2026, 11, 16)
BERLIN = "Europe/Berlin"


def day(number: int) -> date:
    return MONDAY + timedelta(days=number)


def said(number: int, opening: str | None, closing: str | None, *, since: int = -1) -> DayStatement:
    amounts = [None if text is None else Decimal(text) for text in (opening, closing)]
    start = day(number if since < 0 else since)
    return DayStatement(start=start, end=day(number), opening=amounts[0], closing=amounts[1])


def proven(*statements: DayStatement, lines: dict[int, str], until: int) -> list[ProvenDay]:
    amounts = {day(number): Decimal(text) for number, text in lines.items()}
    return prove_days(statements, amounts, start=MONDAY, end=day(until))


def test_opening_and_lines_make_the_closing() -> None:
    found = proven(said(0, "100", "90"), said(1, "90", "95"), lines={0: "-10", 1: "5"}, until=1)
    assert [one.proof for one in found] == [DayProof.GREEN, DayProof.GREEN]
    assert (found[1].opening, found[1].lines, found[1].closing) == (90, 5, 95)


def test_a_line_we_do_not_count_is_named_by_its_amount() -> None:
    (found,) = proven(said(0, "100", "90"), lines={0: "-7"}, until=0)
    assert (found.proof, found.off) == (DayProof.DIFFERS, Decimal(-3))
    assert found.words == "opening and lines miss the closing balance by -3.00"


def test_a_missing_statement_is_named_by_amount_and_days() -> None:
    found = proven(said(0, "100", "90"), said(2, "60", "61"), lines={0: "-10", 2: "1"}, until=2)
    assert [one.proof for one in found] == [DayProof.GREEN, DayProof.QUIET, DayProof.GAP]
    assert found[2].words == (
        "-30.00 moved that no statement shows: one between 2026-11-17 and 2026-11-18 is missing"
    )


def test_a_weekend_without_statement_is_quiet_and_breaks_nothing() -> None:
    found = proven(said(4, "10", "11"), said(7, "11", "12"), lines={4: "1", 7: "1"}, until=7)
    assert [one.proof for one in found[4:]] == [
        DayProof.GREEN, DayProof.QUIET, DayProof.QUIET, DayProof.GREEN,
    ]  # fmt: skip


def test_a_statement_of_a_week_covers_its_days() -> None:
    found = proven(said(4, "10", "13", since=0), lines={1: "1", 4: "2"}, until=4)
    assert [one.proof for one in found] == [*[DayProof.COVERED] * 4, DayProof.GREEN]


def test_lines_that_no_statement_proves_yet_are_said_to_be_so() -> None:
    found = proven(said(0, None, "5"), lines={0: "5", 1: "3"}, until=1)
    assert [one.proof for one in found] == [DayProof.UNPROVEN, DayProof.LINES_ONLY]


def arrivals(hours: list[int], *, weekday: int = 0) -> list[Arrival]:
    zone = ZoneInfo(BERLIN)
    found = []
    for week, hour in enumerate(hours):
        of = day(weekday) - timedelta(weeks=week)
        at = datetime.combine(of + timedelta(days=1), datetime.min.time(), tzinfo=zone)
        found.append(Arrival(day=of, at=at + timedelta(hours=hour)))
    return found


def test_late_is_later_than_this_bank_usually_is() -> None:
    habits = learn(arrivals([6, 6, 7, 6]), timezone=BERLIN)
    assert habits[0].arrivals_count == 4
    due = habits[0].due(day(7), timezone=BERLIN)
    assert due == datetime(2026, 11, 24, 7, 30, tzinfo=ZoneInfo(BERLIN))
    assert overdue(habits, last=day(6), now=due, timezone=BERLIN) is None
    late = overdue(habits, last=day(6), now=due + timedelta(seconds=1), timezone=BERLIN)
    assert late == (day(7), due)


def test_a_weekday_that_brings_nothing_is_never_late() -> None:
    habits = learn(arrivals([6] * 5, weekday=4), timezone=BERLIN)
    sunday_night = datetime(2026, 11, 22, 23, 0, tzinfo=UTC)
    assert overdue(habits, last=day(4), now=sunday_night, timezone=BERLIN) is None


def test_two_arrivals_are_no_habit_and_old_ones_are_forgotten() -> None:
    assert learn(arrivals([6, 6]), timezone=BERLIN) == {}
    habits = learn(arrivals([*[6] * 12, *[23] * 30]), timezone=BERLIN)
    assert habits[0].delay == timedelta(hours=30)


def test_the_clock_change_moves_no_habit() -> None:
    habits = learn(arrivals([6] * 8), timezone=BERLIN)
    spring = date(2027, 3, 29)
    assert habits[0].due(spring, timezone=BERLIN).astimezone(ZoneInfo(BERLIN)).hour == 6


def test_the_books_prove_themselves_day_by_day(account: BankAccount) -> None:
    arrive(camt("053", day_statement(E(amount="10", ref="R1"))))
    later = DAY + timedelta(days=1)
    arrive(
        camt(
            "053",
            day_statement(E(amount="5", ref="R2").on(later), opening="1100", day=later, seq=3),
        )
    )
    (found,) = proofs.daily_proofs([account], start=DAY, end=later)
    assert [one.proof for one in found.days] == [DayProof.GREEN, DayProof.GAP]
    assert found.days[1].off == Decimal(90)
    assert not found.is_green


def test_the_page_and_its_export_show_the_same_days(account: BankAccount, user_with: Any) -> None:
    client = signed_in(user_with("treasury_maker", name="maker"))
    arrive(camt("053", day_statement(E(amount="10", ref="R1"))))
    page = client.get("/proofs", {"until": "2026-11-20"})
    assert page.status_code == 200
    assert "proven" in page.text
    rows = list(
        csv.DictReader(StringIO(client.get("/proofs/export.csv", {"until": "2026-11-20"}).text))
    )
    assert [(row["day"], row["proof"]) for row in rows][-1] == ("2026-11-20", "GREEN")
    assert client.get("/proofs", {"until": "yesterday"}).status_code in (400, 409, 422)
    assert "No account fits" in client.get("/proofs", {"q": "nothing"}).text


def test_a_feed_that_is_late_by_its_custom_is_told(account: BankAccount) -> None:
    for week in range(4, 0, -1):
        of = DAY - timedelta(weeks=week)
        with clock.frozen(
            datetime.combine(of, datetime.min.time(), tzinfo=UTC) + timedelta(days=1, hours=5)
        ):
            arrive(camt("053", day_statement(day=of, seq=week, created=f"{of}T23:00:00+01:00")))
    (feed,) = proofs.feeds([account], now=clock.now())
    assert (feed.last, feed.late_for) == (DAY - timedelta(weeks=1), DAY)
    assert tell_late_feeds(now=clock.now()) == 1
    assert tell_late_feeds(now=clock.now() + timedelta(hours=1)) == 0, "people are told once"
    told = OutboxEvent.objects.filter(topic="risk.alert", payload__kind="statement_late")
    assert "is late" in told.get().payload["title"]


def test_each_kind_of_statement_has_its_own_custom(account: BankAccount) -> None:
    friday = DAY
    for week in range(4, 0, -1):
        then = friday - timedelta(days=7 * week)
        for hour, data in (
            (6, mt940(day=then, seq=f"{9 - week}/1")),
            (20, camt("053", day_statement(day=then, seq=9 - week))),
        ):
            with clock.frozen(datetime(then.year, then.month, then.day, hour, tzinfo=UTC)):
                arrive(data)
    (feed,) = proofs.feeds([account], now=datetime(2026, 11, 20, 12, tzinfo=UTC))
    assert {one.source: bool(one.late_for) for one in feed.sources} == {
        "CAMT053": False,
        "MT940": True,
    }
    assert feed.late_for == friday
