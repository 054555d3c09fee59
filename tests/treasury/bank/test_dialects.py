"""What banks leave to their dialect, from the bytes to the books."""

from datetime import date
from decimal import Decimal

from core.identity.models import User
from integrations import services as archive
from tests.treasury.bank.paper import LINE, mt940
from treasury.models import BankAccount, BankEntry, Statement, StatementBalance
from treasury.services.ingest import IngestResult, ingest_message

DOLLARS = {"currency": "USD", "number": "1234567", "timezone": "America/New_York"}
SHEET = {
    "columns": {"booked": "Date", "amount": "Amount", "balance": "Balance", "text": "Text"},
    "delimiter": "comma",
    "account": "1234567",
    "currency": "USD",
}
HEAD = "Date,Text,Amount,Balance\n"
FRIDAY = "2026-11-20,wire,100.00,1100.00\n2026-11-20,fee,-1.00,1099.00\n"


def arrive(data: bytes, name: str) -> IngestResult:
    message = archive.archive_inbound(connection_code=LINE, name=name, data=data)
    return ingest_message(message_id=message.pk)


def speak(**reading: object) -> None:
    wish = archive.ProfileIn(code="house", name="House bank", reading=reading)
    archive.save_profile(wish=wish)
    archive.use_profile(connection_code=LINE, profile_code="house")


def bai2(day: str = "261120", *, modifier: str = "2", total: int = 220000) -> bytes:
    """Return a day with one wire of 100.00 and one fee of 1.00."""
    clock = "1100" if modifier == "3" else ""
    balances = "030,109900,," if modifier == "3" else "010,0,,,015,109900,,"
    return (
        f"01,021000021,TMS,261121,0600,1,,,2/\n02,TMS,021000021,1,{day},{clock},USD,{modifier}/\n"
        f"03,1234567,,{balances}/\n16,195,110000,Z,W-1,,WIRE/\n16,699,100,Z,F-1,,FEE/\n"
        f"49,{total},4/\n98,{total},1,6/\n99,{total},1,8/\n"
    ).encode()


def test_a_previous_day_file_closes_the_day(open_account) -> None:
    account: BankAccount = open_account(**DOLLARS)
    result = arrive(bai2(), "day.bai")
    (sheet,) = result.statements
    assert (sheet.source, sheet.state, sheet.proof) == ("BAI2", "POSTED", "PROVEN")
    assert (sheet.statement_date, sheet.closing) == (date(2026, 11, 20), Decimal("1099.00"))
    amounts = BankEntry.objects.filter(account=account).values_list("amount", flat=True)
    assert sorted(amounts) == [Decimal("-1.00"), Decimal("1100.00")]


def test_a_same_day_report_and_the_previous_day_file_are_one(open_account) -> None:
    open_account(**DOLLARS)
    early = arrive(bai2(modifier="3"), "now.bai")
    assert [sheet.source for sheet in early.statements] == ["BAI2_ID"]
    late = arrive(bai2(), "day.bai")
    assert (early.entries_new, late.entries_new) == (2, 0)
    assert set(BankEntry.objects.values_list("best_source", flat=True)) == {"BAI2"}


def test_an_announced_entry_that_the_day_lacks_does_not_count(open_account) -> None:
    open_account(**DOLLARS)
    report = bai2(modifier="3").replace(b"W-1", b"W-2").replace(b"110000", b"110001")
    arrive(report.replace(b"220000", b"220001"), "now.bai")
    arrive(bai2(), "day.bai")
    states = BankEntry.objects.filter(bank_reference="W-2").values_list("state", flat=True)
    assert list(states) in (["NOT_IN_EOD"], [])


def test_a_wrong_control_total_keeps_the_statement_aside(open_account) -> None:
    open_account(**DOLLARS)
    (sheet,) = arrive(bai2(total=220001), "day.bai").statements
    assert sheet.state == "QUARANTINED"
    assert "control total" in sheet.reason
    assert not BankEntry.objects.filter(state="COUNTED").exists()


def test_a_sheet_that_repeats_earlier_days_adds_the_new_one_only(open_account) -> None:
    open_account(**DOLLARS)
    speak(sheet=SHEET)
    first = arrive((HEAD + FRIDAY).encode(), "a.csv")
    monday = "2026-11-23,wire,5.00,1104.00\n"
    second = arrive((HEAD + FRIDAY + monday).encode(), "b.csv")
    assert (first.entries_new, second.entries_new) == (2, 1)
    states = Statement.objects.order_by("pk").values_list("state", flat=True)
    assert sorted(states) == ["DUPLICATE", "POSTED", "POSTED"]
    assert not Statement.objects.filter(flags__contains=["GAP"]).exists()


def test_a_day_that_went_on_is_a_new_version_of_itself(open_account) -> None:
    open_account(**DOLLARS)
    speak(sheet=SHEET)
    arrive((HEAD + FRIDAY).encode(), "noon.csv")
    result = arrive((HEAD + FRIDAY + "2026-11-20,late,1.00,1100.00\n").encode(), "night.csv")
    assert result.entries_new == 1
    assert sorted(Statement.objects.values_list("version", "state")) == [
        (1, "SUPERSEDED"),
        (2, "POSTED"),
    ]
    assert BankEntry.objects.filter(state="COUNTED").count() == 3


def test_a_sheet_waits_for_its_mapping_and_is_tried_again(open_account, maker: User) -> None:
    open_account(**DOLLARS)
    refused = arrive((HEAD + FRIDAY).encode(), "a.csv")
    assert refused.refusals
    speak(sheet=SHEET)
    assert archive.try_connection_again(connection_code=LINE, actor=maker) == 1
    assert ingest_message(message_id=refused.message_id).entries_new == 2


def test_a_credit_line_that_the_bank_counts_silently_is_not_ours(account: BankAccount) -> None:
    speak(credit_lines={"EUR": "500.00"})
    closing = ":62F:C261120EUR1000,00\r\n:64:C261120EUR1500,00"
    data = (
        f":20:S\r\n:25:{account.number}\r\n:28C:1/1\r\n:60F:C261120EUR1000,00\r\n{closing}\r\n-\r\n"
    )
    arrive(data.encode(), "s.sta")
    available = StatementBalance.objects.get(code="CLAV")
    assert (available.amount, available.credit_line_included) == (Decimal(1500), Decimal(500))


def test_an_account_may_be_written_differently(account: BankAccount) -> None:
    data = mt940().replace(account.number.encode(), b"MAIN-EUR")
    assert b"MAIN-EUR" in data
    assert arrive(data, "s.sta").refusals
    speak(accounts={"MAIN-EUR": account.number})
    refused = archive.archive_inbound(connection_code=LINE, name="t.sta", data=data + b"\r\n")
    result = ingest_message(message_id=refused.pk)
    assert not result.refusals
    assert result.statements
