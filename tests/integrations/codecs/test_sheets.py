"""Spreadsheets of banks, read through a mapping that was drawn once."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.proof import ProofStatus, prove
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import MessageKind, ParsedEntry, ParsedMessage
from integrations.codecs.workbook import read_workbook
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.reading import parse_dialect
from tests.integrations.codecs.workbooks import Value, packed, workbook

GERMAN: dict[str, Any] = {
    "columns": {
        "booked": "Buchungstag",
        "value": "Valuta",
        "amount": "Betrag",
        "balance": "Saldo",
        "counterparty": "Name",
        "text": ["Text", "Zweck"],
    },
    "delimiter": "semicolon",
    "decimal_mark": "comma",
    "dates": "DD.MM.YYYY",
    "account": "DE89370400440532013000",
    "currency": "EUR",
}
GERMAN_FILE = """Kontoauszug;;;
Stand;21.11.2026;;

Buchungstag;Valuta;Name;Text;Zweck;Betrag;Saldo;Gläubiger
19.11.2026;19.11.2026;Acme;GUTSCHRIFT;Rechnung 7;1.250,00;11.250,00;
19.11.2026;20.11.2026;Müller;LASTSCHRIFT;Miete;-250,50;10.999,50;DE98ZZZ
20.11.2026;20.11.2026;Bank;ENTGELT;;-9,50;10.990,00;
"""


def read(data: bytes, sheet: dict[str, Any] = GERMAN, **profile: Any) -> ParsedMessage:
    found = read_message(data, dialect=parse_dialect({"sheet": sheet} | profile))
    assert isinstance(found, ParsedMessage)
    return found


def entries(data: bytes, sheet: dict[str, Any]) -> list[ParsedEntry]:
    return [entry for statement in read(data, sheet).statements for entry in statement.entries]


def simple(**changes: Any) -> dict[str, Any]:
    """Return a mapping of date and amount, with changes."""
    plain = {
        "columns": {"booked": "Date", "amount": "Amount"},
        "delimiter": "comma",
        "account": "4711",
        "currency": "USD",
    }
    return plain | changes


def test_every_day_of_a_sheet_becomes_a_statement_that_is_proved() -> None:
    message = read(GERMAN_FILE.encode())
    assert message.kind is MessageKind.SHEET
    first, second = message.statements
    assert [entry.amount for entry in first.entries] == [Decimal("1250.00"), Decimal("-250.50")]
    assert first.account.iban == "DE89370400440532013000"
    assert [(b.code, b.amount, b.on) for b in second.balances] == [
        ("OPBD", Decimal("10999.50"), date(2026, 11, 20)),
        ("CLBD", Decimal("10990.00"), date(2026, 11, 20)),
    ]
    assert {prove(one).status for one in message.statements} == {ProofStatus.PROVEN}
    rent = first.entries[1]
    assert (rent.counterparty_name, rent.remittance) == ("Müller", "LASTSCHRIFT Miete")
    assert (rent.value_date, rent.locator) == (date(2026, 11, 20), "row 6")
    assert rent.additional_info == "Gläubiger: DE98ZZZ"


def test_a_sheet_is_known_by_the_profile_of_its_bank_only() -> None:
    data = GERMAN_FILE.encode()
    assert identify(data) is None
    assert identify(data, dialect=parse_dialect({"sheet": GERMAN})) is MessageKind.SHEET
    with pytest.raises(UnreadableMessage):
        read_message(data)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_encodings_are_told_apart(encoding: str) -> None:
    found = read(GERMAN_FILE.encode(encoding)).statements[0].entries[1]
    assert found.counterparty_name == "Müller"


def test_a_profile_names_an_encoding_that_cannot_be_told() -> None:
    found = read(GERMAN_FILE.encode("cp850"), encoding="cp850").statements[0].entries[1]
    assert found.counterparty_name == "Müller"


def test_a_balance_that_does_not_follow_is_named_with_its_row() -> None:
    message = read(GERMAN_FILE.replace("10.999,50", "10.999,60").encode())
    proof = prove(message.statements[0])
    assert proof.status is ProofStatus.DIFFERS
    assert "row 6" in proof.words


def test_the_newest_row_may_come_first() -> None:
    head, *rows = GERMAN_FILE.split("\n")[3:-1]
    turned = "\n".join([head, *reversed(rows)]).encode()
    message = read(turned, GERMAN | {"order": "newest_first"})
    assert {prove(one).status for one in message.statements} == {ProofStatus.PROVEN}
    assert ProofStatus.DIFFERS in {prove(one).status for one in read(turned).statements}


def test_debits_and_credits_may_have_columns_of_their_own() -> None:
    sheet = simple(columns={"booked": "Date", "debit": "Out", "credit": "In"})
    data = b"Date,Out,In\n2026-11-19,5.00,\n2026-11-19,,7.00\n2026-11-19,-6.00,\n"
    assert [entry.amount for entry in entries(data, sheet)] == [-5, 7, -6]
    with pytest.raises(UnreadableMessage) as refusal:
        read(b"Date,Out,In\n2026-11-19,5.00,7.00\n", sheet)
    assert (refusal.value.code, refusal.value.locator) == ("sides_mixed", "row 2")


def test_a_column_may_say_the_side() -> None:
    sheet = simple(
        columns={"booked": "Date", "amount": "Amount", "side": "S/H"},
        credit_words=["H"],
        debit_words=["S"],
    )
    data = b"Date,Amount,S/H\n2026-11-19,5.00,S\n2026-11-19,7.00,h\n"
    assert [entry.amount for entry in entries(data, sheet)] == [-5, 7]
    with pytest.raises(UnreadableMessage) as refusal:
        read(b"Date,Amount,S/H\n2026-11-19,5.00,X\n", sheet)
    assert refusal.value.code == "sign_missing"


def test_account_and_currency_may_be_columns() -> None:
    columns = {"booked": "Date", "amount": "Amount", "account": "Acct", "currency": "Ccy"}
    sheet = {"columns": columns, "delimiter": "comma"}
    data = b"Date,Amount,Acct,Ccy\n2026-11-19,5.00,1,USD\n2026-11-19,7,2,EUR\n"
    found = read(data, sheet).statements
    assert [(one.account.number, one.currency) for one in found] == [("1", "USD"), ("2", "EUR")]


def test_footers_and_blank_rows_are_passed_by() -> None:
    data = b"Date,Amount\n\n2026-11-19,5.00\n,,\nTotal,5.00\nnonsense,here\n"
    assert len(entries(data, simple(footers=["Total"]))) == 1


@pytest.mark.parametrize(
    ("written", "mark", "amount"),
    [
        ("1.234,50", "comma", "1234.50"),
        ("1 234,50", "comma", "1234.50"),
        ("1'234.50", "point", "1234.50"),
        ("1,234,567.5", "point", "1234567.5"),
        ("-5", "point", "-5"),
        ("5-", "point", "-5"),
        ("(5.00)", "point", "-5.00"),
        ("5.00 DR", "point", "-5.00"),
        ("5.00CR", "point", "5.00"),
        ("\u22125,00", "comma", "-5.00"),
    ],
)
def test_amounts_as_people_write_them(written: str, mark: str, amount: str) -> None:
    data = f"Date;Amount\n2026-11-19;{written}\n".encode()
    sheet = simple(delimiter="semicolon", decimal_mark=mark)
    assert entries(data, sheet)[0].amount == Decimal(amount)


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("2026-11-19;1.5", "amount_unreadable"),
        ("2026-11-19;12.34,5", "amount_unreadable"),
        ("2026-11-19;NaN", "amount_unreadable"),
        ("2026-11-19;=1+1", "amount_unreadable"),
        ("2026-11-19;1,23456", "amount_unreadable"),
        ("2026-11-19;", "amount_missing"),
        (";5,00", "date_missing"),
        ("19.11.2026;5,00", "date_unreadable"),
        ("2026-02-30;5,00", "date_unreadable"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(row: str, code: str) -> None:
    data = f"Date;Amount\n2026-11-18;1,00\n{row}\n".encode()
    with pytest.raises(UnreadableMessage) as refusal:
        read(data, simple(delimiter="semicolon", decimal_mark="comma"))
    assert (refusal.value.code, refusal.value.locator) == (code, "row 3")


def test_headings_that_are_missing_are_named() -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read(b"Day,Sum\n2026-11-19,5\n", simple())
    assert refusal.value.code == "headings_missing"
    assert "Amount" in refusal.value.message


def test_a_workbook_keeps_numbers_and_days_as_they_were_typed() -> None:
    rows: list[list[Value]] = [
        ["Export of", "something"],
        ["Date", "Amount", "Note"],
        [date(2026, 11, 19), Decimal("1234.5599999999999"), "a & b"],
        [date(2026, 11, 20), Decimal("-1E-2"), ""],
    ]
    sheet = simple(columns={"booked": "Date", "amount": "Amount", "text": "Note"})
    first, second = entries(workbook(rows), sheet)
    assert (first.amount, first.booking_date) == (Decimal("1234.56"), date(2026, 11, 19))
    assert first.remittance == "a & b"
    assert (second.amount, second.locator) == (Decimal("-0.01"), "row 4")


@pytest.mark.parametrize("written", ["1e1000001", "-9e9999999", "1e999999999999999999999"])
def test_a_number_beyond_all_bounds_is_no_amount(written: str) -> None:
    cells = f'<row r="3"><c r="A3"><v>46345</v></c><c r="B3"><v>{written}</v></c></row>'
    with pytest.raises(UnreadableMessage):
        entries(workbook([["Date", "Amount"]], extra=cells), simple())


def test_a_zero_of_any_exponent_is_zero_and_short() -> None:
    cells = '<row r="2"><c r="A2"><v>0e-999999</v></c><c r="B2"><v>0e999999</v></c></row>'
    rows = list(read_workbook(workbook([["Date", "Amount"]], extra=cells)))
    assert [str(cell) for cell in rows[-1][1]] == ["0", "0"]


def test_a_formula_is_refused_with_its_cell() -> None:
    formula = '<row r="3"><c r="A3"><v>1</v></c><c r="B3"><f>1+1</f><v>2</v></c></row>'
    with pytest.raises(UnreadableMessage) as refusal:
        read(workbook([["Date", "Amount"]], extra=formula), simple())
    assert (refusal.value.code, refusal.value.locator) == ("formula_refused", "cell B3")


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"PK\x03\x04 and nothing", "workbook_broken"),
        (packed({"a.txt": "no workbook"}), "sheet_missing"),
        (packed({f"{n}.txt": "x" for n in range(300)}), "workbook_too_large"),
        (workbook([["x"]], parts={"xl/sharedStrings.xml": "0" * 40_000_000}), "workbook_too_large"),
        (workbook([["x"]], parts={"xl/styles.xml": "<!DOCTYPE a><a/>"}), "doctype_refused"),
        (workbook([["x"]], parts={"xl/worksheets/sheet1.xml": "<a><b>"}), "workbook_broken"),
        (workbook([["x"]], extra='<row r="99999999"/>'), "workbook_broken"),
        (
            workbook([["x"]], extra='<row r="2"><c r="ZZZ2"><v>1</v></c></row>'),
            "workbook_too_large",
        ),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_hostile_workbooks_are_refused(data: bytes, code: str) -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read(data, simple())
    assert refusal.value.code == code


def test_a_workbook_of_a_bank_without_a_mapping_says_what_to_do() -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(workbook([["Date"]]))
    assert refusal.value.code == "mapping_missing"


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"columns": {"booked": "Date"}}, "sheet.columns"),
        ({"columns": {"amount": "Amount"}}, "sheet.columns"),
        ({"columns": {"booked": "D", "debit": "Out"}}, "sheet.columns"),
        ({"columns": {"booked": "D", "amount": "A", "debit": "O", "credit": "I"}}, "sheet.columns"),
        ({"columns": {"booked": ["D", "E"], "amount": "A"}}, "sheet.columns.booked"),
        ({"columns": {"booked": "D", "amount": "A", "colour": "C"}}, "sheet.columns.colour"),
        ({"columns": {"booked": "D", "amount": "A", "side": "S"}}, "sheet.columns.side"),
        ({"dates": "DD.MM"}, "sheet.dates"),
        ({"dates": "%Y-%m-%d"}, "sheet.dates"),
        ({"delimiter": "#"}, "sheet.delimiter"),
        ({"account": ""}, "sheet.account"),
        ({"currency": ""}, "sheet.currency"),
        ({"colour": 1}, "sheet.colour"),
    ],
)
def test_a_mapping_that_cannot_work_is_refused_by_key(changes: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileInvalid) as refusal:
        parse_dialect({"sheet": simple(**changes)})
    assert refusal.value.context["field"] == key
