"""What could not be used is listed with its reason, and read again when the reason is gone."""

import csv
import io
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from core.errors import Forbidden
from core.identity.models import User
from core.tenancy import Tenant
from integrations import services
from integrations.codecs.reading import read_message
from integrations.models import BankConnection, BankProfile, Message, MessageState
from integrations.services import mapping
from tests.conftest import MakeUser
from tests.integrations.codecs.camt_versions import Layout, document
from tests.integrations.codecs.test_sheets import GERMAN_FILE
from tests.integrations.codecs.workbooks import workbook
from tests.integrations.room.conftest import http_line
from tests.integrations.room.test_delivery import api_of, signed_in
from tests.scenes import scene

pytestmark = pytest.mark.urls("tests.integrations.room.room_urls")


@scene
def line(tenant: Tenant) -> BankConnection:
    return services.save_connection(wish=http_line("https://bank.example"))


@scene
def aside(line: BankConnection) -> Message:
    message = services.archive_inbound(
        connection_code=line.code, name="umsatz.csv", data=GERMAN_FILE.encode()
    )
    return services.set_aside(message_id=message.pk, reason="It is no bank message (row 1).")


@scene
def keeper(user_with: MakeUser) -> User:
    return user_with("static_data")


def _form(line: BankConnection, **changes: Any) -> dict[str, Any]:
    """Return the form of the mapping page as a person who corrected the guess sends it."""
    import base64

    plain = {
        "sheet-shown": "1",
        "connection": line.code,
        "sample": base64.b64encode(GERMAN_FILE.encode()).decode(),
        "sample-name": "umsatz.csv",
        "heading": ["Buchungstag", "Betrag"],
        "column-booked": "Buchungstag",
        "column-amount": "Betrag",
        "column-balance": "Saldo",
        "column-text": ["Zweck"],
        "delimiter": "semicolon",
        "decimal_mark": "comma",
        "dates": "DD.MM.YYYY",
        "account": "4711",
        "currency": "EUR",
        "reason": "First file of this bank",
    }
    return plain | changes


def test_the_quarantine_says_why_and_narrows(aside: Message, maker: User) -> None:
    browser = signed_in(maker)
    page = browser.get(reverse("integrations:quarantine")).content.decode()
    assert "umsatz.csv" in page
    assert "It is no bank message (row 1)." in page
    address = reverse("integrations:quarantine")
    assert "umsatz.csv" in browser.get(f"{address}?words=no+bank").content.decode()
    assert "umsatz.csv" not in browser.get(f"{address}?words=other").content.decode()
    assert "umsatz.csv" not in browser.get(f"{address}?connection=other").content.decode()
    older = browser.get(f"{address}?before={aside.pk}").content.decode()
    assert "Nothing is set aside" in older


def test_the_quarantine_is_exported_without_formulas(line: BankConnection, maker: User) -> None:
    message = services.archive_inbound(connection_code=line.code, name="=1+1.csv", data=b"x")
    services.set_aside(message_id=message.pk, reason="nothing")
    answer = signed_in(maker).get(reverse("integrations:quarantine-export"))
    head, row = csv.reader(io.StringIO(answer.content.decode()))
    assert head[-1] == "reason"
    assert row[4] == "'=1+1.csv"


def test_everything_of_a_connection_is_taken_up_again(
    aside: Message, line: BankConnection, maker: User
) -> None:
    other = services.archive_inbound(connection_code=line.code, name="b.txt", data=b"b")
    services.set_aside(message_id=other.pk, reason="nothing")
    address = reverse("integrations:try-all-again", args=[line.code])
    assert signed_in(maker).post(address).status_code == 302
    states = set(Message.objects.inbound().values_list("state", flat=True))
    assert states == {MessageState.RECEIVED}


def test_the_api_takes_up_one_or_all(aside: Message, line: BankConnection, maker: User) -> None:
    api = api_of(maker)
    again = api.post(f"/api/v1/messages/{aside.pk}/again").json()
    assert again["state"] == MessageState.RECEIVED
    services.set_aside(message_id=aside.pk, reason="still nothing")
    assert api.post(f"/api/v1/connections/{line.code}/again").json() == {"tried": 1}
    assert api.post("/api/v1/connections/other/again").status_code == 404


def test_who_only_looks_takes_nothing_up(aside: Message, user_with: MakeUser) -> None:
    auditor = user_with("auditor")
    with pytest.raises(Forbidden):
        services.try_connection_again(connection_code=aside.connection.code, actor=auditor)
    aside.refresh_from_db()
    assert aside.state == MessageState.SET_ASIDE


# Drawing the mapping


def test_a_message_that_was_set_aside_is_guessed(aside: Message, keeper: User) -> None:
    address = reverse("integrations:mapping-from", args=[aside.pk])
    page = signed_in(keeper).get(address).content.decode()
    for name, heading in [("booked", "Buchungstag"), ("value", "Valuta"), ("amount", "Betrag")]:
        assert f'id="column-{name}"' in page
        assert f'<option value="{heading}" selected>' in page
    assert "DD.MM.YYYY" in page
    # The account is in no column: the person is asked for it.
    assert "names the account" in page


@pytest.mark.parametrize(
    ("name", "data"),
    [
        (
            "s.csv",
            b"Date,Paid out,Paid in,Balance\n19/11/2026,5.00,,95.00\n13/12/2026,,1.00,96.00\n",
        ),
        ("s.xlsx", workbook([["Date", "Debit", "Credit"], ["2026-11-19", "5.00", ""]])),
    ],
    ids=["csv", "xlsx"],
)
def test_a_sample_that_is_uploaded_is_guessed(
    line: BankConnection, keeper: User, name: str, data: bytes
) -> None:
    form = {"connection": line.code, "file": SimpleUploadedFile(name, data)}
    page = signed_in(keeper).post(reverse("integrations:mapping"), form).content.decode()
    assert 'id="column-debit"' in page
    assert "Propose this mapping" in page


def test_the_first_rows_are_shown_as_entries_with_their_proof(
    line: BankConnection, keeper: User
) -> None:
    page = signed_in(keeper).post(reverse("integrations:mapping"), _form(line)).content.decode()
    assert "Rechnung 7" in page
    assert "adds up" in page
    assert not BankProfile.objects.exists()


def test_a_mapping_that_cannot_work_says_why(line: BankConnection, keeper: User) -> None:
    address = reverse("integrations:mapping")
    form = _form(line, **{"column-amount": ""})
    assert "names an amount column" in signed_in(keeper).post(address, form).content.decode()
    wrong = _form(line, decimal_mark="point", propose="1")
    page = signed_in(keeper).post(address, wrong).content.decode()
    assert "cannot be read" in page
    assert "row 5" in page
    assert not BankProfile.objects.exists()


def test_a_mapping_is_put_in_force_and_the_message_tried_again(
    aside: Message, keeper: User
) -> None:
    line = aside.connection
    answer = signed_in(keeper).post(reverse("integrations:mapping"), _form(line, propose="1"))
    assert answer.status_code == 302
    line.refresh_from_db()
    assert line.profile is not None
    assert line.profile.reading["sheet"]["columns"]["text"] == ["Zweck"]
    services.try_connection_again(connection_code=line.code, actor=keeper)
    aside.refresh_from_db()
    assert (aside.state, aside.kind) == (MessageState.RECEIVED, "sheet")
    assert len(services.read_archived(aside.pk).statements) == 2  # type: ignore[union-attr]


def test_a_mapping_keeps_what_else_the_profile_says(line: BankConnection, keeper: User) -> None:
    services.save_profile(
        wish=services.ProfileIn(code="house", name="House", reading={"mt_reversals": "own"})
    )
    services.use_profile(connection_code=line.code, profile_code="house")
    sheet = {
        "columns": {"booked": "D", "amount": "A"},
        "account": "1",
        "currency": "EUR",
    }
    mapping.propose_mapping(connection_code=line.code, sheet=sheet, maker=keeper, reason="new")
    profile = BankProfile.objects.get()
    assert profile.reading == {"mt_reversals": "own", "sheet": sheet}


def test_only_keepers_of_static_data_draw(line: BankConnection, maker: User) -> None:
    with pytest.raises(Forbidden):
        mapping.propose_mapping(connection_code=line.code, sheet={}, maker=maker, reason="mine")
    assert signed_in(maker).get(reverse("integrations:mapping")).status_code == 403


def test_samples_that_are_too_large_or_missing_are_refused(
    line: BankConnection, keeper: User
) -> None:
    address = reverse("integrations:mapping")
    large = SimpleUploadedFile("s.csv", b"a,b\n" * 200_000)
    page = signed_in(keeper).post(address, {"connection": line.code, "file": large})
    assert "up to 512 KB" in page.content.decode()
    damaged = signed_in(keeper).post(address, _form(line, sample="%%%"))
    assert "choose it again" in damaged.content.decode()
    assert (
        "Choose a sample"
        in signed_in(keeper).post(address, _form(line, sample="")).content.decode()
    )


def test_a_workbook_without_a_mapping_says_what_to_do() -> None:
    from integrations.codecs.errors import UnreadableMessage

    with pytest.raises(UnreadableMessage, match="mapping page"):
        read_message(workbook([["Date"]]))


# Down to the bytes


def test_an_entry_is_shown_as_the_bank_wrote_it(line: BankConnection, maker: User) -> None:
    data = document(Layout(kind="053", version=8))
    message = services.archive_inbound(connection_code=line.code, name="s.xml", data=data)
    parsed = services.read_archived(message.pk)
    place = parsed.statements[0].entries[0].locator  # type: ignore[union-attr]
    browser = signed_in(maker)
    address = reverse("integrations:written", args=[message.pk])
    page = browser.get(address, {"at": place}).content.decode()
    assert "NewThing/OfNextYear" in page
    assert "There is no entry" in browser.get(address, {"at": "line 1, entry 9"}).content.decode()


def test_entries_as_written_are_for_who_may_read_messages(
    aside: Message, user_with: MakeUser
) -> None:
    address = reverse("integrations:written", args=[aside.pk])
    assert signed_in(user_with("dealer")).get(address).status_code == 403
