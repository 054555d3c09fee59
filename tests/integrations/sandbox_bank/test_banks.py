"""Several banks in one house: formats, answers, cut-offs, scripted days, broken files, doors."""

import base64
import json
import os
import ssl
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path
from typing import Any

import asyncssh
import httpx
import pytest

from integrations.channels import LineSettings
from integrations.channels.http import HttpChannel
from integrations.channels.sftp import SftpChannel
from integrations.codecs.proof import ProofStatus, prove_pages
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedMessage, ParsedStatement
from integrations.sandbox_bank.accounts_file import parse_accounts
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.manners import load_manners
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.records import BankError

SECRET = "a secret of the bank and its customer"
PROJECT = Path(__file__).parents[3]
BANKS = [
    {"bic": "SBNKUS33XXX", "statement_format": "BAI2", "status_style": "group"},
    {"bic": "SBNKGB2LXXX", "statement_format": "MT940", "intraday_format": "MT942"},
    {
        "bic": "SBNKDEFFXXX",
        "statement_format": "camt.053.001.08",
        "page_entries": 2,
        "rails": {"T2": {"closes": "12:00"}},
    },
    {"bic": "SBNKAEADXXX", "statement_format": "CSV", "notifies": False},
]
NUMBERS = {
    "US": ("4010007781", "USD", "SBNKUS33XXX"),
    "GB": ("GB30SBNK99000110203344", "GBP", "SBNKGB2LXXX"),
    "DE": ("DE42990000010532013000", "EUR", "SBNKDEFFXXX"),
    "AE": ("AE639900000012345678901", "AED", "SBNKAEADXXX"),
}


def accounts(channel: str = "http") -> list[dict[str, str]]:
    return [
        {
            "bank_bic": bic,
            "iban" if number[0].isalpha() else "number": number,
            "currency": currency,
            "owner_name": "Demo Remit Limited",
            "channel": channel,
            "opening_balance": "1000.00",
        }
        for number, currency, bic in NUMBERS.values()
    ]


@pytest.fixture
def bank(tmp_path: Path) -> Iterator[Bank]:
    described = tmp_path / "banks.json"
    described.write_text(json.dumps(BANKS))
    manners = load_manners(described)
    office = Office(
        book=Book(tmp_path / "home"), clock=lambda: 1_795_424_400.0, manners=manners
    )  # a Monday, 2026-11-23 09:00 UTC
    bank = Bank(office)
    bank.put_accounts(parse_accounts(accounts(), manners))
    yield bank
    office.book.close()


def step(country: str, amount: str, **more: Any) -> dict[str, Any]:
    return {
        "after_seconds": 0,
        "do": "book",
        "account": NUMBERS[country][0],
        "amount": amount,
        **more,
    }


def statements_of(payload: bytes) -> Sequence[ParsedStatement]:
    message = read_message(payload)
    assert isinstance(message, ParsedMessage)
    return message.statements


def closed(bank: Bank, country: str) -> list[tuple[str, bytes]]:
    bank.end_of_day(account=NUMBERS[country][0])
    return [
        bank.message(row["n"])
        for row in bank.messages(after=0)
        if row["kind"] not in ("camt.054", "camt.052", "MT942")
        and row["account"] == NUMBERS[country][0]
    ]


@pytest.mark.parametrize(("country", "kind"), [("US", "BAI2"), ("GB", "MT940"), ("DE", "camt.053")])
def test_every_bank_reports_in_its_own_format_and_we_read_it(
    bank: Bank, country: str, kind: str
) -> None:
    bank.plan_script(
        [
            step(country, "250.25", name="Acquirer"),
            step(country, "-0.25", kind="charge"),
            step(country, "0.20", kind="charge"),
        ]
    )
    bank.tick()
    files = closed(bank, country)
    assert {found for found, _ in files} == {kind}
    pages = [statement for _, payload in files for statement in statements_of(payload)]
    amounts = [str(entry.amount) for page in pages for entry in page.entries]
    assert amounts == ["250.25", "-0.25", "0.20"]
    assert prove_pages(pages).status is ProofStatus.PROVEN


def test_a_sheet_has_a_row_for_every_entry(bank: Bank) -> None:
    bank.plan_script([step("AE", "250.25", name="Acquirer, Dubai"), step("AE", "-10.00")])
    bank.tick()
    ((kind, payload),) = closed(bank, "AE")
    rows = payload.decode().splitlines()
    assert kind == "CSV"
    assert rows[1].split(";")[4:6] == ["250,25", "1250,25"]
    assert len(rows) == 3
    assert [row["kind"] for row in bank.messages(after=0)] == ["CSV"]


def test_intraday_reports_come_as_the_bank_does_it(bank: Bank) -> None:
    bank.plan_script([step("GB", "5.00")])
    bank.tick()
    bank.report(account=NUMBERS["GB"][0], kind="camt.052")
    kind, payload = bank.message(bank.messages(after=0)[-1]["n"])
    assert kind == "MT942"
    assert statements_of(payload)[0].entries[0].amount == 5


def entries_of(payloads: list[tuple[str, bytes]]) -> list[list[str]]:
    found = []
    for _, payload in payloads:
        statement = statements_of(payload)[0]
        found.append([str(entry.amount) for entry in statement.entries])
    return found


def three(bank: Bank) -> None:
    bank.plan_script([step("DE", f"{number}.00", text=str(number)) for number in (1, 2, 3)])
    bank.tick()


def test_long_statements_come_in_pages_that_join(bank: Bank) -> None:
    three(bank)
    pages = [statements_of(payload)[0] for _, payload in closed(bank, "DE")]
    assert [page.page_number for page in pages] == [1, 2]
    assert [page.last_page for page in pages] == [False, True]
    assert [len(page.entries) for page in pages] == [2, 1]
    assert prove_pages(pages).status is ProofStatus.PROVEN


def test_a_wrong_split_shows_one_entry_twice(bank: Bank) -> None:
    bank.add_fault({"kind": "wrong_split", "count": 1})
    three(bank)
    pages = [statements_of(payload)[0] for _, payload in closed(bank, "DE")]
    assert sum(len(page.entries) for page in pages) == 4
    assert prove_pages(pages).status is ProofStatus.DIFFERS


def test_a_restated_day_comes_twice_and_the_second_is_the_book(bank: Bank) -> None:
    bank.add_fault({"kind": "restated", "count": 1, "match": {"account": NUMBERS["DE"][0]}})
    three(bank)
    first, second = entries_of(closed(bank, "DE"))
    assert len(first) == 2
    assert len(second) == 3


def test_a_bank_of_few_words_answers_for_the_file(bank: Bank) -> None:
    assert bank.office.manner("SBNKUS33XXX").status_style == "group"
    assert bank.office.manner("UNKNOWN1XXX").statement_format == "camt.053.001.08"


def test_a_bank_may_close_earlier_than_its_rail(bank: Bank) -> None:
    from integrations.sandbox_bank.rails import next_slot

    closes = bank.office.manner("SBNKDEFFXXX").closes["T2"]
    noon = bank.office.now().replace(hour=11, minute=30)  # 12:30 in Frankfurt
    usual = next_slot("T2", now=noon, not_before=noon.date(), zone="Europe/Berlin")
    early = next_slot("T2", now=noon, not_before=noon.date(), zone="Europe/Berlin", closes=closes)
    assert usual.business_date == date(2026, 11, 23)
    assert early.business_date == date(2026, 11, 24)


def test_a_script_is_planned_once_and_wholly_or_not_at_all(bank: Bank) -> None:
    script = [step("DE", "1.00"), {"day": 0, "at": "10:00", "do": "end_of_day"}]
    assert bank.plan_script(script) == 2
    assert bank.plan_script(script) == 0
    wrong: list[Any] = [
        [step("DE", "1.00"), {"do": "nothing"}],
        [step("DE", "nonsense")],
        [{"do": "report"}],
        [{"after_seconds": 1, "do": "fault", "fault": {"kind": "unheard of"}}],
        {},
    ]
    for content in wrong:
        with pytest.raises(BankError):
            bank.plan_script(content)
    bank.tick()
    assert bank.book.accounts()[2].balance == 100_100
    bank.advance_clock(seconds=3_600)
    assert bank.book.accounts()[2].statement_seq == 1


@pytest.mark.parametrize(
    "banks",
    [
        {},
        [{"bic": "nothing"}],
        [{"bic": "SBNKUS33XXX", "statement_format": "PDF"}],
        [{"bic": "SBNKUS33XXX", "rails": {"T2": {"closes": "noon"}}}],
        [{"bic": "SBNKUS33XXX", "rails": {"PIGEON": {"closes": "12:00"}}}],
        [{"bic": "SBNKUS33XXX", "colour": "blue"}],
    ],
)
def test_a_file_of_banks_that_cannot_be_meant_is_refused(tmp_path: Path, banks: Any) -> None:
    path = tmp_path / "banks.json"
    path.write_text(json.dumps(banks))
    with pytest.raises(BankError):
        load_manners(path)


# Doors


@contextmanager
def running(home: Path, channel: str) -> Iterator[dict[str, str]]:
    described = home / "accounts.json"
    described.write_text(json.dumps(accounts(channel)))
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "integrations.sandbox_bank", "serve", "--port", "0"),
            *("--home", str(home / "book"), "--folder", str(home / "shared")),
            *("--accounts", str(described), "--secret-env", "BANK_SECRET"),
            *("--tls-port", "0", "--sftp-port", "0", "--interim-minutes", "0", "--follow-parent"),
        ],
        cwd=PROJECT,
        env={**os.environ, "BANK_SECRET": SECRET},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        yield json.loads(process.stdout.readline())
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="module")
def doors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    with running(tmp_path_factory.mktemp("doors"), "sftp") as facts:
        yield facts


def test_the_bank_gives_tokens_for_the_secret_only(doors: dict[str, str]) -> None:
    url = doors["listening"]
    line = LineSettings(
        code="b", kind="HTTP", base_url=url, access="OAUTH2", username="treasury", secret=SECRET,
        token_url=f"{url}/oauth/token",
    )  # fmt: skip
    channel = HttpChannel(line)
    assert list(channel.collect("")) == []
    channel.close()
    wrong = base64.b64encode(b"treasury:guess").decode()
    answer = httpx.post(f"{url}/oauth/token", headers={"Authorization": f"Basic {wrong}"})
    assert answer.status_code == 401
    answer = httpx.get(f"{url}/messages", headers={"Authorization": "Bearer guess"})
    assert answer.status_code == 401


def test_the_encrypted_door_opens_to_the_customers_certificate_only(
    doors: dict[str, str],
) -> None:
    files = Path(doors["tls_files"])
    line = LineSettings(
        code="b", kind="HTTP", base_url=doors["tls"], access="MTLS",
        client_certificate=(files / "customer.pem").read_text(),
        secret=(files / "customer.key").read_text(),
        server_trust=(files / "authority.pem").read_text(),
    )  # fmt: skip
    channel = HttpChannel(line)
    assert list(channel.collect("")) == []
    channel.close()
    trusting = ssl.create_default_context(cafile=str(files / "authority.pem"))
    with pytest.raises(httpx.HTTPError):
        httpx.get(f"{doors['tls']}/messages", verify=trusting)


def test_files_go_through_the_sftp_door_both_ways(doors: dict[str, str]) -> None:
    line = LineSettings(
        code="b", kind="SFTP", base_url=doors["sftp"], access="PASSWORD", username="treasury",
        secret=SECRET, server_trust=doors["sftp_host_key"],
    )  # fmt: skip
    headers = {"Authorization": f"Bearer {SECRET}"}
    ask = {"account": NUMBERS["DE"][0], "type": "camt.052"}
    httpx.post(f"{doors['listening']}/report", json=ask, headers=headers).raise_for_status()
    channel = SftpChannel(line)
    files: list[Any] = []
    for _ in range(200):
        files = list(channel.collect(""))
        if files:
            break
    channel.close()
    assert statements_of(files[0].data)[0].account is not None
    assert asyncssh.import_public_key(doors["sftp_host_key"]).get_algorithm() == "ssh-ed25519"


def test_the_page_shows_banks_files_and_a_switch_for_the_operator(doors: dict[str, str]) -> None:
    url = doors["listening"]
    page = httpx.get(f"{url}/book", headers={"Accept": "text/html"}).text
    assert "SBNKDEFFXXX" in page
    assert "Files sent" in page
    form = {"kind": "restated", "account": "", "secret": "guess"}
    assert httpx.post(f"{url}/book/faults", data=form).status_code == 401
    strange = {"Origin": "https://elsewhere.example"}
    good = {**form, "secret": SECRET}
    assert httpx.post(f"{url}/book/faults", data=good, headers=strange).status_code == 403
    shown = httpx.post(f"{url}/book/faults", data=good)
    assert shown.status_code == 200
    assert "<td>restated</td>" in shown.text
    cleared = httpx.post(f"{url}/book/faults", data={"kind": "", "secret": SECRET})
    assert "<td>restated</td>" not in cleared.text
