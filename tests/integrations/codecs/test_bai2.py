"""BAI2: accounts of North American banks, their totals proved."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

import pytest

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.proof import ProofStatus, prove
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import MessageKind, ParsedMessage, ParsedStatement
from integrations.dialects.reading import PLAIN, Dialect, parse_dialect


def file(*accounts: str, group: str = "02,TMS,021000021,1,261119,,USD,2/", total: int) -> bytes:
    """Return a file of one group whose trailers count right."""
    body = "\n".join(accounts)
    records = body.count("\n") + 1
    lines = [
        "01,021000021,TMS,261120,0630,7,,,2/",
        group,
        body,
        f"98,{total},{len(accounts)},{records + 2}/",
        f"99,{total},1,{records + 4}/",
    ]
    return "\n".join(lines).encode()


ACCOUNT = """03,1234567,,010,100000,,,015,134550,,,045,-5000,,,072,300,,/
16,195,40000,Z,BANKREF1,CUST1,WIRE IN/
16,475,5450,,BANKREF2,,CHECK PAID/
49,274850,4/"""
TOTAL = 100000 + 134550 - 5000 + 300 + 40000 + 5450 - 450


def read(data: bytes, **profile: Any) -> ParsedMessage:
    dialect: Dialect = parse_dialect(profile) if profile else PLAIN
    found = read_message(data, dialect=dialect)
    assert isinstance(found, ParsedMessage)
    return found


def one(account: str, total: int, **kinds: str) -> ParsedStatement:
    (statement,) = read(file(account, total=total, **kinds)).statements
    return statement


def day_of(transaction: str) -> tuple[date | None, str]:
    """Return value date and words about the funds of one transaction on Thursday, 2026-11-19."""
    amount = 0
    statement = one(f"03,1234567,,/\n{transaction}\n49,{amount},3/", amount)
    entry = statement.entries[0]
    return entry.value_date, entry.additional_info


def test_an_account_becomes_a_statement() -> None:
    data = file(ACCOUNT.replace("274850", "275300"), total=275300)
    assert identify(data) is MessageKind.BAI2
    message = read(data)
    (statement,) = message.statements
    assert message.kind is MessageKind.BAI2
    assert (statement.account.number, statement.currency) == ("1234567", "USD")
    assert [(b.code, b.amount, b.on) for b in statement.balances] == [
        ("OPBD", Decimal("1000.00"), date(2026, 11, 19)),
        ("CLBD", Decimal("1345.50"), date(2026, 11, 19)),
        ("CLAV", Decimal("-50.00"), date(2026, 11, 19)),
    ]
    wire, check = statement.entries
    assert (wire.amount, wire.bank_reference, wire.instruction_id) == (
        Decimal("400.00"),
        "BANKREF1",
        "CUST1",
    )
    assert (check.amount, check.transaction_code) == (Decimal("-54.50"), "PRTRY:475")
    assert (wire.remittance, check.remittance) == ("WIRE IN", "CHECK PAID")
    assert "072: 3.00" in statement.additional_info
    assert prove(statement).status is ProofStatus.PROVEN


def test_a_control_total_that_differs_keeps_the_statement_aside() -> None:
    statement = one(ACCOUNT.replace("274850", "275301"), 275300)
    proof = prove(statement)
    assert proof.status is ProofStatus.DIFFERS
    assert "control total is 275301, its amounts sum to 275300" in proof.words


@pytest.mark.parametrize("trailer", ["98", "99"])
def test_group_and_file_totals_are_proved_too(trailer: str) -> None:
    data = file(ACCOUNT.replace("274850", "275300"), total=275300).decode()
    broken = data.replace(f"{trailer},275300", f"{trailer},275200").encode()
    assert prove(read(broken).statements[0]).status is ProofStatus.DIFFERS


def test_a_profile_may_let_wrong_totals_pass_as_a_remark() -> None:
    data = file(ACCOUNT.replace("274850", "1"), total=275300)
    message = read(data, bai2_totals="ignored")
    assert prove(message.statements[0]).status is ProofStatus.PROVEN
    assert "control_total_differs" in {finding.code for finding in message.findings}


@pytest.mark.parametrize("last", ["49", "98", "99"])
def test_a_file_that_was_cut_is_kept_aside(last: str) -> None:
    lines = file(ACCOUNT.replace("274850", "275300"), total=275300).decode().split("\n")
    end = next(number for number, line in enumerate(lines) if line.startswith(last))
    assert prove(read("\n".join(lines[:end]).encode()).statements[0]).status is ProofStatus.DIFFERS


def test_continuations_cut_fields_and_text_anywhere() -> None:
    whole = "03,7,,010,5000,,,015,2000/\n88,,,/\n"
    text = "16,475,3000,,REF/\n88,CUST,FIRST, WITH COMMA\n88,SECOND / LINE\n49,10000,7/"
    statement = one(whole + text, 10000)
    (entry,) = statement.entries
    assert (entry.bank_reference, entry.instruction_id) == ("REF", "CUST")
    assert entry.remittance == "FIRST, WITH COMMA SECOND / LINE"
    assert prove(statement).status is ProofStatus.PROVEN


def test_lines_of_tags_name_the_other_side() -> None:
    account = (
        "03,7,,/\n16,195,100,,,,Incoming\n88,EREF: E2E-7\n88,DBNM: Acme\n88,DACT: 55\n49,100,6/"
    )
    (entry,) = one(account, 100).entries
    assert (entry.end_to_end_id, entry.counterparty_name) == ("E2E-7", "Acme")
    assert (entry.counterparty_account, entry.remittance) == ("55", "Incoming")


@pytest.mark.parametrize(
    ("funds", "value", "words"),
    [
        ("", date(2026, 11, 19), ""),
        ("Z", date(2026, 11, 19), ""),
        ("0", date(2026, 11, 19), ""),
        ("1", date(2026, 11, 20), ""),
        ("2", date(2026, 11, 23), ""),
        ("V,261130,1200", date(2026, 11, 30), ""),
        ("S,100,200,0", date(2026, 11, 20), "Funds: 100 after 0 days, 200 after 1 days"),
        ("D,2,0,100,3,200", date(2026, 11, 24), "Funds: 100 after 0 days, 200 after 3 days"),
    ],
)
def test_funds_are_there_when_the_last_part_is(funds: str, value: date, words: str) -> None:
    assert day_of(f"16,195,0,{funds},B,C,TEXT/") == (value, words)


@pytest.mark.parametrize(
    ("code", "amount"), [("108", 1), ("399", 1), ("409", -1), ("699", -1), ("721", 1), ("980", -1)]
)
def test_the_type_code_gives_the_sign(code: str, amount: int) -> None:
    (entry,) = one(f"03,7,,/\n16,{code},100,,,,/\n49,100,3/", 100).entries
    assert entry.amount == amount


def test_a_type_on_no_known_side_is_never_guessed_but_can_be_named() -> None:
    data = file("03,7,,/\n16,799,100,,,,/\n49,100,3/", total=100)
    proof = prove(read(data).statements[0])
    assert proof.status is ProofStatus.DIFFERS
    assert "799" in proof.words
    told = read(data, bai2_types={"799": "debit"}).statements[0]
    assert [entry.amount for entry in told.entries] == [Decimal("-1.00")]


def test_a_same_day_group_is_an_intraday_report() -> None:
    group = "02,TMS,021000021,1,261119,1130,USD,3/"
    statement = one("03,7,,060,5000,,/\n49,5000,2/", 5000, group=group)
    assert statement.kind is MessageKind.BAI2_INTRADAY
    assert statement.balances[0].code == "ITAV"
    assert statement.balances[0].at == datetime(2026, 11, 19, 11, 30)  # noqa: DTZ001 - as written


@pytest.mark.parametrize(("status", "word"), [("2", "delete"), ("4", "test")])
def test_deletions_and_tests_wait_for_a_person(status: str, word: str) -> None:
    group = f"02,TMS,021000021,{status},261119,,USD,2/"
    assert word in prove(one("03,7,,015,5,,/\n49,5,2/", 5, group=group)).words


@pytest.mark.parametrize(
    ("currency", "amount"), [("JPY", "5000"), ("KWD", "5.000"), ("EUR", "50.00")]
)
def test_amounts_have_the_decimals_of_their_currency(currency: str, amount: str) -> None:
    (balance,) = one(f"03,7,{currency},015,5000,,/\n49,5000,2/", 5000).balances
    assert str(balance.amount) == amount


def test_without_a_currency_it_is_the_profiles_or_the_dollar() -> None:
    data = file("03,7,,015,5000,,/\n49,5000,2/", group="02,T,B,1,261119,,,2/", total=5000)
    assert read(data).statements[0].currency == "USD"
    assert "currency_assumed" in {finding.code for finding in read(data).findings}
    assert read(data, currency="CAD").statements[0].currency == "CAD"


@pytest.mark.parametrize(
    ("account", "code"),
    [
        ("03,7,,015,12A,,/\n49,0,2/", "amount_unreadable"),
        ("03,7,,/\n16,195,100,X,,,/\n49,0,3/", "funds_unreadable"),
        ("03,7,,/\n16,195,100,D,900,,,/\n49,0,3/", "funds_unreadable"),
        ("03,7,U1,015,100,,/\n49,0,2/", "currency_unknown"),
        ("16,195,100,,,,/", "account_missing"),
        ("03,7,,015,99999999999999999999,,/\n49,0,2/", "amount_unreadable"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(account: str, code: str) -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read(file(account, total=0))
    assert refusal.value.code == code


def test_a_return_says_why() -> None:
    account = (
        '03,7,,/\n16,557,100,,,,ACH Return,Reason: "R02"/\n16,555,100,,,,Deposit back/\n'
        "16,195,100,,,,See R02/\n49,300,5/"
    )
    reasons = [entry.return_reason for entry in one(account, 300).entries]
    assert reasons == ["R02", "555", None]
