"""The conformance battery against the sandbox bank: over HTTP, over a folder, and where it lies."""

import json
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from core.tenancy import bound
from integrations import services
from integrations.models import Message
from tests.integrations.room.conftest import (
    CREDITOR_IBAN,
    DEBTOR_IBAN,
    House,
    MakeHouse,
    SandboxBank,
    folder_line,
    http_line,
)
from tests.integrations.room.scripted_bank import Asked, Says, scripted
from tms.ops.tenants import all_tenants

ACCOUNTS = {
    "debit": DEBTOR_IBAN,
    "debit_bic": "SBNKDEFFXXX",
    "credit": CREDITOR_IBAN,
    "credit_bic": "SBKTDEFFXXX",
    "name": "Demo Remit Limited",
    "town": "Frankfurt am Main",
    "country": "DE",
    "wait_seconds": 5.0,
}


def battery(house: House, **options: Any) -> dict[str, tuple[str, str]]:
    """Run it and return verdict and words by check."""
    slug = next(one.slug for one in all_tenants() if one.id == house.tenant)
    out, wanted = StringIO(), {"tenant": slug, "json": True, **options}
    with suppress(SystemExit):  # the status says that the bank deviates; the report says where
        call_command("bank_conformance", house.line, stdout=out, **wanted)
    found = json.loads(out.getvalue())
    return {one["check"]: (one["verdict"], one["words"]) for one in found["findings"]}


def verdicts(found: dict[str, tuple[str, str]]) -> dict[str, str]:
    return {check: verdict for check, (verdict, _) in found.items()}


def test_the_sandbox_over_http_supports_what_is_asked(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url, is_test_line=True))
    found = verdicts(battery(home, **ACCOUNTS))
    expected = {
        "reachable", "wrong_credentials", "order", "enquiry", "enquiry_unknown", "duplicate",
        "idempotency", "status", "broken_file", "refusal", "formats",
    }  # fmt: skip
    assert {check for check in expected if found[check] != "supported"} == set()
    with bound(home.tenant, actor="system:test"):
        assert not Message.objects.exists()  # nothing was taken away, nothing was entered


def test_a_folder_is_asked_the_same(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(folder_line(bank.folder, is_test_line=True))
    found = verdicts(battery(home, **{**ACCOUNTS, "wait_seconds": 0.5}))
    assert found["wrong_credentials"] == "skipped"
    assert found["order"] == found["enquiry"] == found["duplicate"] == "supported"
    assert found["status"] == "absent"  # this account's answers come over HTTP


def test_without_accounts_nothing_is_ordered(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    before = len(bank._ask("GET", "/book")["payments"])
    found = battery(home)
    assert found["order"][0] == "skipped"
    assert len(bank._ask("GET", "/book")["payments"]) == before


def test_real_money_needs_a_word(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    with pytest.raises(CommandError, match="real money"):
        battery(home, **ACCOUNTS)


def test_large_amounts_are_refused(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url, is_test_line=True))
    with pytest.raises(CommandError, match="at most"):
        battery(home, **{**ACCOUNTS, "amount": "1000.00"})
    with pytest.raises(CommandError, match="not an amount"):
        battery(home, **{**ACCOUNTS, "amount": "much"})


def test_a_bank_that_lets_everybody_in_and_takes_anything_deviates(house: MakeHouse) -> None:
    def careless(asked: Asked) -> Says:
        if asked.method == "POST":
            body = {"receipt_id": "1", "sha256": None, "message_id": None}
            marker = asked.body.split(b"<MsgId>")[-1].split(b"<")[0].decode()
            return Says(body=json.dumps({**body, "message_id": marker}).encode())
        if asked.path.startswith("/payments/"):
            return Says(body=b'{"found": true, "status": "ACTC"}')
        return Says(body=b'{"messages": []}')

    with scripted(careless) as stranger:
        home = house(http_line(stranger.url, is_test_line=True))
        found = verdicts(battery(home, **{**ACCOUNTS, "wait_seconds": 0.1}))
    deviating = {check for check, verdict in found.items() if verdict == "deviates"}
    assert deviating == {"wrong_credentials", "enquiry_unknown", "idempotency", "broken_file"}
    assert found["status"] == "absent"


def test_a_bank_that_is_away_is_said_in_one_line(house: MakeHouse, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("no folder")
    home = house(folder_line(tmp_path / "file" / "below"))
    with bound(home.tenant, actor="system:test"):
        assert services.ROLES_FOR_LINES
    assert verdicts(battery(home)) == {"reachable": "deviates"}


def test_the_report_reads_well(house: MakeHouse, bank: SandboxBank) -> None:
    home = house(http_line(bank.url))
    slug = next(one.slug for one in all_tenants() if one.id == home.tenant)
    out = StringIO()
    call_command("bank_conformance", home.line, tenant=slug, stdout=out)
    assert "ok   reachable" in out.getvalue()
    assert "0 deviations." in out.getvalue()
    with pytest.raises(CommandError, match="no bank connection"):
        call_command("bank_conformance", "nowhere", tenant=slug)
    with pytest.raises(CommandError, match="no tenant"):
        call_command("bank_conformance", home.line, tenant="nobody")
