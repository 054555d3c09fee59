"""Folder and HTTP: files are handled once, bad ones set aside, requests limited and authorised."""

import hashlib
import hmac
import http.client
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from integrations.sandbox_bank import views
from integrations.sandbox_bank.__main__ import main
from integrations.sandbox_bank.accounts_file import DEMO_ACCOUNTS, load_accounts, parse_accounts
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.folder_door import FolderDoor
from integrations.sandbox_bank.http_door import BankServer
from integrations.sandbox_bank.records import BankError
from integrations.sandbox_bank.serve import sole_keeper

SECRET = "a secret of more than enough length"
BEARER = {"Authorization": f"Bearer {SECRET}"}
Ask = Callable[..., tuple[int, Any]]


@pytest.fixture
def door(folder_bank: Bank, tmp_path: Path) -> FolderDoor:
    return FolderDoor(folder_bank, tmp_path / "exchange")


def drop(door: FolderDoor, name: str, payload: bytes) -> Path:
    draft = door.outbound / f".{name}.part"
    draft.write_bytes(payload)
    return draft.rename(door.outbound / name)


def test_a_dropped_file_is_taken_and_answered(
    door: FolderDoor, customer_of: Any, order: Any
) -> None:
    customer = customer_of(door.bank)
    drop(door, "one.xml", customer.file(order()))
    assert door.take_in() == 1
    customer.pass_time(minutes=10)
    assert door.hand_out() > 0

    assert [path.name for path in door.taken.iterdir()] == ["00000001_one.xml"]
    names = sorted(path.name for path in door.inbound.iterdir())
    assert [name.split("_")[1] for name in names] == [
        "pain.002", "pain.002", "pain.002", "camt.054", "camt.054", "pain.002",
    ]  # fmt: skip
    assert list(door.writing.iterdir()) == []
    assert views.executed_view(door.bank.book) == {"FMP-1": 1}


def test_half_written_files_are_left_alone(door: FolderDoor) -> None:
    (door.outbound / ".one.xml").write_bytes(b"<Docu")
    (door.outbound / "two.tmp").write_bytes(b"<Docu")
    assert door.take_in() == 0


def test_a_bad_file_is_set_aside_with_its_reason(door: FolderDoor) -> None:
    drop(door, "bad.xml", b"<Document")
    (door.outbound / "link.xml").symlink_to("/etc/hostname")
    door.take_in()
    assert (door.refused / "bad.xml").read_bytes() == b"<Document"
    assert "not_well_formed" in (door.refused / "bad.xml.reason.txt").read_text("utf-8")
    assert "not a plain file" in (door.refused / "link.xml.reason.txt").read_text("utf-8")
    assert door.bank.book.rows("SELECT 1 FROM incoming") == []


def test_a_pick_up_cut_short_is_finished_not_repeated(
    door: FolderDoor, customer_of: Any, order: Any
) -> None:
    customer = customer_of(door.bank)
    payload = customer.file(order())
    drop(door, "one.xml", payload)
    # The bank recorded the file and died before it moved it away.
    door.bank.receive(payload, door="folder", file_name="one.xml")
    FolderDoor(door.bank, door.inbound.parent).take_in()
    assert len(door.bank.book.rows("SELECT 1 FROM incoming")) == 1
    assert customer.statuses("FMP-1") == ["ACTC"]
    # Sent on purpose a second time it is a duplicate, and said to be one.
    drop(door, "one.xml", payload)
    door.take_in()
    assert customer.messages("pain.002")[-1].findtext(".//{*}Rsn/{*}Cd") == "DU01"


def test_a_hand_out_cut_short_brings_the_same_file_again(
    door: FolderDoor, customer_of: Any, order: Any
) -> None:
    customer = customer_of(door.bank)
    drop(door, "one.xml", customer.file(order()))
    door.take_in()
    door.hand_out()
    before = {path.name: path.read_bytes() for path in door.inbound.iterdir()}
    assert before
    for path in list(door.inbound.iterdir()):
        path.unlink()
    assert door.hand_out() == 0
    door.bank.book.run("UPDATE outgoing SET written = 0")
    door.hand_out()
    assert {path.name: path.read_bytes() for path in door.inbound.iterdir()} == before


# HTTP


@pytest.fixture
def server(bank: Bank) -> Iterator[BankServer]:
    server = BankServer(("127.0.0.1", 0), bank, secret=SECRET)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stopping.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def ask(server: BankServer) -> Ask:
    def send(
        method: str, path: str, body: object = None, headers: dict[str, str] | None = None
    ) -> tuple[int, Any]:
        payload = body if isinstance(body, bytes | None) else json.dumps(body).encode()
        connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=10)
        try:
            connection.request(method, path, payload, BEARER if headers is None else headers)
            response = connection.getresponse()
            content = response.read()
            is_json = response.getheader("Content-Type") == "application/json"
            return response.status, json.loads(content) if is_json else content
        finally:
            connection.close()

    return send


def test_an_order_over_http_is_received_and_can_be_asked_about(
    ask: Ask, customer: Any, order: Any
) -> None:
    status, receipt = ask("POST", "/payments", customer.file(order()))
    assert (status, receipt["status"], receipt["transactions"]) == (202, "received", 1)
    assert ask("POST", "/clock/advance", {"seconds": 600})[0] == 200
    status, found = ask("GET", "/payments/FMP-1")
    assert (status, found["found"], found["status"]) == (200, True, "ACCC")
    status, absent = ask("GET", "/payments/FMP-2")
    assert (status, absent["found"]) == (404, False)

    listed = ask("GET", "/messages?after=0")[1]
    assert [m["kind"] for m in listed["messages"]].count("pain.002") == 4
    first = listed["messages"][0]
    assert ask("GET", f"/messages/{first['n']}")[1].startswith(b"<?xml")
    assert ask("GET", f"/messages?after={listed['next_after']}")[1]["messages"] == []


def test_orders_need_the_secret_or_a_signature_of_the_body(
    ask: Ask, customer: Any, order: Any
) -> None:
    payload = customer.file(order())
    good = "sha256=" + hmac.new(SECRET.encode(), payload, hashlib.sha256).hexdigest()
    other = "sha256=" + hmac.new(SECRET.encode(), payload + b" ", hashlib.sha256).hexdigest()
    for headers in ({}, {"Authorization": "Bearer no"}, {"X-Signature": other}):
        status, answer = ask("POST", "/payments", payload, headers)
        assert (status, answer["code"]) == (401, "unauthorised")
    assert customer.bank.book.rows("SELECT 1 FROM incoming") == []
    assert ask("POST", "/payments", payload, {"X-Signature": good})[0] == 202
    assert ask("GET", "/messages", headers={})[0] == 401
    assert ask("GET", "/health", headers={})[0] == 200


def test_a_key_tells_again_from_different(ask: Ask, customer: Any, order: Any) -> None:
    key = BEARER | {"Idempotency-Key": "k-1"}
    payload = customer.file(order())
    first = ask("POST", "/payments", payload, key)
    assert ask("POST", "/payments", payload, key) == first
    status, answer = ask("POST", "/payments", customer.file(order()), key)
    assert (status, answer["code"]) == (409, "idempotency_conflict")
    assert len(customer.bank.book.rows("SELECT 1 FROM payment")) == 1


def test_accepted_and_then_no_answer(ask: Ask, customer: Any, order: Any) -> None:
    customer.bank.add_fault({"kind": "accept_then_timeout", "count": 1})
    with pytest.raises(http.client.RemoteDisconnected):
        ask("POST", "/payments", customer.file(order()))
    ask("POST", "/clock/advance", {"seconds": 600})
    assert ask("GET", "/book/executed")[1] == {"executed": {"FMP-1": 1}}


def test_a_hung_answer_outlasts_the_customers_patience(
    server: BankServer, customer: Any, order: Any
) -> None:
    customer.bank.add_fault({"kind": "accept_then_timeout", "mode": "hang", "seconds": 60})
    connection = http.client.HTTPConnection("127.0.0.1", server.server_address[1], timeout=0.3)
    connection.request("POST", "/payments", customer.file(order()), BEARER)
    with pytest.raises(TimeoutError):
        connection.getresponse()
    connection.close()
    customer.pass_time(minutes=10)
    assert views.executed_view(customer.bank.book) == {"FMP-1": 1}


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "code"),
    [
        ("GET", "/nowhere", None, 404, "not_found"),
        ("DELETE", "/payments", None, 405, "method_not_allowed"),
        ("GET", "/messages/999", None, 404, "not_found"),
        ("GET", "/messages?after=minus", None, 422, "query_invalid"),
        ("POST", "/payments", b"", 400, "not_well_formed"),
        ("POST", "/faults", b"{", 400, "json_invalid"),
        ("POST", "/faults", b'{"kind":"silent","kind":"late"}', 400, "json_invalid"),
        ("POST", "/faults", b'{"kind":"late","seconds":NaN}', 400, "json_invalid"),
        ("POST", "/faults", b"[" * 100_000, 400, "json_invalid"),
        ("POST", "/faults", b"\xff\xfe", 400, "json_invalid"),
        ("POST", "/faults", b'{"kind":"\\ud800"}', 400, "json_invalid"),
        ("POST", "/clock/advance", b'{"seconds":"many"}', 422, "clock_step_refused"),
        ("POST", "/clock/advance", b'{"to":"2026-11-24T00:00:00"}', 422, "clock_step_refused"),
        ("POST", "/clock/advance", b'{"to":"tomorrow"}', 422, "clock_step_refused"),
        ("POST", "/clock/advance", b"[]", 422, "json_invalid"),
        ("POST", "/accounts", b'[{"currency":"USD"}]', 422, "account_invalid"),
        ("POST", "/report", b'{"account":"nobody"}', 404, "account_unknown"),
    ],
)
def test_a_wrong_request_gets_a_clear_refusal(
    ask: Ask, method: str, path: str, body: bytes | None, status: int, code: str
) -> None:
    shown, answer = ask(method, path, body)
    assert (shown, answer["code"]) == (status, code)
    assert answer["message"]


def raw(server: BankServer, request: bytes) -> bytes:
    with socket.create_connection(
        ("127.0.0.1", server.server_address[1]), timeout=10
    ) as connection:
        connection.sendall(request)
        answer = b""
        while chunk := connection.recv(65_536):
            answer += chunk
    return answer


@pytest.mark.parametrize(
    ("head", "status"),
    [
        (b"POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: 5000001\r\n\r\n", b"413"),
        (b"POST /faults HTTP/1.1\r\nHost: x\r\nContent-Length: 4000001\r\n\r\n", b"413"),
        (b"POST /payments HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", b"411"),
        (b"POST /payments HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n", b"411"),
        (b"BREW /payments HTTP/1.1\r\nHost: x\r\n\r\n", b"501"),
    ],
)
def test_a_body_is_refused_before_it_is_read(
    server: BankServer, head: bytes, status: bytes
) -> None:
    answer = raw(server, head)
    assert answer.split(b" ")[1] == status
    assert b'"code"' in answer


def test_other_peoples_web_pages_may_not_give_orders(ask: Ask) -> None:
    status, answer = ask("POST", "/eod", {}, BEARER | {"Origin": "https://elsewhere.example"})
    assert (status, answer["code"]) == (403, "origin_refused")


def test_accounts_are_added_once_and_keep_their_money(ask: Ask, customer: Any, order: Any) -> None:
    described = json.loads(DEMO_ACCOUNTS.read_text("utf-8"))
    customer.send(order())
    customer.pass_time(minutes=10)
    balance = customer.balance("4010007781")
    described[0] |= {"opening_balance": "1.00", "channel": "folder"}
    outcome = ask("POST", "/accounts", described)[1]["accounts"]
    assert [one["outcome"] for one in outcome][:3] == ["kept", "kept", "replaced"]
    assert customer.balance("4010007781") == balance
    shown = ask("GET", "/accounts")[1]["accounts"]
    assert len(shown) == 11
    assert shown[0]["channel"] == "folder"
    new = described[0] | {"number": "4010007799", "opening_balance": "5.00"}
    assert ask("POST", "/accounts", {"accounts": [new]})[1]["accounts"][0]["outcome"] == "added"


def test_the_book_is_shown_to_machines_and_to_people(ask: Ask, customer: Any, order: Any) -> None:
    customer.send(order(creditor_name="Demo &amp; Remit"))
    customer.pass_time(minutes=10)
    shown = ask("GET", "/book", headers={})[1]
    assert shown["balanced"] is True
    assert [p["status"] for p in shown["payments"]] == ["ACCC"]
    assert [m["leg"] for m in shown["movements"]] == ["debit", "credit"]
    page = ask("GET", "/book", headers={"Accept": "text/html"})[1].decode()
    assert "prefers-color-scheme:dark" in page
    assert "FMP-1" in page
    assert "Demo &amp; Remit" in page
    assert "ACTC → ACSP → ACSC → ACCC" in page


def test_a_book_that_does_not_add_up_is_said_so(ask: Ask, bank: Bank) -> None:
    bank.book.run("UPDATE account SET balance = balance + 1 WHERE id = 1")
    status, health = ask("GET", "/health")
    assert (status, health["unbalanced_accounts"]) == (503, ["4010007781"])
    assert ask("GET", "/book")[1]["balanced"] is False


def test_faults_are_armed_listed_and_cleared(ask: Ask) -> None:
    assert ask("POST", "/faults", {"kind": "late", "seconds": 5})[0] == 201
    assert ask("GET", "/faults")[1]["faults"][0]["seconds"] == 5
    assert ask("DELETE", "/faults")[1] == {"cleared": 1}


def test_statements_can_be_asked_for(ask: Ask) -> None:
    assert ask("POST", "/eod", {"account": "4010007781"})[1] == {"closed": {"4010007781": 1}}
    wish = {"account": "4010007781", "type": "camt.053", "date": "2026-11-23"}
    status, sent = ask("POST", "/report", wish)
    listed = ask("GET", "/messages")[1]["messages"]
    assert status == 202
    assert [m["message_id"] for m in listed] == [sent["message_id"]] * 2


# Accounts file and command line


@pytest.mark.parametrize(
    "change",
    [
        {"bank_bic": "NOT"},
        {"number": "", "iban": ""},
        {"iban": "GB31SBNK99000110203344"},
        {"clearing_code": "991000013"},
        {"currency": "usd"},
        {"opening_balance": 5},
        {"opening_balance": "5.001"},
        {"timezone": "Mars/Olympus"},
        {"channel": "pigeon"},
        {"statement_format": "PDF"},
        {"bank_date": "tomorrow"},
        {"statement_seq": -1},
        {"colour": "red"},
    ],
)
def test_an_account_must_be_described_properly(change: dict[str, object]) -> None:
    described = json.loads(DEMO_ACCOUNTS.read_text("utf-8"))[0]
    assert len(parse_accounts(described)) == 1
    with pytest.raises(BankError) as refusal:
        parse_accounts([described | change])
    assert refusal.value.code == "account_invalid"


def test_the_demo_accounts_have_valid_identifiers_and_no_doubles() -> None:
    accounts = load_accounts(DEMO_ACCOUNTS)
    assert len({(account.name, account.currency) for account in accounts}) == len(accounts) == 11
    assert {account.currency for account in accounts} == {"USD", "GBP", "EUR", "AED", "INR"}


@pytest.mark.parametrize("arguments", [["--help"], ["serve", "--help"], ["history", "--help"]])
def test_every_command_explains_itself(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
    assert "usage" in capsys.readouterr().out


def test_history_goes_into_the_book_and_into_an_accounts_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    ends = tmp_path / "ends.json"
    arguments = ["history", "--seed", "7", "--days", "10", "--until", "2026-11-20"]
    arguments += ["--out", str(tmp_path / "past"), "--accounts-out", str(ends)]
    assert main([*arguments, "--into-book", str(tmp_path / "home")]) == 0
    summary = json.loads(capsys.readouterr().out)
    assert summary["files"] == len(list((tmp_path / "past").iterdir()))
    assert {one["outcome"] for one in summary["into_book"]} == {"added"}
    loaded = load_accounts(ends)
    assert [account.statement_seq for account in loaded][-1] == 10
    assert str(loaded[0].bank_date) == "2026-11-23"


def test_refusals_on_the_command_line_are_sentences(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("BANK_SECRET_UNSET", raising=False)
    serve = ["serve", "--home", str(tmp_path), "--port", "0"]
    assert main([*serve, "--secret-env", "BANK_SECRET_UNSET"]) == 2
    assert "secret_missing" in capsys.readouterr().err
    assert main([*serve, "--accounts", str(tmp_path / "absent.json")]) == 2
    assert "accounts_unreadable" in capsys.readouterr().err
    with sole_keeper(tmp_path):
        assert main(serve) == 2
    assert "book_in_use" in capsys.readouterr().err


def test_the_bank_shares_no_code_with_the_house() -> None:
    probe = (
        "import sys, integrations.sandbox_bank.__main__\n"
        "ours = ('core', 'tms', 'treasury', 'liquidity', 'approvals', 'calendars', 'django')\n"
        "print([m for m in sys.modules if m.split('.')[0] in ours or m.startswith('integrations.')"
        " and not m.startswith('integrations.sandbox_bank')])"
    )
    found = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True, cwd=os.getcwd()
    )
    assert found.stdout.strip() == "[]"
