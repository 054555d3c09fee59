"""MT940 and MT942 with the traps that banks set."""

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal

import pytest

from integrations.codecs.errors import UnreadableMessage
from integrations.codecs.proof import ProofStatus, prove, prove_pages
from integrations.codecs.reading import identify, read_message
from integrations.codecs.records import (
    Carried,
    EntryStatus,
    MessageKind,
    ParsedEntry,
    ParsedMessage,
    ParsedStatement,
)
from tests.integrations.codecs import samples
from tests.integrations.codecs.samples import mt940


def read(data: bytes) -> ParsedMessage:
    found = read_message(data)
    assert isinstance(found, ParsedMessage)
    return found


def only_statement(data: bytes) -> ParsedStatement:
    (found,) = read(data).statements
    return found


def only_entry(*lines: str) -> ParsedEntry:
    (found,) = only_statement(mt940(*lines)).entries
    return found


def codes(data: bytes) -> list[str]:
    return [finding.code for finding in read(data).findings]


def test_a_plain_statement_is_read_and_proven() -> None:
    data = mt940(
        ":61:2611201120D250,00NTRFOURREF-1//BANKREF-9",
        "SUPPLEMENT",
        ":86:Payment to a supplier",
        ":64:C261120USD700,00",
        ":65:C261123USD710,00",
        closing=":62F:C261120USD750,00",
    )
    assert identify(data) is MessageKind.MT940
    found = only_statement(data)
    (movement,) = found.entries
    assert found.account.iban == samples.IBAN
    assert (found.statement_id, found.electronic_sequence, found.page_number) == ("REF-1", 17, 1)
    assert found.last_page is True
    assert [one.code for one in found.balances] == ["OPBD", "CLAV", "FWAV", "CLBD"]
    assert movement.amount == -250
    assert movement.booking_date == date(2026, 11, 20)
    assert movement.instruction_id == "OURREF-1"
    assert movement.bank_reference == "BANKREF-9"
    assert movement.transaction_code == "PRTRY:NTRF"
    assert movement.remittance == "Payment to a supplier"
    assert movement.additional_info == "SUPPLEMENT"
    assert movement.locator == "line 5"
    assert prove(found).status is ProofStatus.PROVEN


@pytest.mark.parametrize(
    ("mark", "sign", "is_reversal", "status"),
    [
        ("C", 1, False, EntryStatus.BOOK),
        ("D", -1, False, EntryStatus.BOOK),
        ("RC", -1, True, EntryStatus.BOOK),
        ("RD", 1, True, EntryStatus.BOOK),
        ("EC", 1, False, EntryStatus.PDNG),
        ("ED", -1, False, EntryStatus.PDNG),
    ],
)
def test_reversal_marks_flip_the_sign_and_expected_ones_are_pending(
    mark: str, sign: int, *, is_reversal: bool, status: EntryStatus
) -> None:
    found = only_entry(f":61:2611201120{mark}5,00NTRFNONREF")
    assert (found.amount, found.is_reversal, found.status) == (
        Decimal(5 * sign),
        is_reversal,
        status,
    )


@pytest.mark.parametrize(
    ("mark", "amount"), [("CD", 7), ("DR", -7), ("CR", 7), ("RDD", 7), ("RCR", -7), ("DC", -7)]
)
def test_a_funds_letter_is_not_part_of_the_mark(mark: str, amount: int) -> None:
    assert only_entry(f":61:261120{mark}7,NTRFNONREF").amount == amount


@pytest.mark.parametrize(
    ("text", "amount"),
    [("100,", "100"), ("100", "100"), ("0,5", "0.5"), ("000000012,34", "12.34"), (",", None)],
)
def test_amounts_have_a_comma_and_sometimes_no_decimals(text: str, amount: str | None) -> None:
    if amount is None:
        with pytest.raises(UnreadableMessage) as refusal:
            only_entry(f":61:261120C{text}NTRFNONREF")
        assert refusal.value.code == "entry_unreadable"
    else:
        assert only_entry(f":61:261120C{text}NTRFNONREF").amount == Decimal(amount)


@pytest.mark.parametrize(
    ("value", "entry", "booked"),
    [
        ("261231", "0102", date(2027, 1, 2)),
        ("270102", "1231", date(2026, 12, 31)),
        ("261120", "1120", date(2026, 11, 20)),
        ("991231", "0103", date(2000, 1, 3)),
        ("800101", "0101", date(1980, 1, 1)),
        ("790101", "0101", date(2079, 1, 1)),
        ("280228", "0229", date(2028, 2, 29)),
    ],
)
def test_the_entry_date_takes_the_year_nearest_to_the_value_date(
    value: str, entry: str, booked: date
) -> None:
    assert only_entry(f":61:{value}{entry}C1,NTRFNONREF").booking_date == booked


def test_a_missing_entry_date_is_the_value_date() -> None:
    for blank in ("", "    "):
        found = only_entry(f":61:261120{blank}C1,NTRFNONREF")
        assert found.booking_date == found.value_date == date(2026, 11, 20)


def test_the_thirtieth_of_february_is_the_months_end_and_reported() -> None:
    data = mt940(":61:2702300301D6,00NTRFNONREF")
    assert only_statement(data).entries[0].value_date == date(2027, 2, 28)
    assert only_statement(data).entries[0].booking_date == date(2027, 3, 1)
    assert codes(data) == ["date_impossible"]


def test_references_that_say_nothing_are_none() -> None:
    found = only_entry(":61:261120C1,NTRFNONREF//NONREF")
    assert (found.instruction_id, found.bank_reference) == (None, None)
    assert only_entry(":61:261120C1,NTRF").instruction_id is None


def test_a_reference_padded_to_its_width_is_followed_by_a_name() -> None:
    found = only_entry(":61:261120C1,N0440733959555      EXAMPLE TELECOM")
    assert found.instruction_id == "0733959555"
    assert found.additional_info == "EXAMPLE TELECOM"


def test_a_reference_longer_than_the_standard_is_kept_whole() -> None:
    found = only_entry(f":61:261120C1,NOVB{samples.IBAN}")
    assert found.instruction_id == samples.IBAN


def test_an_entry_broken_in_the_middle_is_joined() -> None:
    found = only_entry(":61:2611201120CR", "30,00N062NONREF", ":86:Text")
    assert (found.amount, found.remittance) == (Decimal(30), "Text")


def test_pages_are_carried_forward() -> None:
    first = mt940(":61:261120C5,NTRFNONREF", closing=":62M:C261120USD1005,00")
    second = mt940(
        ":61:261120C6,NTRFNONREF",
        opening=":60M:C261120USD1005,00",
        closing=":62F:C261120USD1011,00",
    )
    one, two = read(first + second).statements
    assert (one.last_page, two.last_page) == (False, True)
    assert one.balances[-1].code == two.balances[0].code == "ITBD"
    assert one.balances[-1].carried is Carried.TO
    assert two.balances[0].carried is Carried.FROM
    proof = prove_pages([one, two])
    assert proof.status is ProofStatus.PROVEN
    assert (proof.opening, proof.movements, proof.closing) == (
        Decimal(1000),
        Decimal(11),
        Decimal(1011),
    )


def test_a_lost_page_is_noticed() -> None:
    first = mt940(":61:261120C5,NTRFNONREF", closing=":62M:C261120USD1005,00")
    third = mt940(opening=":60M:C261120USD1050,00", closing=":62F:C261120USD1050,00")
    proof = prove_pages(read(first + third).statements)
    assert proof.status is ProofStatus.DIFFERS
    assert "1005.00" in proof.words


def test_text_after_the_closing_balance_belongs_to_the_statement() -> None:
    data = mt940(
        ":61:261120C5,NTRFNONREF",
        ":86:of the entry",
        ":62F:C261120USD1005,00",
        ":86:of the statement",
    )
    found = only_statement(data)
    assert found.entries[0].remittance == "of the entry"
    assert found.additional_info == "of the statement"


def test_text_before_any_entry_belongs_to_the_statement() -> None:
    found = only_statement(mt940(":86:hello", ":61:261120C5,NTRFNONREF"))
    assert (found.additional_info, found.entries[0].remittance) == ("hello", "")


def test_german_subfields_are_taken_apart() -> None:
    found = only_entry(
        ":61:261120C5,NTRFNONREF",
        ":86:166?00GUTSCHRIFT?109999?20EREF+INV-2026-000000000001?21MREF+M-77?22SVWZ+Rechnung ?2",
        "3Nummer 12?30COBADEFFXXX?31DE89370400440532013000?32Alpine Trading?33 AG?60ABWA+Someone",
    )
    assert found.transaction_code == "PRTRY:NTRF+166"
    assert found.end_to_end_id == "INV-2026-000000000001"
    assert found.mandate_id == "M-77"
    assert found.remittance == "Rechnung Nummer 12"
    assert found.counterparty_name == "Alpine Trading AG"
    assert found.counterparty_account == "DE89370400440532013000"
    assert found.counterparty_bic == "COBADEFFXXX"
    assert found.additional_info == "GUTSCHRIFT"


def test_another_separator_is_as_good() -> None:
    found = only_entry(":61:261120C5,NTRFNONREF", ":86:000>20First part>21second>310390123456")
    assert found.remittance == "First part second"
    assert found.counterparty_account == "0390123456"


def test_slashed_keywords_are_taken_apart() -> None:
    found = only_entry(
        ":61:261120C5,NTRFNONREF",
        ":86:/EREF/INV-5/CNTP/NL91ABNA0417164300/ABNANL2A/Noord Handel BV/DELFT///REMI/USTD//Fact",
        "uur 5/UETR/7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b/RTRN/AC04/",
    )
    assert found.end_to_end_id == "INV-5"
    assert found.counterparty_account == "NL91ABNA0417164300"
    assert found.counterparty_bic == "ABNANL2A"
    assert found.counterparty_name == "Noord Handel BV"
    assert found.remittance == "Factuur 5"
    assert found.uetr == "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"
    assert found.return_reason == "AC04"


def test_not_provided_in_a_dialect_is_no_reference() -> None:
    assert only_entry(":61:261120C5,NTRFX", ":86:/EREF/NOTPROVIDED/REMI/x").end_to_end_id is None


def test_several_narratives_of_one_entry_are_joined() -> None:
    found = only_entry(":61:261120C5,NTRFNONREF", ":86:one", ":86:two")
    assert found.remittance == "one two"


def test_a_wrapped_time_does_not_open_a_field() -> None:
    found = only_entry(
        ":61:261120C5,NTRFNONREF", ":86:Card 2026-11-20T13", ":20:11 shop", ":12:11 too"
    )
    assert "20:11 shop" in found.remittance
    assert "12:11 too" in found.remittance


def test_envelopes_and_a_missing_end_are_tolerated() -> None:
    envelope = "{1:F01BANKGB2LAXXX0000000000}{2:O9400000261120BANKGB2LAXXX0000N}{3:{108:X}}{4:"
    body = mt940(":61:261120C5,NTRFNONREF").decode().removesuffix("-\r\n")
    for end in ("", "-}", "-}{5:{CHK:123456789ABC}}"):
        data = f"{envelope}\r\n{body}{end}\r\n{envelope}\r\n{body}".encode()
        assert [len(one.entries) for one in read(data).statements] == [1, 1]


def test_a_statement_without_end_is_closed_by_the_next() -> None:
    body = mt940(":61:261120C5,NTRFNONREF").decode().removesuffix("-\r\n")
    assert len(read((body + body).encode()).statements) == 2


@pytest.mark.parametrize("ending", ["\r\n", "\n", "\r"])
def test_any_line_end_will_do(ending: str) -> None:
    data = mt940(":61:261120C5,NTRFNONREF", ":86:x").decode().replace("\r\n", ending).encode()
    assert only_statement(data).entries[0].remittance == "x"


def test_bytes_that_are_not_utf8_are_guessed_and_reported() -> None:
    data = mt940(":61:261120C5,NTRFNONREF", ":86:Müller").decode().encode("cp1252")
    assert only_statement(data).entries[0].remittance == "Müller"
    assert codes(data) == ["charset_guessed"]


@pytest.mark.parametrize(
    ("text", "iban", "number", "bic", "currency"),
    [
        (samples.IBAN, samples.IBAN, None, None, None),
        (f"{samples.IBAN}USD", samples.IBAN, None, None, "USD"),
        ("45050050/76198810", None, "45050050/76198810", None, None),
        ("NWBKGB2L/12345678", None, "12345678", "NWBKGB2L", None),
        ("UBRTHUHB/123456789150/HUF", None, "123456789150", "UBRTHUHB", "HUF"),
        ("1291.99.348EUR", None, "1291.99.348", None, "EUR"),
        ("70011110/4005287001EUR", None, "70011110/4005287001", None, "EUR"),
    ],
)
def test_accounts_come_in_many_spellings(
    text: str, iban: str | None, number: str | None, bic: str | None, currency: str | None
) -> None:
    data = mt940().replace(samples.IBAN.encode(), text.encode())
    account = only_statement(data).account
    assert (account.iban, account.number) == (iban, number)
    assert (account.bic, account.currency) == (bic, currency)


def test_a_balance_without_currency_takes_the_statements() -> None:
    data = mt940(":61:261120C5,NTRFNONREF", closing=":62F:C2611201005,00")
    assert only_statement(data).balances[-1].currency == "USD"
    assert codes(data) == ["currency_assumed"]


def test_an_overdrawn_balance_is_negative() -> None:
    assert only_statement(mt940(opening=":60F:D261119USD3,00")).balances[0].amount == -3


def test_an_intraday_report_is_checked_against_its_sums() -> None:
    data = (
        b":20:REF\r\n:25:0042\r\n:28C:1/1\r\n:34F:USDD100,\r\n:13D:2611201530+0530\r\n"
        b":61:261120C150,NTRFNONREF\r\n:61:261120ED120,NTRFNONREF\r\n"
        b":90D:1USD120,\r\n:90C:1USD150,\r\n-\r\n"
    )
    assert identify(data) is MessageKind.MT942
    found = read(data)
    (report,) = found.statements
    assert [one.code for one in found.findings] == ["floor_limit"]
    assert report.created_at == datetime(
        2026, 11, 20, 15, 30, tzinfo=timezone(timedelta(hours=5, minutes=30))
    )
    assert [one.amount for one in report.entries] == [150, -120]
    assert report.currency == "USD"
    assert prove(report).status is ProofStatus.NO_BALANCES
    differing = data.replace(b":90C:1", b":90C:2")
    assert codes(differing) == ["floor_limit", "sum_differs"]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b":20:X\n:28C:1\n:60F:C261119USD1,\n", "account_missing"),
        (b":20:X\n:25:1\n:61:261120C5,NTRFNONREF\n", "currency_missing"),
        (b":20:X\n:25:1\n:60F:C261119USDabc\n", "balance_unreadable"),
        (b":20:X\n:25:1\n:60F:C269919USD1,\n", "balance_date_missing"),
        (b":20:X\n:25:1\n:60F:C261119USD1,\n:61:nonsense\n", "entry_unreadable"),
        (b":20:X\n:25:1\n:60F:C261119USD1,\n:61:261120C1.234,00NTRF\n", "entry_unreadable"),
        (b"hello\nworld\n", "kind_unknown"),
    ],
)
def test_what_cannot_be_read_is_refused_with_a_place(data: bytes, code: str) -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(data)
    assert refusal.value.code == code
    assert refusal.value.message
