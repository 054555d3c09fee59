"""Statements, intraday reports and notifications as banks send them."""

from datetime import UTC, date, datetime, timedelta, timezone
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
from tests.integrations.codecs.samples import (
    NEW,
    Layout,
    balance,
    entry,
    message,
    statement,
    transaction,
)


def read(data: bytes) -> ParsedMessage:
    found = read_message(data)
    assert isinstance(found, ParsedMessage)
    return found


def only_statement(data: bytes) -> ParsedStatement:
    (found,) = read(data).statements
    return found


def only_entry(data: bytes) -> ParsedEntry:
    (found,) = only_statement(data).entries
    return found


def codes(data: bytes) -> list[str]:
    return [finding.code for finding in read(data).findings]


LAYOUTS = [Layout(version=version) for version in ("02", "04", "06", "08", "11", "13")]


@pytest.mark.parametrize("layout", LAYOUTS, ids=lambda layout: layout.version)
def test_every_version_says_the_same(layout: Layout) -> None:
    details = transaction(
        end_to_end_id="INV-7",
        inner=(
            f"<RltdPties>{layout.party('Dbtr', 'Alpine Trading AG')}"
            f"<DbtrAcct><Id><IBAN>{samples.OTHER_IBAN}</IBAN></Id></DbtrAcct></RltdPties>"
            f"<RltdAgts><DbtrAgt>{layout.bic('COBADEFF')}</DbtrAgt></RltdAgts>"
            "<RmtInf><Ustrd>Invoice 7</Ustrd></RmtInf>"
        ),
    )
    found = only_statement(
        message(
            statement(
                balance("OPBD", "100.00"),
                balance("CLBD", "112.50"),
                entry("12.50", details=details, layout=layout),
                layout=layout,
            ),
            layout=layout,
        )
    )
    (movement,) = found.entries
    assert found.account.iban == samples.IBAN
    assert found.account.bic == "NWBKGB2L"
    assert found.account.name == "Example Remit Ltd"
    assert (found.statement_id, found.electronic_sequence) == ("ST-1", 17)
    assert movement.amount == Decimal("12.50")
    assert movement.status is EntryStatus.BOOK
    assert movement.transaction_code == "PMNT/RCDT/XBCT"
    assert movement.end_to_end_id == "INV-7"
    assert movement.counterparty_name == "Alpine Trading AG"
    assert movement.counterparty_account == samples.OTHER_IBAN
    assert movement.counterparty_bic == "COBADEFF"
    assert movement.remittance == "Invoice 7"
    assert prove(found).status is ProofStatus.PROVEN


@pytest.mark.parametrize(
    ("root", "kind"),
    [
        ("camt.052", MessageKind.CAMT052),
        ("camt.053", MessageKind.CAMT053),
        ("camt.054", MessageKind.CAMT054),
    ],
)
def test_the_three_messages_are_told_apart(root: str, kind: MessageKind) -> None:
    layout = Layout(root=root)
    data = message(statement(entry("5.00"), layout=layout), layout=layout)
    assert identify(data) is kind
    found = read(data)
    assert found.kind is kind
    assert found.version == f"{root}.001.08"
    assert found.message_id == "MSG-1"
    assert found.statements[0].entries[0].amount == 5


def test_a_debit_is_negative_and_an_overdrawn_balance_too() -> None:
    found = only_statement(
        message(
            statement(
                balance("OPBD", "10.00", sign="DBIT"),
                balance("CLBD", "15.00", sign="DBIT"),
                entry("5.00", sign="DBIT"),
            )
        )
    )
    assert [one.amount for one in found.balances] == [-10, -15]
    assert found.entries[0].amount == -5
    assert prove(found).status is ProofStatus.PROVEN


def test_a_reversal_indicator_does_not_flip_the_sign() -> None:
    data = message(statement(entry("40.00", extra="<RvslInd>true</RvslInd>")))
    found = only_entry(data)
    assert found.is_reversal
    assert found.amount == 40


def test_a_reversal_names_the_payee_of_the_payment_it_undoes() -> None:
    details = transaction(
        inner="<RltdPties><Dbtr><Pty><Nm>Example Remit Ltd</Nm></Pty></Dbtr>"
        "<Cdtr><Pty><Nm>Payee Oy</Nm></Pty></Cdtr></RltdPties>"
    )
    reversed_one = entry("40.00", extra="<RvslInd>true</RvslInd>", details=details)
    assert only_entry(message(statement(reversed_one))).counterparty_name == "Payee Oy"
    plain = entry("40.00", details=details)
    assert only_entry(message(statement(plain))).counterparty_name == "Example Remit Ltd"


def test_a_return_tells_its_reason_and_the_code_of_the_payment() -> None:
    details = transaction(
        end_to_end_id="FMP-9",
        inner=(
            "<RtrInf><OrgnlBkTxCd><Prtry><Cd>NTRF+117</Cd></Prtry></OrgnlBkTxCd>"
            "<Rsn><Cd>AC04</Cd></Rsn><AddtlInf>Account closed</AddtlInf></RtrInf>"
        ),
    )
    found = only_entry(message(statement(entry("40.00", details=details))))
    assert found.return_reason == "AC04"
    assert found.original_transaction_code == "PRTRY:NTRF+117"
    assert found.details[0].return_text == "Account closed"
    assert found.end_to_end_id == "FMP-9"


def test_a_batch_stays_one_entry_with_its_details() -> None:
    parts = "".join(
        transaction(amount, end_to_end_id=f"E-{amount}") for amount in ("1.00", "2.00", "3.50")
    )
    stated = (
        '<Btch><PmtInfId>PI-1</PmtInfId><NbOfTxs>3</NbOfTxs><TtlAmt Ccy="USD">6.50</TtlAmt></Btch>'
    )
    data = message(statement(entry("6.50", sign="DBIT", details=stated + parts)))
    found = only_entry(data)
    assert found.amount == Decimal("-6.50")
    assert found.batch_count == 3
    assert found.batch_total == Decimal("6.50")
    assert found.payment_information_id == "PI-1"
    assert found.end_to_end_id is None
    assert [one.amount for one in found.details] == [
        Decimal("-1.00"), Decimal("-2.00"), Decimal("-3.50"),
    ]  # fmt: skip
    assert [one.end_to_end_id for one in found.details] == ["E-1.00", "E-2.00", "E-3.50"]
    assert codes(data) == []


def test_a_batch_whose_parts_do_not_sum_is_reported() -> None:
    parts = transaction("1.00") + transaction("2.00")
    assert codes(message(statement(entry("6.50", details=parts)))) == ["details_do_not_sum"]


def test_a_batch_with_missing_parts_is_reported() -> None:
    parts = "<Btch><NbOfTxs>3</NbOfTxs></Btch>" + transaction("1.00") + transaction("2.00")
    assert codes(message(statement(entry("6.50", details=parts)))) == ["batch_incomplete"]


def test_a_batch_without_details_keeps_its_count() -> None:
    stated = "<Btch><NbOfTxs>20</NbOfTxs></Btch>"
    found = only_entry(message(statement(entry("6.50", details=stated))))
    assert (found.batch_count, found.details) == (20, ())


def test_two_identical_entries_are_two_entries() -> None:
    found = only_statement(message(statement(entry("3.00"), entry("3.00"))))
    assert [one.amount for one in found.entries] == [3, 3]
    assert found.entries[0].locator != found.entries[1].locator


def test_not_provided_is_no_reference() -> None:
    for filler in ("NOTPROVIDED", "notprovided", "NONREF"):
        details = transaction(end_to_end_id=filler)
        found = only_entry(message(statement(entry("3.00", reference=filler, details=details))))
        assert found.end_to_end_id is None
        assert found.bank_reference is None


def test_all_references_of_a_payment_are_kept() -> None:
    refs = (
        "<MsgId>M</MsgId><PmtInfId>P</PmtInfId><InstrId>I</InstrId><TxId>T</TxId>"
        "<UETR>7F9C2BA4-1D3E-4C5F-9A6B-0C1D2E3F4A5B</UETR><MndtId>D</MndtId>"
        "<ClrSysRef>C</ClrSysRef><AcctSvcrRef>BANK</AcctSvcrRef>"
    )
    found = only_entry(
        message(statement(entry("3.00", reference="", details=transaction(refs=refs))))
    )
    assert found.message_id == "M"
    assert found.payment_information_id == "P"
    assert found.instruction_id == "I"
    assert found.transaction_id == "T"
    assert found.uetr == "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"
    assert found.mandate_id == "D"
    assert found.bank_reference == "BANK"
    assert found.details[0].clearing_reference == "C"


def test_a_pending_entry_is_not_booked() -> None:
    found = only_statement(
        message(
            statement(
                balance("OPBD", "1.00"),
                balance("CLBD", "1.00"),
                entry("3.00", status="PDNG"),
                entry("4.00", status="INFO"),
            )
        )
    )
    assert [one.status for one in found.entries] == [EntryStatus.PDNG, EntryStatus.INFO]
    assert prove(found).status is ProofStatus.PROVEN


def test_an_unknown_status_counts_for_nothing_and_is_reported() -> None:
    data = message(statement(entry("3.00", status="HELD")))
    assert only_entry(data).status is EntryStatus.INFO
    assert codes(data) == ["status_unknown"]


def test_a_value_date_before_the_booking_date_is_kept() -> None:
    dates = "<BookgDt><Dt>2026-11-20</Dt></BookgDt><ValDt><Dt>2026-11-13</Dt></ValDt>"
    found = only_entry(message(statement(entry("3.00", dates=dates))))
    assert (found.booking_date, found.value_date) == (date(2026, 11, 20), date(2026, 11, 13))


def test_a_missing_value_date_is_the_booking_date() -> None:
    found = only_entry(
        message(statement(entry("3.00", dates="<BookgDt><Dt>2026-11-20</Dt></BookgDt>")))
    )
    assert found.value_date == date(2026, 11, 20)


def test_an_entry_without_any_date_is_reported() -> None:
    assert codes(message(statement(entry("3.00", dates="")))) == ["entry_without_date"]


@pytest.mark.parametrize(
    ("moment", "day"),
    [
        ("2026-11-20T23:45:00-05:00", date(2026, 11, 20)),
        ("2026-11-21T00:15:00+05:30", date(2026, 11, 21)),
        ("2026-11-20T20:00:00.123456789Z", date(2026, 11, 20)),
        ("2026-11-20T20:00:00", date(2026, 11, 20)),
    ],
)
def test_a_date_time_gives_the_banks_own_day(moment: str, day: date) -> None:
    dates = f"<BookgDt><DtTm>{moment}</DtTm></BookgDt>"
    assert only_entry(message(statement(entry("3.00", dates=dates)))).booking_date == day


def test_an_impossible_date_becomes_the_months_last_day() -> None:
    dates = "<BookgDt><Dt>2026-02-30</Dt></BookgDt>"
    data = message(statement(entry("3.00", dates=dates)))
    assert only_entry(data).booking_date == date(2026, 2, 28)
    assert codes(data) == ["date_impossible"]


def test_available_money_can_be_told_from_a_credit_line() -> None:
    line = '<CdtLine><Incl>{}</Incl><Amt Ccy="USD">1000000.00</Amt></CdtLine>'
    found = only_statement(
        message(
            statement(
                balance("CLAV", "1500000.00", extra=line.format("true")),
                balance("CLBD", "500000.00", extra=line.format("false")),
                balance("FWAV", "500001.00", on="2026-11-23"),
                balance("FWAV", "500002.00", on="2026-11-24"),
            )
        )
    )
    available, booked, *ladder = found.balances
    assert available.credit_line_included == 1_000_000
    assert booked.credit_line_included is None
    assert [(one.on, one.amount) for one in ladder] == [
        (date(2026, 11, 23), Decimal("500001.00")),
        (date(2026, 11, 24), Decimal("500002.00")),
    ]


def test_a_currency_exchange_tells_its_rate() -> None:
    details = transaction(
        inner=(
            '<AmtDtls><InstdAmt><Amt Ccy="EUR">100.00</Amt></InstdAmt>'
            '<TxAmt><Amt Ccy="USD">108.70</Amt><CcyXchg><SrcCcy>EUR</SrcCcy><TrgtCcy>USD</TrgtCcy>'
            "<UnitCcy>EUR</UnitCcy><XchgRate>1.0870</XchgRate><CtrctId>FX-1</CtrctId></CcyXchg>"
            "</TxAmt></AmtDtls>"
        )
    )
    found = only_entry(message(statement(entry("108.70", details=details)))).exchange
    assert found is not None
    assert (found.source_currency, found.target_currency, found.unit_currency) == (
        "EUR", "USD", "EUR",
    )  # fmt: skip
    assert found.rate == Decimal("1.0870")
    assert (found.instructed_amount, found.instructed_currency) == (Decimal(100), "EUR")
    assert found.contract == "FX-1"


def test_charges_are_read_flat_and_in_records() -> None:
    flat = (
        '<Chrgs><Amt Ccy="USD">4.00</Amt><Br>SHAR</Br></Chrgs>'
        '<Chrgs><Amt Ccy="USD">1.00</Amt></Chrgs>'
    )
    records = (
        '<Chrgs><TtlChrgsAndTaxAmt Ccy="USD">5.00</TtlChrgsAndTaxAmt>'
        '<Rcrd><Amt Ccy="USD">4.00</Amt><ChrgInclInd>true</ChrgInclInd><Br>SHAR</Br></Rcrd>'
        '<Rcrd><Amt Ccy="USD">1.00</Amt><CdtDbtInd>CRDT</CdtDbtInd></Rcrd></Chrgs>'
    )
    old = only_entry(message(statement(entry("9.00", details=transaction(inner=flat)))))
    new = only_entry(message(statement(entry("9.00", details=transaction(inner=records)))))
    assert [one.amount for one in old.charges] == [4, 1]
    assert [(one.amount, one.included) for one in new.charges] == [
        (Decimal(4), True),
        (Decimal(-1), None),
    ]
    assert new.charges[0].bearer == "SHAR"


def test_remittance_cut_at_its_full_width_runs_on() -> None:
    first = "INVOICE " + "7" * 132
    details = transaction(
        inner=f"<RmtInf><Ustrd>{first}</Ustrd><Ustrd>890</Ustrd><Ustrd>thank you</Ustrd></RmtInf>"
    )
    found = only_entry(message(statement(entry("9.00", details=details))))
    assert found.remittance == f"{first}890 thank you"


def test_structured_references_are_kept_apart() -> None:
    details = transaction(
        inner=(
            "<RmtInf><Strd><RfrdDocInf><Nb>INV-1</Nb></RfrdDocInf>"
            "<CdtrRefInf><Ref>RF18539007547034</Ref></CdtrRefInf></Strd></RmtInf>"
        )
    )
    found = only_entry(message(statement(entry("9.00", details=details))))
    assert found.structured_references == ("RF18539007547034", "INV-1")
    assert found.remittance == ""


def test_a_proprietary_transaction_code_is_marked_as_such() -> None:
    data = message(statement(entry("9.00"))).replace(
        b"<Domn><Cd>PMNT</Cd><Fmly><Cd>RCDT</Cd><SubFmlyCd>XBCT</SubFmlyCd></Fmly></Domn>",
        b"<Prtry><Cd>NTRF</Cd><Issr>BANK</Issr></Prtry>",
    )
    assert only_entry(data).transaction_code == "PRTRY:NTRF"


def test_pages_carry_their_number_and_their_balances() -> None:
    def page(number: int, *parts: str, last: bool) -> str:
        words = f"<PgNb>{number}</PgNb><LastPgInd>{str(last).lower()}</LastPgInd>"
        return statement(*parts, extra=f"<StmtPgntn>{words}</StmtPgntn>")

    def broken(code: str, amount: str) -> str:
        return balance(code, amount).replace("</Tp>", "<SubTp><Cd>INTM</Cd></SubTp></Tp>")

    first = page(1, balance("OPBD", "10.00"), broken("CLBD", "13.00"), entry("3.00"), last=False)
    second = page(2, broken("OPBD", "13.00"), balance("CLBD", "17.00"), entry("4.00"), last=True)
    one, two = (only_statement(message(part)) for part in (first, second))
    assert (one.page_number, one.last_page) == (1, False)
    assert (two.page_number, two.last_page) == (2, True)
    assert (one.balances[1].code, one.balances[1].carried) == ("ITBD", Carried.TO)
    assert (two.balances[0].code, two.balances[0].carried) == ("ITBD", Carried.FROM)
    assert prove(one).status is ProofStatus.PROVEN
    assert prove_pages([one, two]).status is ProofStatus.PROVEN
    assert prove_pages([two, one]).status is ProofStatus.DIFFERS


def test_old_pagination_stands_in_the_group_header() -> None:
    header = "<MsgPgntn><PgNb>2</PgNb><LastPgInd>false</LastPgInd></MsgPgntn>"
    found = only_statement(message(statement(entry("1.00")), header=header))
    assert (found.page_number, found.last_page) == (2, False)


def test_a_duplicate_says_so() -> None:
    found = only_statement(
        message(statement(entry("1.00"), extra="<CpyDplctInd>DUPL</CpyDplctInd>"))
    )
    assert found.copy_duplicate == "DUPL"


def test_a_statement_without_movements_is_a_statement() -> None:
    found = only_statement(message(statement(balance("OPBD", "7.00"), balance("CLBD", "7.00"))))
    assert found.entries == ()
    assert prove(found).status is ProofStatus.PROVEN


def test_several_statements_in_one_message_do_not_mix() -> None:
    found = read(
        message(
            statement(entry("1.00"), identifier="A", sequence=1),
            statement(
                entry("2.00"),
                identifier="B",
                sequence=3,
                account="<Id><Othr><Id>0042</Id></Othr></Id><Ccy>USD</Ccy>",
            ),
        )
    )
    assert [(one.statement_id, one.electronic_sequence) for one in found.statements] == [
        ("A", 1),
        ("B", 3),
    ]
    assert found.statements[1].account.number == "0042"
    assert found.statements[1].account.iban is None
    assert [len(one.entries) for one in found.statements] == [1, 1]


def test_header_fields_in_an_unusual_place_are_still_found() -> None:
    data = message(statement(entry("1.00"), entry("2.00"))).replace(
        b"<ElctrncSeqNb>17</ElctrncSeqNb>", b""
    )
    data = data.replace(b"</Stmt>", b"<ElctrncSeqNb>18</ElctrncSeqNb></Stmt>")
    assert only_statement(data).electronic_sequence == 18


def test_unknown_elements_and_prefixes_are_tolerated() -> None:
    data = message(statement(entry("1.00") + "<Novelty><Deep>1</Deep></Novelty>"))
    data = data.replace(b"<", b"<x:").replace(b"<x:/", b"</x:").replace(b"<x:?", b"<?")
    data = data.replace(b"xmlns=", b"xmlns:x=")
    assert only_entry(data).amount == 1


def test_a_business_header_around_the_document_is_stepped_over() -> None:
    inner = message(statement(entry("1.00"))).partition(b"\n")[2]
    header = b'<AppHdr xmlns="urn:iso:std:iso:20022:tech:xsd:head.001.001.02"><Fr/><To/></AppHdr>'
    assert only_entry(b"<Envelope>" + header + inner + b"</Envelope>").amount == 1


def test_a_document_without_namespace_is_read() -> None:
    data = message(statement(entry("1.00")))
    data = data.replace(b' xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"', b"")
    found = read(data)
    assert (found.kind, found.version) == (MessageKind.CAMT053, "camt.053")


def test_zeros_beyond_the_minor_unit_are_dropped() -> None:
    found = only_entry(message(statement(entry("18.15000"))))
    assert str(found.amount) == "18.15"


def test_digits_beyond_the_minor_unit_are_kept_and_reported() -> None:
    data = message(statement(entry("18.155")))
    assert only_entry(data).amount == Decimal("18.155")
    assert codes(data) == ["amount_precision"]


@pytest.mark.parametrize(
    ("amount", "code"),
    [
        ("1,000.00", "amount_unreadable"),
        ("-5.00", "amount_unreadable"),
        ("1e5", "amount_unreadable"),
        ("NaN", "amount_unreadable"),
        ("\uff11\uff12", "amount_unreadable"),
        ("1_000", "amount_unreadable"),
        ("", "amount_missing"),
        ("12345678901234567.00", "amount_too_large"),
        ("1.00001", "amount_too_precise"),
    ],
)
def test_an_amount_that_is_no_number_refuses_the_file(amount: str, code: str) -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(message(statement(entry(amount))))
    assert refusal.value.code == code
    assert refusal.value.locator == "line 2, entry 1"


def test_a_missing_sign_is_never_guessed() -> None:
    data = message(statement(entry("5.00"))).replace(b"<CdtDbtInd>CRDT</CdtDbtInd>", b"")
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(data)
    assert refusal.value.code == "sign_missing"


def test_a_message_without_statement_is_refused() -> None:
    with pytest.raises(UnreadableMessage) as refusal:
        read_message(message())
    assert refusal.value.code == "no_statement"


def test_mixed_currencies_are_reported() -> None:
    data = message(statement(entry("5.00"), entry("6.00").replace('"USD"', '"EUR"')))
    assert codes(data) == ["currencies_mixed"]


def test_a_wrong_check_digit_in_the_account_is_reported() -> None:
    data = message(statement(entry("5.00"))).replace(b"GB29NWBK", b"GB30NWBK")
    assert codes(data) == ["iban_checksum"]


def test_a_balance_without_date_takes_it_from_the_period() -> None:
    data = message(statement(balance("OPBD", "5.00"))).replace(b"<Dt><Dt>2026-11-20</Dt></Dt>", b"")
    assert only_statement(data).balances[0].on == date(2026, 11, 20)
    assert codes(data) == ["balance_date_assumed"]


def test_moments_keep_their_offset_and_naive_ones_stay_naive() -> None:
    found = only_statement(message(statement(entry("5.00"))))
    assert found.created_at == datetime(2026, 11, 20, 23, 30, tzinfo=UTC)
    assert found.from_at is not None
    assert found.from_at.tzinfo is None
    data = message(statement(balance("ITBD", "5.00"))).replace(
        b"<Dt><Dt>2026-11-20</Dt></Dt>", b"<Dt><DtTm>2026-11-20T16:00:00-05:00</DtTm></Dt>"
    )
    (interim,) = only_statement(data).balances
    assert interim.at == datetime(2026, 11, 20, 16, tzinfo=timezone(timedelta(hours=-5)))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "iso-8859-1", "windows-1252"])
def test_declared_encodings_are_read(encoding: str) -> None:
    details = transaction(
        inner="<RltdPties><Dbtr><Pty><Nm>Müller &amp; Söhne</Nm></Pty></Dbtr></RltdPties>"
    )
    body = message(statement(entry("5.00", details=details))).decode()
    declared = encoding.removesuffix("-sig")
    data = body.replace('encoding="UTF-8"', f'encoding="{declared}"').encode(encoding)
    assert only_entry(data).counterparty_name == "Müller & Söhne"


def test_the_layout_of_version_1_is_read() -> None:
    layout = Layout(version="01", root="camt.052")
    data = message(
        statement(
            entry("5.00", layout=layout).replace(
                "</BkTxCd>",
                "</BkTxCd><Btch><NbOfTxs>2</NbOfTxs></Btch>"
                "<TxDtls><Refs><EndToEndId>A</EndToEndId></Refs></TxDtls>"
                "<TxDtls><Refs><EndToEndId>B</EndToEndId></Refs></TxDtls>",
            ),
            layout=layout,
            account="<Id><PrtryAcct><Id>0042</Id></PrtryAcct></Id>",
        ),
        layout=layout,
    ).replace(b"BkToCstmrAcctRpt", b"BkToCstmrAcctRptV01")
    found = only_statement(data)
    assert found.account.number == "0042"
    assert found.entries[0].batch_count == 2
    assert [one.end_to_end_id for one in found.entries[0].details] == ["A", "B"]


def test_the_same_statement_read_twice_is_equal() -> None:
    data = message(statement(entry("5.00"), layout=NEW))
    assert read_message(data) == read_message(data)
