"""Statements add up and chain, live and in the written past; one seed writes one past."""

import hashlib
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from lxml import etree

from integrations.sandbox_bank import views
from integrations.sandbox_bank.accounts_file import DEMO_ACCOUNTS, load_accounts
from integrations.sandbox_bank.bankdays import is_bank_day
from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.engine import Bank
from integrations.sandbox_bank.history import span_until, write_history
from integrations.sandbox_bank.office import Office
from integrations.sandbox_bank.patterns import plan_day
from integrations.sandbox_bank.records import Account, BankError

USD_OPERATING, USD_FUNDING = "4010007781", "4020009945"
EUR_WITH_CREDIT_LINE, EUR_MT940 = "DE42990000010532013000", "DE41990000020648489890"
GBP_OLD_VERSION = "GB33SBKT99000255667788"
INR_PAYOUT = "50100044455566"


@dataclass(frozen=True)
class Shown:
    """What a statement says, read without the bank's own code."""

    account: str
    sequence: int | None
    day: str
    opening: Decimal
    closing: Decimal
    moved: Decimal


def read_camt(payload: bytes) -> Shown:
    root = etree.fromstring(payload)

    def signed(element: Any) -> Decimal:
        amount = Decimal(element.findtext("{*}Amt"))
        return amount if element.findtext("{*}CdtDbtInd") == "CRDT" else -amount

    balances = {b.findtext(".//{*}Cd"): signed(b) for b in root.iterfind(".//{*}Bal")}
    identity = root.find(".//{*}Stmt/{*}Acct/{*}Id")
    return Shown(
        account=identity.findtext("{*}IBAN") or identity.findtext("{*}Othr/{*}Id"),
        sequence=int(root.findtext(".//{*}ElctrncSeqNb")),
        day=root.findtext(".//{*}FrToDt/{*}FrDtTm")[:10],
        opening=balances["OPBD"],
        closing=balances["CLBD"],
        moved=sum((signed(entry) for entry in root.iterfind(".//{*}Ntry")), Decimal(0)),
    )


def read_mt940(payload: bytes) -> Shown:
    text = payload.decode("ascii")

    def money(sign: str, amount: str) -> Decimal:
        value = Decimal(amount.replace(",", "."))
        return value if sign in {"C", "RD"} else -value

    opening = re.search(r":60F:([CD])(\d{6})[A-Z]{3}([\d,]+)", text)
    closing = re.search(r":62F:([CD])\d{6}[A-Z]{3}([\d,]+)", text)
    lines = re.findall(r":61:\d{10}(RC|RD|C|D)([\d,]+)N", text)
    account = re.search(r":25:(\S+)", text)
    sequence = re.search(r":28C:(\d+)/", text)
    assert opening is not None
    assert closing is not None
    assert account is not None
    assert sequence is not None
    return Shown(
        account=account[1],
        sequence=int(sequence[1]),
        day=f"20{opening[2][:2]}-{opening[2][2:4]}-{opening[2][4:]}",
        opening=money(opening[1], opening[3]),
        closing=money(closing[1], closing[2]),
        moved=sum((money(*line) for line in lines), Decimal(0)),
    )


# Types below 400 are credits.
BAI2_DEBITS_FROM = 400


def bai2_records(payload: bytes) -> list[list[str]]:
    return [line.rstrip("/").split(",") for line in payload.decode("ascii").splitlines()]


def read_bai2(payload: bytes) -> Shown:
    records = bai2_records(payload)
    (group,) = (record for record in records if record[0] == "02")
    (account,) = (record for record in records if record[0] == "03")
    balances = dict(zip(account[3::4], account[4::4], strict=True))
    lines = [(int(record[1]), Decimal(record[2])) for record in records if record[0] == "16"]
    moved = sum((-cents if code >= BAI2_DEBITS_FROM else cents for code, cents in lines), Decimal())
    return Shown(
        account=account[1],
        sequence=None,
        day=f"20{group[4][:2]}-{group[4][2:4]}-{group[4][4:]}",
        opening=Decimal(balances["010"]) / 100,
        closing=Decimal(balances["015"]) / 100,
        moved=moved / 100,
    )


def assert_proven(statements: list[Shown]) -> None:
    """Each adds up, and each begins where the one before ended."""
    last: dict[str, Shown] = {}
    for one in statements:
        assert one.opening + one.moved == one.closing, one
        if before := last.get(one.account):
            assert before.closing == one.opening, one
            if before.sequence is not None:
                assert before.sequence + 1 == one.sequence, one
        last[one.account] = one


def live_statements(bank: Bank) -> list[Shown]:
    read = {"camt.053": read_camt, "MT940": read_mt940, "BAI2": read_bai2}
    found = bank.messages(after=0, channel="all")
    return [read[m["kind"]](bank.message(m["n"])[1]) for m in found if m["kind"] in read]


def test_evenings_close_bank_days_and_chain_over_a_weekend(customer: Any, order: Any) -> None:
    days = ["2026-11-23", "2026-11-24", "2026-11-25", "2026-11-27", "2026-11-30"]
    for number, day in enumerate(days):
        customer.bank.advance_clock(to=datetime.fromisoformat(f"{day}T15:00:00+00:00"))
        customer.send(order(end_to_end_id=f"FMP-{number}", day=day, amount=f"{number + 1}000.00"))
    customer.bank.advance_clock(to=datetime(2026, 12, 1, 12, tzinfo=UTC))

    shown = live_statements(customer.bank)
    assert_proven(shown)
    dollars = [one for one in shown if one.account == USD_OPERATING]
    assert [one.day for one in dollars] == days
    assert [one.moved for one in dollars] == [-1000, -2000, -3000, -4000, -5000]
    rupees = [one.day for one in shown if one.account == INR_PAYOUT]
    assert {"2026-11-28", "2026-11-29"} <= set(rupees)
    assert not views.imbalances(customer.bank.book)


def test_a_chain_with_a_hole_is_noticed_by_these_tests(customer: Any) -> None:
    customer.bank.add_fault({"kind": "statement_gap", "match": {"account": USD_OPERATING}})
    customer.bank.add_fault({"kind": "wrong_sum", "match": {"account": USD_FUNDING}})
    customer.pass_time(days=2)
    with pytest.raises(AssertionError):
        assert_proven(live_statements(customer.bank))


def test_every_report_repeats_the_reference_of_the_entry(customer: Any, order: Any) -> None:
    customer.send(order())
    customer.pass_time(minutes=45)
    customer.pass_time(days=1)
    references = {
        kind: {
            entry.findtext("{*}AcctSvcrRef")
            for message in customer.messages(kind)
            for entry in message.iterfind(".//{*}Ntry")
        }
        for kind in ("camt.054", "camt.052", "camt.053")
    }
    # One of the two accounts gets its evening statement as BAI2.
    bank = customer.bank
    files = [m["n"] for m in bank.messages(after=0, channel="all") if m["kind"] == "BAI2"]
    records = [record for n in files for record in bai2_records(bank.message(n)[1])]
    evening = references["camt.053"] | {record[6] for record in records if record[0] == "16"}
    assert len(references["camt.054"]) == 2
    assert references["camt.054"] == references["camt.052"] == evening


def test_an_interim_report_shows_the_day_so_far(customer: Any, order: Any) -> None:
    customer.send(order())
    customer.pass_time(minutes=5)
    customer.send(order(end_to_end_id="FMP-2", amount="1000000.00"))
    customer.bank.report(account=USD_OPERATING, kind="camt.052")
    report = customer.messages("camt.052")[-1]
    balances = {b.findtext(".//{*}Cd"): b.findtext("{*}Amt") for b in report.iterfind(".//{*}Bal")}
    assert balances == {"OPBD": "41250000.00", "ITBD": "38500000.00", "ITAV": "37500000.00"}


def test_nothing_moved_nothing_reported(customer: Any) -> None:
    customer.pass_time(hours=6)
    assert customer.messages("camt.052") == []


def test_the_available_balance_names_the_credit_line_it_includes(customer: Any) -> None:
    customer.bank.end_of_day(account=EUR_WITH_CREDIT_LINE)
    statement = customer.messages("camt.053")[0]
    available = statement.findall(".//{*}Bal")[-1]
    assert available.findtext("{*}Tp/{*}CdOrPrtry/{*}Cd") == "CLAV"
    assert available.findtext("{*}CdtLine/{*}Incl") == "true"
    assert available.findtext("{*}CdtLine/{*}Amt") == "1000000.00"
    assert available.findtext("{*}Amt") == "10600000.00"


def test_each_account_gets_its_own_format(customer: Any) -> None:
    customer.bank.end_of_day()
    tags = {message.tag for message in customer.messages("camt.053")}
    assert {re.search(r"camt\.053\.001\.\d+", tag)[0] for tag in tags} == {  # type: ignore[index]
        "camt.053.001.08",
        "camt.053.001.02",
    }
    found = [m for m in customer.bank.messages(after=0, channel="all") if m["kind"] == "MT940"]
    assert [m["account"] for m in found] == [EUR_MT940]


def test_a_forced_close_happens_once_a_day(customer: Any) -> None:
    assert customer.bank.end_of_day(account=USD_OPERATING) == {"closed": {USD_OPERATING: 1}}
    assert customer.bank.end_of_day(account=USD_OPERATING) == {"closed": {USD_OPERATING: 0}}
    customer.pass_time(days=1)
    assert [s.sequence for s in live_statements(customer.bank) if s.account == USD_OPERATING] == [1]
    assert customer.bank.end_of_day(account=USD_OPERATING, force=True)["closed"] == {
        USD_OPERATING: 1
    }


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"account": "nobody", "kind": "camt.052"}, "account_unknown"),
        ({"account": None, "kind": "camt.052"}, "account_unknown"),
        ({"account": USD_OPERATING, "kind": "camt.099"}, "report_type_unknown"),
        ({"account": USD_OPERATING, "kind": "camt.053", "day": "1999-01-01"}, "statement_unknown"),
    ],
)
def test_a_report_that_cannot_be_is_refused(bank: Bank, wish: dict[str, Any], code: str) -> None:
    with pytest.raises(BankError) as refusal:
        bank.report(**wish)
    assert refusal.value.code == code


# The written past


@pytest.fixture(scope="module")
def past(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[Account]]:
    folder = tmp_path_factory.mktemp("past")
    span = span_until(until=date(2026, 11, 20), days=365, seed=7)
    _, ends = write_history(load_accounts(DEMO_ACCOUNTS), span, folder)
    return folder, ends


def shown_in(folder: Path) -> Iterator[Shown]:
    readers = {".sta": read_mt940, ".bai": read_bai2, ".xml": read_camt}
    for path in sorted(folder.iterdir()):
        yield readers[path.suffix](path.read_bytes())


def test_a_year_of_statements_adds_up_and_chains(past: tuple[Path, list[Account]]) -> None:
    shown = list(shown_in(past[0]))
    assert len(shown) > 3_000
    assert_proven(shown)
    assert min(one.closing for one in shown) >= 0


def test_statements_exist_on_bank_days_only(past: tuple[Path, list[Account]]) -> None:
    days: dict[str, set[str]] = {}
    for path in past[0].iterdir():
        day, _, _, currency, _ = path.name.split("_")
        days.setdefault(currency, set()).add(day)
    assert len(days["INR"]) == 365
    assert "2025-11-27" not in days["USD"]
    assert "2025-12-25" not in days["GBP"]
    for currency in ("USD", "GBP", "EUR", "AED"):
        assert all(is_bank_day(currency, date.fromisoformat(day)) for day in days[currency])


def test_the_past_holds_what_a_treasurer_meets(past: tuple[Path, list[Account]]) -> None:
    text = b"".join(path.read_bytes() for path in past[0].glob("*.xml"))
    for mark, least in ((b"<RvslInd>true", 5), (b"<RtrInf>", 50), (b"<Btch>", 1_000)):
        assert text.count(mark) >= least, mark
    assert text.count(b"<SubFmlyCd>INTR") > 20
    # What the bank concentrates leaves one account and arrives in the other.
    swept = [text.count(b"<SubFmlyCd>" + code) for code in (b"SWEP", b"TOPG")]
    assert min(swept) > 0
    assert all(count % 2 == 0 for count in swept)
    entries = re.findall(rb"<BookgDt><Dt>([\d-]+).*?<ValDt><Dt>([\d-]+)", text)
    assert sum(value < booked for booked, value in entries) > 50


def test_the_past_ends_with_payout_accounts_running_dry(past: tuple[Path, list[Account]]) -> None:
    for account in past[1]:
        if "top_up" in account.profile:
            assert account.balance < int(float(account.profile["outflow_daily"]) * 100)
        if account.number == "50100011122233":
            assert account.balance > 2_000_000_000_00


def digest_of(folder: Path) -> str:
    total = hashlib.sha256()
    for path in sorted(folder.iterdir()):
        total.update(path.name.encode() + path.read_bytes())
    return total.hexdigest()


def test_the_same_seed_writes_the_same_past(tmp_path: Path) -> None:
    accounts = load_accounts(DEMO_ACCOUNTS)
    digests = []
    for name, seed in (("a", 7), ("b", 7), ("c", 8)):
        span = span_until(until=date(2026, 11, 20), days=40, seed=seed)
        write_history(accounts, span, tmp_path / name)
        digests.append(digest_of(tmp_path / name))
    assert digests[0] == digests[1] != digests[2]


def test_the_present_continues_the_past(past: tuple[Path, list[Account]], tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, 14, 0, tzinfo=UTC)
    bank = Bank(Office(book=Book(tmp_path), clock=now.timestamp))
    bank.put_accounts(replace(account, channel="http") for account in past[1])
    bank.advance_clock(seconds=2 * 86_400)
    assert_proven([*shown_in(past[0]), *live_statements(bank)])
    bank.book.close()


def test_business_goes_on_when_activity_is_wanted(tmp_path: Path) -> None:
    now = datetime(2026, 11, 23, 1, 0, tzinfo=UTC)
    bank = Bank(Office(book=Book(tmp_path), clock=now.timestamp, activity_seed=3))
    bank.put_accounts(load_accounts(DEMO_ACCOUNTS))
    bank.start_activity()
    bank.start_activity()
    bank.advance_clock(seconds=3 * 86_400)
    view = views.book_view(bank.book)
    moved = {movement["account"] for movement in view["movements"]}
    assert len(moved) == 11
    assert view["balanced"]
    # A returned payout comes back under the reference of the payout, with the other sign.
    references = [
        (m["account"], m["end_to_end_id"], m["amount"].startswith("-")) for m in view["movements"]
    ]
    named = [reference for reference in references if reference[1]]
    assert len(named) == len(set(named))
    assert_proven(live_statements(bank))
    bank.book.close()


@pytest.mark.parametrize(
    ("currency", "day", "is_open"),
    [
        ("USD", "2026-11-26", False),
        ("USD", "2026-07-03", True),
        ("USD", "2027-07-05", False),
        ("GBP", "2026-12-28", False),
        ("GBP", "2026-05-25", False),
        ("GBP", "2027-12-28", False),
        ("EUR", "2026-04-03", False),
        ("EUR", "2026-05-01", False),
        ("EUR", "2026-05-25", True),
        ("AED", "2026-12-02", False),
        ("INR", "2026-11-22", True),
    ],
)
def test_bank_days_follow_each_currency(currency: str, day: str, is_open: bool) -> None:
    assert is_bank_day(currency, date.fromisoformat(day)) is is_open


def test_a_receipt_that_is_told_of_stands_on_its_day_alone() -> None:
    [plain] = [one for one in load_accounts(DEMO_ACCOUNTS) if one.name == USD_FUNDING]
    paid = {
        "on": "2026-11-05", "amount": "12323.06", "name": "Example Markets Bank",
        "text": "Settlement of EXF-0003", "end_to_end_id": "EXF-0003",
    }  # fmt: skip
    told = replace(plain, profile={**plain.profile, "one_offs": [paid]})
    for day, more in ((date(2026, 11, 5), 1), (date(2026, 11, 6), 0)):
        before = plan_day(plain, day, seed=7, balance=10**9)
        after = plan_day(told, day, seed=7, balance=10**9)
        new = [one for one in after if one not in before]
        assert len(after) - len(before) == len(new) == more
        assert [(one.amount, one.end_to_end_id) for one in new] == [(1_232_306, "EXF-0003")] * more
