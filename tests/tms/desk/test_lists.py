"""Lists of entries, statements, messages and payments: found, cut into pages, handed out."""

import csv
import re
from datetime import date, timedelta
from decimal import Decimal
from io import StringIO
from typing import Any

import pytest
from django.test import Client
from django.urls import reverse
from django.utils.html import escape

from core import browsing, clock
from core.browsing import EXPORT_ROWS_MAX, PAGE_ROWS, Slice, cell, slice_of
from core.errors import Invalid
from core.identity.models import User
from integrations import services as lines
from tests.conftest import MakeUser
from tests.tms.desk.conftest import SignedIn, client_of
from tests.treasury.movement.conftest import House, propose
from treasury.models import BankAccount, BankEntry, Statement
from treasury.models.statements import BookingStatus, EntryObservation, StatementSource

LISTS = (
    "treasury:entries",
    "treasury:statements",
    "integrations:messages",
    "treasury:proposals",
    "treasury:transfers",
)
NOTHING = {
    "treasury:entries": "No entries yet",
    "integrations:messages": "No messages yet",
    "treasury:proposals": "No proposals here",
    "treasury:transfers": "No transfers here",
}


def enter(account: BankAccount, count: int, **more: Any) -> list[BankEntry]:
    """Put entries into the books as a statement would, one a day, the newest today."""
    statement = Statement.objects.filter(account=account).latest("pk")
    today, now = clock.now().date(), clock.now()
    made = [
        BankEntry(
            account=account,
            identity=f"{number:064d}",
            identity_rule="REFERENCE",
            amount=Decimal(number + 1),
            booking_date=today - timedelta(days=number // 2),
            value_date=today - timedelta(days=number // 2),
            status=BookingStatus.BOOK,
            best_source=StatementSource.CAMT053,
            statement=statement,
            counterparty=f"Customer {number}",
            first_seen_at=now,
            announced_at=now,
            **more,
        )
        for number in range(count)
    ]
    BankEntry.objects.bulk_create(made)
    EntryObservation.objects.bulk_create(
        EntryObservation(entry=entry, statement=statement, status="BOOK", locator="Ntry 1")
        for entry in made
    )
    return made


def read(client: Client, name: str, **asked: object) -> str:
    answer = client.get(reverse(name), asked)
    assert answer.status_code == 200
    return re.sub(r"\s+", " ", answer.content.decode())


def shown(page: str) -> list[str]:
    return re.findall(r"Customer \d+", page)


@pytest.fixture
def client(house: House, maker: User, signed_in: SignedIn) -> Client:
    return signed_in(maker)


@pytest.mark.parametrize("name", LISTS)
def test_a_list_opens_and_says_when_it_is_empty(client: Client, name: str) -> None:
    page = read(client, name)
    assert NOTHING.get(name, "CAMT053") in page or "camt.053" in page


@pytest.mark.parametrize("name", [*LISTS, "treasury:tasks"])
def test_a_list_is_handed_out_as_csv(client: Client, name: str) -> None:
    query = {"as": "csv"}
    address = reverse("treasury:tasks-export") if name == "treasury:tasks" else reverse(name)
    answer = client.get(address, query)
    assert answer["Content-Type"].startswith("text/csv")
    heads, *_ = csv.reader(StringIO(answer.content.decode()))
    assert len(heads) >= 10


def test_pages_show_each_entry_once_and_end(client: Client, house: House) -> None:
    enter(house.home, PAGE_ROWS * 2 + 1)
    seen: list[str] = []
    query: dict[str, str] = {"account": str(house.home.pk)}
    for _ in range(3):
        page = read(client, "treasury:entries", **query)
        seen += shown(page)
        query["after"] = "".join(re.findall(r'after=([\w-]+)" rel="next"', page))
    assert query["after"] == ""
    assert len(seen) == len(set(seen)) == PAGE_ROWS * 2 + 1
    newest = BankEntry.objects.order_by("-value_date", "-id").values_list("counterparty", flat=True)
    assert seen == list(newest)


def test_a_page_that_is_none_of_ours_is_refused_in_words(client: Client) -> None:
    for after in ("x", "e30", "WyJhIiwiYiJd", "WzEsMl0"):
        answer = client.get(reverse("treasury:entries"), {"after": after})
        assert answer.status_code == 422
        assert "begin at the first" in answer.content.decode()


def test_entries_are_found_by_what_is_known_of_them(client: Client, house: House) -> None:
    enter(house.home, 4, end_to_end_id="")
    BankEntry.objects.filter(amount=2).update(end_to_end_id="E2E-7")
    BankEntry.objects.filter(amount=3).update(bank_reference="BANK-9")
    today = f"{clock.now():%Y-%m-%d}"
    ours = str(house.home.pk)
    assert shown(read(client, "treasury:entries", reference="E2E-7")) == ["Customer 1"]
    assert shown(read(client, "treasury:entries", reference="BANK-9", account=ours)) == [
        "Customer 2"
    ]
    assert shown(read(client, "treasury:entries", amount="4", account=ours)) == ["Customer 3"]
    assert shown(read(client, "treasury:entries", amount="1", since=today)) == ["Customer 0"]
    statement = Statement.objects.filter(account=house.home).latest("pk").pk
    assert len(shown(read(client, "treasury:entries", statement=statement))) == 4
    page = read(client, "treasury:entries", reference="nobody's")
    assert "No entry fits" in page
    assert "Clear" in page


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"amount": "5"}, "Choose an account as well, or at most 31 days."),
        ({"amount": "much"}, "Write the amount as 1234.56."),
        ({"since": "yesterday"}, "Write the day as 2026-11-23."),
        ({"since": "2026-11-20", "until": "2026-11-19"}, "This is before the first day."),
        ({"account": "11111111-1111-4111-8111-111111111111"}, "There is no such account"),
    ],
)
def test_a_question_that_cannot_be_right_is_named_at_its_field(
    client: Client, asked: dict[str, str], words: str
) -> None:
    answer = client.get(reverse("treasury:entries"), asked)
    assert answer.status_code == 422
    page = answer.content.decode()
    assert escape(words) in page
    assert 'class="field-error"' in page


def test_an_entry_leads_to_where_it_was_seen(client: Client, house: House) -> None:
    body = b"<Document><BkToCstmrStmt><Stmt><Id>7</Id></Stmt></BkToCstmrStmt></Document>"
    message = lines.archive_inbound(connection_code="host", name="day.xml", data=body)
    statement = Statement.objects.filter(account=house.home).latest("pk")
    Statement.objects.filter(pk=statement.pk).update(message_id=message.pk)
    (entry,) = enter(house.home, 1)
    page = client.get(reverse("treasury:entry", args=[entry.pk])).content.decode()
    assert reverse("treasury:statement", args=[statement.pk]) in page
    assert reverse("integrations:message", args=[message.pk]) in page

    found = client.get(reverse("integrations:message", args=[message.pk])).content.decode()
    assert "&lt;Stmt&gt;" in found
    assert reverse("treasury:statement", args=[statement.pk]) in found
    assert message.sha256 in found
    assert "day.xml" in read(client, "integrations:messages", reference=message.sha256)
    assert "No message fits" in read(client, "integrations:messages", direction="OUT", kind="x")


def test_messages_are_for_those_whose_work_needs_them(
    house: House, user_with: MakeUser, signed_in: SignedIn
) -> None:
    message = lines.archive_inbound(connection_code="host", name="day.xml", data=b"<Secret/>")
    dealer = signed_in(user_with("dealer", name="dealer"))
    for address in (
        reverse("integrations:messages"),
        reverse("integrations:message", args=[message.pk]),
    ):
        answer = dealer.get(address)
        assert answer.status_code == 403
        assert "do not allow reading messages" in answer.content.decode()
        assert "day.xml" not in answer.content.decode()


def test_payments_are_found_by_reference_account_and_day(
    client: Client, house: House, maker: User
) -> None:
    proposal = propose(house, maker)
    other = propose(house, maker, amount="7.00")
    page = read(client, "treasury:proposals", reference=proposal.reference.lower())
    assert proposal.reference in page
    assert other.reference not in page
    assert "No proposals here" in read(client, "treasury:proposals", rail="CHAPS")
    assert "No proposals here" in read(client, "treasury:proposals", show="closed")
    both = read(client, "treasury:proposals", account=house.near.pk, show="all")
    assert proposal.reference in both
    assert other.reference in both
    answer = client.get(reverse("treasury:proposals"), {"as": "csv", "show": "all"})
    rows = list(csv.DictReader(StringIO(answer.content.decode())))
    assert {row["reference"] for row in rows} == {proposal.reference, other.reference}


def test_what_a_bank_wrote_never_becomes_a_formula(client: Client, house: House) -> None:
    enter(house.home, 1, remittance="=HYPERLINK(1)")
    BankEntry.objects.update(amount=Decimal("-5.0000"))
    answer = client.get(reverse("treasury:entries"), {"as": "csv"})
    (row,) = csv.DictReader(StringIO(answer.content.decode()))
    assert row["remittance"] == "'=HYPERLINK(1)"
    assert row["amount"] == "-5.0000"


def test_an_export_of_too_many_rows_asks_for_a_narrower_filter(
    client: Client, house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(browsing, "EXPORT_ROWS_MAX", 2)
    enter(house.home, 3)
    answer = client.get(reverse("treasury:entries"), {"as": "csv"})
    assert answer.status_code == 422
    assert "Narrow the filter" in answer.content.decode()
    assert EXPORT_ROWS_MAX > PAGE_ROWS


def test_a_slice_begins_after_its_cursor(house: House) -> None:
    made = enter(house.home, 5)
    rows = BankEntry.objects.all()
    first: Slice[BankEntry] = slice_of(rows, by=("value_date", "id"), size=2)
    second = slice_of(rows, by=("value_date", "id"), size=2, after=first.older)
    last = slice_of(rows, by=("value_date", "id"), size=2, after=second.older)
    found = [*first.rows, *second.rows, *last.rows]
    assert {row.pk for row in found} == {row.pk for row in made}
    assert (first.is_first, second.is_first, last.older) == (True, False, "")
    with pytest.raises(Invalid):
        slice_of(rows, by=("id",), after=first.older)


def test_cells_say_what_they_are() -> None:
    assert cell(None) == ""
    assert cell(date(2026, 11, 23)) == "2026-11-23"
    assert cell(Decimal("1E+3")) == "1000"
    assert cell("@SUM(A1)") == "'@SUM(A1)"
    assert cell(True) == "True"


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/tasks?kind=%00", 200),
        ("/tasks/export.csv?kind=%00", 200),
        ("/quarantine?connection=%00", 200),
        ("/quarantine?words=%00", 200),
        ("/quarantine/export.csv?words=%00", 200),
        ("/proofs?until=0001-01-01", 422),
        ("/proofs?until=9999-12-31", 422),
        ("/position?on=0001-01-01", 422),
        ("/position?on=9999-12-31", 422),
        ("/position?on=1900-01-01", 200),
        ("/proofs?until=2999-12-31", 200),
    ],
)
def test_what_nobody_types_is_answered_all_the_same(maker: User, address: str, status: int) -> None:
    assert client_of(maker).get(address).status_code == status
