"""A statement that was kept aside is read again once its bank's profile is right; never doubled."""

import json
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest

from core.changes.models import ChangeState
from core.changes.services import propose_change
from core.errors import Forbidden, NotFound
from core.identity.models import User
from core.tenancy import bound
from integrations.models import BankProfile
from tests.conftest import MakeUser
from tests.core.changes.conftest import House, furnished, house
from tests.scenes import scene
from tests.tms.desk.conftest import client_of
from tests.treasury.bank.paper import LINE
from tests.treasury.bank.test_dialects import DOLLARS, HEAD, SHEET, arrive, bai2, speak
from treasury.errors import NotReadAgain
from treasury.models import BankAccount, BankEntry, Statement
from treasury.selectors import positions
from treasury.services.ingest import ingest_message, read_again

__all__ = ["furnished", "house"]

# The bank writes money out without a minus, and money in with one.
TURNED = HEAD + (
    "2026-11-20,wire,-100.00,1100.00\n2026-11-20,fee,1.00,1099.00\n2026-11-20,fee,2.00,1097.00\n"
)
COLUMNS = {"booked": "Date", "amount": "Amount", "balance": "Balance", "text": "Text"}
RIGHT = {**SHEET, "sign": "turned"}


@scene
def aside(open_account) -> Statement:
    """A sheet, read with the wrong sign rule."""
    open_account(**DOLLARS)
    speak(sheet=SHEET)
    (made,) = arrive(TURNED.encode(), "a.csv").statements
    assert (made.state, made.proof) == ("QUARANTINED", "DIFFERS")
    return made


def counted() -> list[Decimal]:
    found = BankEntry.objects.filter(state="COUNTED").values_list("amount", flat=True)
    return sorted(found)


def states() -> list[tuple[int, str]]:
    return sorted(Statement.objects.values_list("version", "state"))


def test_a_corrected_profile_makes_a_new_version_that_counts_once(
    aside: Statement, maker: User
) -> None:
    speak(sheet=RIGHT)
    result = read_again(statement_id=aside.pk, actor=maker)
    (row,) = result.statements
    assert (row.state, row.proof, row.version) == ("POSTED", "PROVEN", 2)
    assert row.supersedes_id == aside.pk
    assert (row.message_id, row.message_sha256) == (aside.message_id, aside.message_sha256)
    assert states() == [(1, "SUPERSEDED"), (2, "POSTED")]
    assert counted() == [Decimal("-2.00"), Decimal("-1.00"), Decimal("100.00")]
    assert not BankEntry.objects.filter(state="HELD").exists()
    kept = Statement.objects.get(pk=aside.pk)
    assert kept.reason == aside.reason
    assert kept.observations.count() == 3


def test_again_and_again_and_the_same_file_once_more_add_nothing(
    aside: Statement, maker: User
) -> None:
    speak(sheet=RIGHT)
    (row,) = read_again(statement_id=aside.pk, actor=maker).statements
    for known in (aside, row):
        with pytest.raises(NotReadAgain, match="kept aside"):
            read_again(statement_id=known.pk, actor=maker)
    assert ingest_message(message_id=aside.message_id).entries_new == 0
    again = arrive((TURNED + "\n").encode(), "b.csv")
    assert [one.state for one in again.statements] == ["DUPLICATE"]
    assert len(counted()) == 3
    account = BankAccount.objects.get()
    (found,) = positions.positions(on=row.statement_date, accounts=[account])
    assert found.booked == Decimal("1097.00")


def test_what_reads_as_before_stays_as_it_is(aside: Statement, maker: User) -> None:
    for _ in range(2):
        result = read_again(statement_id=aside.pk, actor=maker)
        assert result.statements == ()
        assert states() == [(1, "QUARANTINED")]
    assert counted() == []


def test_what_still_does_not_add_up_is_a_new_version_kept_aside(
    aside: Statement, maker: User
) -> None:
    columns = {**COLUMNS, "text": "Date"}
    speak(sheet={**SHEET, "columns": {**columns, "balance": "Amount"}})
    (row,) = read_again(statement_id=aside.pk, actor=maker).statements
    assert (row.state, row.version) == ("QUARANTINED", 2)
    assert counted() == []
    speak(sheet=RIGHT)
    (last,) = read_again(statement_id=row.pk, actor=maker).statements
    assert (last.state, last.version) == ("POSTED", 3)
    assert [state for _, state in states()] == ["SUPERSEDED", "SUPERSEDED", "POSTED"]
    assert len(counted()) == 3


def test_a_statement_whose_day_is_read_otherwise_leaves_no_entry_behind(
    open_account, maker: User
) -> None:
    open_account(**DOLLARS)
    speak(sheet={**SHEET, "dates": "DD/MM/YYYY"})
    data = TURNED.replace("2026-11-20", "02/11/2026")
    (made,) = arrive(data.encode(), "a.csv").statements
    assert made.state == "QUARANTINED"
    speak(sheet={**RIGHT, "dates": "MM/DD/YYYY"})
    (row,) = read_again(statement_id=made.pk, actor=maker).statements
    assert row.state == "POSTED"
    assert row.statement_date != made.statement_date
    assert row.supersedes_id == made.pk
    assert sorted(one for _, one in states()) == ["POSTED", "SUPERSEDED"]
    assert len(counted()) == 3
    assert set(BankEntry.objects.values_list("state", flat=True)) == {"COUNTED", "WITHDRAWN"}


def test_a_wrong_control_total_is_wrong_in_every_dialect(open_account, maker: User) -> None:
    open_account(**DOLLARS)
    (made,) = arrive(bai2(total=220001), "day.bai").statements
    assert read_again(statement_id=made.pk, actor=maker).statements == ()
    assert states() == [(1, "QUARANTINED")]


def test_other_statements_of_the_same_file_are_left_alone(open_account, maker: User) -> None:
    """The first day adds up whatever the sign; only the second is read again."""
    open_account(**DOLLARS)
    speak(sheet=SHEET)
    data = HEAD + "2026-11-19,wire,0.00,1000.00\n" + TURNED.removeprefix(HEAD)
    first = arrive(data.encode(), "a.csv").statements
    by_state = {row.state: row for row in first}
    assert set(by_state) == {"POSTED", "QUARANTINED"}
    speak(sheet=RIGHT)
    result = read_again(statement_id=by_state["QUARANTINED"].pk, actor=maker)
    assert [row.state for row in result.statements] == ["POSTED"]
    assert Statement.objects.get(pk=by_state["POSTED"].pk).state == "POSTED"


def test_a_profile_that_reads_nothing_keeps_everything(aside: Statement, maker: User) -> None:
    speak(sheet={**SHEET, "columns": {**COLUMNS, "booked": "Nowhere"}})
    with pytest.raises(NotReadAgain, match="cannot be read"):
        read_again(statement_id=aside.pk, actor=maker)
    assert states() == [(1, "QUARANTINED")]


def test_only_those_who_take_messages_up_again_may(
    aside: Statement, user_with: MakeUser, maker: User
) -> None:
    with pytest.raises(Forbidden):
        read_again(statement_id=aside.pk, actor=user_with("auditor"))
    with pytest.raises(NotFound):
        read_again(statement_id=uuid4(), actor=maker)


def test_the_page_has_the_button_for_those_who_may(
    aside: Statement, maker: User, user_with: MakeUser
) -> None:
    address, button = f"/statements/{aside.pk}", "Read again with the bank"
    assert button not in client_of(user_with("auditor")).get(address).content.decode()
    client = client_of(maker)
    assert button in client.get(address).content.decode()
    same = client.post(f"{address}/again", follow=True).content.decode()
    assert "It reads as before" in same
    speak(sheet=RIGHT)
    page = client.post(f"{address}/again", follow=True).content.decode()
    assert "It was read again" in page
    assert "in place of" in page
    assert button not in page
    old = client.get(address).content.decode()
    assert "replaced by" in old
    refused = client.post(f"{address}/again", follow=True).content.decode()
    assert "Only a statement that is kept aside" in refused


def test_the_api_and_the_admin_read_again_too(
    aside: Statement, maker: User, user_with: MakeUser
) -> None:
    address = f"/api/v1/statements/{aside.pk}/again"
    assert client_of(user_with("auditor")).post(address).status_code == 403
    assert client_of(maker).post(address).json()["statements"] == []
    speak(sheet=RIGHT)
    pressed = client_of(maker).post(f"/admin/treasury/statement/{aside.pk}/again/")
    assert pressed.status_code == 302
    assert len(counted()) == 3
    refused = client_of(maker).post(address)
    assert (refused.status_code, refused.json()["code"]) == (409, "not_read_again")


def test_two_people_correct_the_profile_and_the_statement_is_proven(
    house: House, tmp_path: Path
) -> None:
    """The whole way in an opened tenant: wrong rule, four eyes, read again, counted once."""

    def change(model: str, row_id: Any, values: dict[str, Any]) -> None:
        with bound(house.tenant, actor=house.clerk.pk):
            made = propose_change(
                model=model, row_id=row_id, values=values, maker=house.clerk, reason="Sign rule"
            )
        assert house.decide(made).state == ChangeState.APPLIED

    with bound(house.tenant, actor="system:test"):
        account = BankAccount.objects.get(pk=house.account.pk)
        reading = {**SHEET, "account": account.number, "currency": account.currency}
    change("bankprofile", None, {"code": "house", "name": "House", "reading": _json(reading)})
    line = {"code": LINE, "name": "Bank", "kind": "FOLDER", "directory": str(tmp_path)}
    change("bankconnection", None, {**line, "profile": "house"})
    with bound(house.tenant, actor="system:test"):
        (made,) = arrive(TURNED.encode(), "a.csv").statements
        assert made.state == "QUARANTINED"
        profile = BankProfile.objects.get()
    change("bankprofile", profile.pk, {"reading": _json({**reading, "sign": "turned"})})
    with bound(house.tenant, actor=house.maker.pk):
        (row,) = read_again(statement_id=made.pk, actor=house.maker).statements
        assert (row.state, row.proof) == ("POSTED", "PROVEN")
        assert len(counted()) == 3


def _json(sheet: dict[str, Any]) -> str:
    return json.dumps({"sheet": sheet})
