"""How a bank wants its orders: what a profile may say, and what each setting does to the bytes."""

from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from lxml import etree

from integrations.codecs.instructions import Agent, PaymentInstruction, PostalAddress
from integrations.codecs.orders import prepare, write_order
from integrations.codecs.schemas import validate_schema
from integrations.dialects.checks import check_profile, help_on
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.writing import (
    RAIL_TERMS,
    STANDARD,
    AddressForm,
    Charset,
    Format,
    RailTerms,
    Writing,
    parse_writing,
)
from tests.integrations.codecs.test_pain001 import BRITISH, EMIRATES, FUNDING, INDIA, SEPA


def sent(instruction: PaymentInstruction, rail: str, writing: Writing) -> etree._Element:
    """The message as the bank gets it; nothing speaks against it."""
    prepared = prepare(instruction, rail=rail, writing=writing)
    assert prepared.errors == ()
    data = write_order([prepared.instruction], writing=writing)
    assert validate_schema(data) == ()
    return etree.fromstring(data)


def texts(document: etree._Element, name: str) -> list[str]:
    return [element.text for element in document.iter(f"{{*}}{name}")]


def codes(instruction: PaymentInstruction, rail: str, **profile: Any) -> list[str]:
    found = prepare(instruction, rail=rail, writing=parse_writing(profile))
    return [finding.code for finding in found.findings]


def test_no_profile_is_the_standard() -> None:
    assert parse_writing({}) == STANDARD
    assert STANDARD.format is Format.PAIN_001_09


def test_a_profile_changes_one_rail_and_all_rails() -> None:
    writing = parse_writing(
        {"rails": {"*": {"name_chars_max": 35}, "CHAPS": {"charge_bearer": "SHAR"}}}
    )
    assert writing.terms("CHAPS") == replace(
        RAIL_TERMS["CHAPS"], name_chars_max=35, charge_bearer="SHAR"
    )
    assert writing.terms("T2") == replace(RAIL_TERMS["T2"], name_chars_max=35)
    assert writing.terms("UNKNOWN") == RailTerms()


@pytest.mark.parametrize(
    ("profile", "field"),
    [
        ({"fromat": "pain.001.001.09"}, "fromat"),
        ({"format": "MT101"}, "format"),
        ({"charset": "ebcdic"}, "charset"),
        ({"replacements": {"ae": "x"}}, "replacements.ae"),
        ({"batch_booking": "yes"}, "batch_booking"),
        ({"sender_bic": "nobody"}, "sender_bic"),
        ({"format": "pacs.008.001.08"}, "sender_bic"),
        ({"rails": {"TELEX": {}}}, "rails.TELEX"),
        ({"rails": {"CHAPS": {"adress": "hybrid"}}}, "rails.CHAPS.adress"),
        ({"rails": {"CHAPS": {"charge_bearer": "US"}}}, "rails.CHAPS.charge_bearer"),
        ({"rails": {"CHAPS": {"service_level": "u r"}}}, "rails.CHAPS.service_level"),
        ({"regulatory": {}}, "regulatory"),
        ({"regulatory": [{"rails": ["TELEX"]}]}, "regulatory[0].rails"),
        ({"regulatory": [{"information": ["{secret}"]}]}, "regulatory[0].information"),
        ({"regulatory": [{"information": ["{purpose.__class__}"]}]}, "regulatory[0].info"),
        ({"regulatory": [{"authority_country": "Emirates"}]}, "regulatory[0].authority_country"),
    ],
)
def test_what_cannot_be_right_is_refused_by_name(profile: dict[str, Any], field: str) -> None:
    with pytest.raises(ProfileInvalid) as refusal:
        check_profile({"writing": profile})
    assert str(refusal.value.context["field"]).startswith(field)


def test_the_page_of_profiles_explains_every_key() -> None:
    assert {one.key for one in help_on("writing")} == set(Writing.__dataclass_fields__)


# Letters


@pytest.mark.parametrize(
    ("charset", "name", "expected"),
    [
        ("utf-8", "Müller & Søn Łódź", "Müller & Søn Łódź"),
        ("latin-1", "Müller & Søn Łódź", "Müller & Søn Lódz"),
        ("ascii", "Müller & Søn Łódź", "Muller & Son Lodz"),
        ("swift-x", "Müller & Søn Łódź", "Muller + Son Lodz"),
        ("swift-x", "Straße_1; [A]", "Strasse-1, (A)"),
        ("swift-x", "Ромашка ЛЛЦ", "Romashka LLTs"),
        ("swift-x", "100% #1", "100. .1"),
    ],
)
def test_letters_become_those_of_the_line(charset: str, name: str, expected: str) -> None:
    order = replace(FUNDING, creditor=replace(FUNDING.creditor, name=name))
    writing = parse_writing({"charset": charset})
    assert texts(sent(order, "FEDWIRE", writing), "Nm")[-1] == expected


def test_what_was_rewritten_is_said() -> None:
    order = replace(FUNDING, creditor=replace(FUNDING.creditor, name="Müller GmbH"))
    (note,) = prepare(order, rail="FEDWIRE", writing=parse_writing({"charset": "swift-x"})).warnings
    assert (note.code, note.locator) == ("TEXT_REWRITTEN", "creditor.name")
    assert "“Muller GmbH”, not “Müller GmbH”" in note.message
    assert codes(order, "FEDWIRE", charset="latin-1") == []


def test_a_bank_may_have_its_own_letters() -> None:
    order = replace(FUNDING, creditor=replace(FUNDING.creditor, name="Müller"))
    writing = parse_writing({"charset": "swift-x", "replacements": {"ü": "ue"}})
    assert texts(sent(order, "FEDWIRE", writing), "Nm")[-1] == "Mueller"


def test_the_length_counts_after_rewriting() -> None:
    order = replace(SEPA, creditor=replace(SEPA.creditor, name="ß" * 40))
    assert codes(order, "SEPA_SCT") == []
    assert "NAME_TOO_LONG" in codes(order, "SEPA_SCT", charset="swift-x")


def test_references_are_never_rewritten() -> None:
    order = replace(FUNDING, end_to_end_id="FMP_1")
    assert "REFERENCE_CHARSET" in codes(order, "FEDWIRE", charset="swift-x")


def test_nothing_left_of_a_name_stops_the_order() -> None:
    order = replace(FUNDING, creditor=replace(FUNDING.creditor, name="\ue000"))
    assert "TEXT_CONTROL_CHARACTER" in codes(order, "FEDWIRE", charset="swift-x")


# Addresses, accounts, dates


def test_unstructured_addresses_end_in_november_2026() -> None:
    profile = {"rails": {"*": {"address": "unstructured"}}}
    address = PostalAddress(
        street="Strand", building_number="1", post_code="WC2N", town="London", country="GB"
    )
    order = replace(FUNDING, creditor=replace(FUNDING.creditor, address=address))
    assert codes(order, "FEDWIRE", **profile) == ["ADDRESS_UNSTRUCTURED"]
    before = replace(
        order, execution_date=date(2026, 11, 15), created_at=order.created_at.replace(day=13)
    )
    document = sent(before, "FEDWIRE", parse_writing(profile))
    assert texts(document, "AdrLine")[-2:] == ["Strand 1", "WC2N London"]
    assert texts(document, "TwnNm") == []
    assert codes(replace(before, execution_date=date(2026, 11, 16)), "FEDWIRE", **profile)


def test_a_bank_without_free_lines() -> None:
    profile = {"rails": {"*": {"address": AddressForm.STRUCTURED.value}}}
    assert "ADDRESS_LINES_REFUSED" in codes(FUNDING, "FEDWIRE", **profile)


def test_a_british_iban_becomes_sort_code_and_number() -> None:
    party = replace(BRITISH.creditor, iban="GB29NWBK60161331926819", number=None)
    order = replace(BRITISH, creditor=party, creditor_agent=Agent(bic="NWBKGB2LXXX"))
    writing = parse_writing({"rails": {"CHAPS": {"account": "sort_code"}}})
    document = sent(order, "CHAPS", writing)
    assert texts(document, "MmbId") == ["601613"]
    assert "31926819" in texts(document, "Id")
    assert texts(sent(order, "CHAPS", STANDARD), "IBAN") == ["GB29NWBK60161331926819"]


@pytest.mark.parametrize(
    ("form", "code"),
    [("iban", "IBAN_MISSING"), ("aba", "ABA_REQUIRED"), ("sort_code", "SORT_CODE_REQUIRED"),
     ("ifsc", "IFSC_REQUIRED")],
)  # fmt: skip
def test_the_account_must_be_known_as_the_bank_wants(form: str, code: str) -> None:
    order = replace(FUNDING, creditor_agent=Agent(bic="CHASUS33XXX"))
    assert code in codes(order, "FEDWIRE", rails={"FEDWIRE": {"account": form}})
    assert codes(order, "FEDWIRE") == []


def test_the_uae_pays_to_its_own_ibans() -> None:
    order = replace(EMIRATES, creditor=replace(EMIRATES.creditor, iban="DE89370400440532013000"))
    assert "IBAN_NOT_UAE" in codes(order, "UAEFTS")


def test_the_execution_date_may_be_a_moment() -> None:
    document = sent(FUNDING, "FEDWIRE", parse_writing({"execution_date": "time"}))
    assert texts(document, "DtTm") == ["2026-11-23T00:00:00-05:00"]


def test_the_version_of_2009_is_written_in_its_own_words() -> None:
    writing = parse_writing({"format": "pain.001.001.03", "batch_booking": True})
    room = replace(FUNDING.creditor, address=PostalAddress(town="London", country="GB", room="7"))
    order = replace(FUNDING, creditor=room)
    document = sent(order, "FEDWIRE", writing)
    assert texts(document, "BIC") == ["CITIUS33XXX", "CHASUS33XXX"]
    assert texts(document, "BtchBookg") == ["true"]
    assert texts(document, "ReqdExctnDt") == ["2026-11-23"]
    assert texts(document, "UETR") == texts(document, "Room") == texts(document, "LEI") == []
    assert "5493001KJTIIGC8Y1R12" in texts(document, "Id")
    (note,) = prepare(order, rail="FEDWIRE", writing=writing).warnings
    assert (note.code, note.locator) == ("ADDRESS_PART_LEFT_OUT", "creditor.address.room")


def test_identifiers_are_left_out_where_a_bank_does_not_take_them() -> None:
    assert texts(sent(FUNDING, "FEDWIRE", parse_writing({"lei": False})), "LEI") == []


# Purposes and reports to authorities


@pytest.mark.parametrize(
    ("place", "proprietary", "reported"),
    [("purpose", ["FIS"], []), ("regulatory", [], ["FIS"]), ("both", ["FIS"], ["FIS"])],
)
def test_the_purpose_of_the_uae_stands_where_the_bank_looks(
    place: str, proprietary: list[str], reported: list[str]
) -> None:
    writing = parse_writing({"rails": {"UAEFTS": {"purpose_place": place}}})
    transfer = next(sent(EMIRATES, "UAEFTS", writing).iter("{*}CdtTrfTxInf"))
    assert texts(transfer, "Prtry") == proprietary
    assert [one.text for one in transfer.iterfind("{*}RgltryRptg/{*}Dtls/{*}Cd")] == reported


def test_a_purpose_of_the_reserve_bank_is_reported_to_it() -> None:
    document = sent(replace(INDIA, purpose="P1301"), "RTGS_IN", STANDARD)
    (report,) = document.iter("{*}RgltryRptg")
    assert report.findtext("{*}Authrty/{*}Nm") == "Reserve Bank of India"
    assert report.findtext("{*}Dtls/{*}Cd") == "P1301"
    assert texts(document, "Purp") == []


def test_codes_are_translated_and_tags_carry_what_the_order_says() -> None:
    writing = parse_writing(
        {
            "rails": {"FEDWIRE": {"purpose_codes": {"INTC": "TREA"}}},
            "note_to_bank": "Screened: {reference}",
            "regulatory": [
                {
                    "rails": ["FEDWIRE"],
                    "authority_name": "FinCEN",
                    "authority_country": "US",
                    "type": "BSA",
                    "code": "AML",
                    "information": ["{purpose} {debtor}", "x" * 60],
                }
            ],
        }
    )
    document = sent(FUNDING, "FEDWIRE", writing)
    assert texts(document, "InstrForDbtrAgt") == ["Screened: FMP-000123"]
    assert texts(document, "Inf") == ["TREA EXAMPLE REMIT LTD", "x" * 35]
    (report,) = document.iter("{*}RgltryRptg")
    assert report.findtext("{*}Dtls/{*}Cd") == "AML"
    assert texts(sent(BRITISH, "CHAPS", writing), "RgltryRptg") == []


def test_a_purpose_may_be_demanded() -> None:
    order = replace(BRITISH, purpose=None)
    assert codes(order, "CHAPS") == []
    assert codes(order, "CHAPS", rails={"CHAPS": {"purpose_required": True}}) == [
        "PURPOSE_REQUIRED"
    ]


def test_large_rupee_payments_are_expected_to_name_the_sender() -> None:
    order = replace(INDIA, amount=Decimal(500_000_000))
    assert codes(order, "RTGS_IN") == ["LEI_EXPECTED"]
    smaller = replace(order, amount=Decimal("499999999.99"))
    assert codes(smaller, "RTGS_IN") == []


def test_every_charset_is_a_word_of_the_profile() -> None:
    assert [parse_writing({"charset": one.value}).charset for one in Charset] == list(Charset)
