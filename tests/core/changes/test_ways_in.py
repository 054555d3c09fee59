"""The same change through API, command line and import."""

import json
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from approvals.models import ApprovalRule
from calendars.models import Holiday
from core.changes.importing import ImportRefused, propose_import
from core.changes.models import ChangeRequest, ChangeState
from core.errors import Invalid
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.core.changes.conftest import House
from tests.tms.desk.conftest import client_of
from treasury.models import BankAccount

HEAD = "entity,bank,label,currency,number,timezone\n"
GOOD = "North Remit Limited,DEUTDEFF,Second,EUR,FR1420041010050500013M02606,Europe/Paris\n"
WRONG = "North Remit Limited,DEUTDEFF,Third,EUR,DE00370400440532013000,Europe/Berlin\n"
NOWHERE = "North Remit Limited,NOSUCHXX,Fourth,EUR,NL91ABNA0417164300,Europe/Amsterdam\n"


def _post(client: Client, path: str, body: dict[str, Any]) -> Any:
    return client.post(
        f"/api/v1/changes{path}",
        json.dumps(body),
        content_type="application/json",
        headers={"Idempotency-Key": uuid4().hex},
    )


def _wish(**more: Any) -> dict[str, Any]:
    return {
        "model": "treasury.bankaccount",
        "row": "Euro operating",
        "values": {"min_balance": "250000"},
        "reason": "The bank asks for more.",
    } | more


def test_the_api_proposes_shows_and_withdraws(house: House) -> None:
    client = client_of(house.clerk)
    made = _post(client, "", _wish())
    assert made.status_code == 201
    assert made.json()["lines"] == [
        {"row": "Euro operating", "field": "min balance", "old": "0.0000", "new": "250000.0000"}
    ]
    assert house.balance() == "0.0000"
    listed = client.get("/api/v1/changes?state=PROPOSED").json()["results"]
    assert [row["id"] for row in listed] == [made.json()["id"]]
    gone = _post(client, f"/{made.json()['id']}/withdraw", {})
    assert gone.json()["state"] == ChangeState.CANCELLED


def test_the_api_refuses_with_stable_codes(house: House) -> None:
    client = client_of(house.clerk)
    codes = {
        _post(client, "", _wish(**more)).json()["code"]
        for more in (
            {"row": "Nowhere"},
            {"model": "treasury.transfer"},
            {"values": {"min_balance": "0"}},
            {"values": {"number_hint": "1"}},
            {"values": {"min_balance": "-1"}},
        )
    }
    assert codes == {"change_unknown", "not_governed", "nothing_changes", "invalid"}
    refused = _post(client_of(house.maker), "", _wish())
    assert (refused.status_code, refused.json()["code"]) == (403, "change_role_missing")
    assert not ChangeRequest.objects.exists()


def test_the_api_removes_a_row_by_a_change(house: House) -> None:
    spare = {"model": "bank", "values": {"bic": "BNPAFRPP", "name": "Spare"}, "reason": "x"}
    client = client_of(house.clerk)
    assert _post(client, "", spare).json()["operation"] == "INSERT"
    house.decide(ChangeRequest.objects.get())
    body = {"model": "bank", "row": "BNPAFRPP", "is_removal": True, "reason": "Not needed."}
    assert _post(client, "", body).json()["operation"] == "DELETE"
    used = _post(client, "", body | {"row": "DEUTDEFF"})
    assert (used.status_code, used.json()["code"]) == (422, "invalid")


def test_what_is_append_only_is_not_removed_either(house: House) -> None:
    rule = ApprovalRule.objects.earliest("created_at")
    body = {"model": "approvalrule", "row": str(rule.pk), "is_removal": True, "reason": "x"}
    refused = _post(client_of(house.manager), "", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid")


def test_a_file_is_one_change(house: House) -> None:
    body = {"model": "bankaccount", "csv": HEAD + GOOD, "reason": "A second bank."}
    made = _post(client_of(house.clerk), "/import", body)
    assert made.status_code == 201
    assert made.json()["title"] == "Import account: 1 rows"
    house.decide(ChangeRequest.objects.get())
    assert BankAccount.objects.get(label="Second").number == "FR1420041010050500013M02606"


def test_every_wrong_line_is_named_and_nothing_is_proposed(house: House) -> None:
    body = {"model": "bankaccount", "csv": HEAD + GOOD + WRONG + NOWHERE, "reason": "A file."}
    refused = _post(client_of(house.clerk), "/import", body)
    assert (refused.status_code, refused.json()["code"]) == (422, "import_refused")
    problems = refused.json()["context"]["problems"]
    assert [text.split(":")[0] for text in problems] == ["line 3", "line 4"]
    assert not ChangeRequest.objects.exists()
    assert not BankAccount.objects.filter(label="Second").exists()


def test_holidays_come_from_a_file_too(house: House) -> None:
    text = "calendar,date,name\nUAE,2026-12-28,Mourning\nUAE,2026-12-29,Mourning\n"
    with bound(house.tenant, actor=house.clerk.pk):
        change = propose_import(model="holiday", text=text, maker=house.clerk, reason="Decree 7.")
    assert len(change.rows) == 2
    house.decide(change)
    assert Holiday.objects.filter(name="Mourning", kind="ADHOC").count() == 2


@pytest.mark.parametrize(
    "text",
    ["", "calendar,secret\nUAE,1\n", 'calendar,date,name\n"UAE,2026-12-28,Open quote\n'],
    ids=["empty", "unknown field", "no csv"],
)
def test_what_is_no_such_file_is_refused(house: House, text: str) -> None:
    with pytest.raises(Invalid):
        propose_import(model="holiday", text=text, maker=house.clerk, reason="x")


def test_a_line_with_too_few_cells_is_named(house: House) -> None:
    with pytest.raises(ImportRefused, match="1 lines") as refused:
        propose_import(model="holiday", text="calendar,date\nUAE\n", maker=house.clerk, reason="x")
    assert refused.value.problems[0].line == 2


def _run(*words: str) -> str:
    out = StringIO()
    call_command("change", *words, stdout=out)
    return out.getvalue()


def test_the_command_line_proposes_as_somebody(house: House, tmp_path: Path) -> None:
    words = ("--as", house.clerk.username, "--reason", "The bank asks for more.")
    said = _run("bankaccount", "Euro operating", "min_balance=250000", *words)
    assert "waits for another person" in said
    change = ChangeRequest.objects.get()
    assert change.maker == house.clerk
    house.decide(change)
    assert house.balance() == "250000.0000"
    file = tmp_path / "accounts.csv"
    file.write_text(HEAD + WRONG, encoding="utf-8")
    with pytest.raises(CommandError, match="line 2: "):
        _run("bankaccount", "--import", str(file), *words)
    with pytest.raises(CommandError, match="Nobody signs in"):
        _run("bank", "DEUTDEFF", "--remove", "--as", "nobody@north", "--reason", "x")
    with pytest.raises(CommandError, match="field=value"):
        _run("bankaccount", "Euro operating", "min_balance", *words)


def test_more_years_of_holidays_are_a_change_too(house: House) -> None:
    before = Holiday.objects.count()
    out = StringIO()
    call_command("calendars_install", "--tenant", "north", "--years", "2027", stdout=out)
    assert "waits for another person" in out.getvalue()
    assert Holiday.objects.count() == before
    house.decide(ChangeRequest.objects.get())
    assert Holiday.objects.filter(date__year=2027).exists()
    out = StringIO()
    call_command("calendars_install", "--tenant", "north", "--years", "2027", stdout=out)
    assert "0 holidays" in out.getvalue()


def test_the_command_line_opens_a_tenant(tenant: Tenant, user_with: Any) -> None:
    with pytest.raises(CommandError, match="two people"):
        call_command("open_tenant", "north")
    for number in (1, 2):
        user_with("treasury_manager", name=f"manager{number}")
    out = StringIO()
    call_command("open_tenant", "north", stdout=out)
    assert "north is open" in out.getvalue()
    assert Tenant.objects.get(pk=tenant.pk).opened_at is not None
    assert User.objects.count() == 2
    with pytest.raises(CommandError, match="no such tenant"):
        call_command("open_tenant", "nowhere")
