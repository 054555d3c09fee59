"""Orders: what is written validates, says the exact amount, and bad ones are caught before."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lxml import etree

from core.money import minor_units
from integrations.codecs.errors import UnwritableMessage
from integrations.codecs.pain001 import (
    Agent,
    Party,
    PaymentInstruction,
    PostalAddress,
    amount_text,
    preflight,
    validate_schema,
    write_pain001,
)
from integrations.codecs.rails import RAILS
from integrations.codecs.records import Severity

LONDON = PostalAddress(town="London", country="GB", lines=("1 Example Street",))
UETR = "7f9c2ba4-1d3e-4c5f-9a6b-0c1d2e3f4a5b"

FUNDING = PaymentInstruction(
    message_id="TMS20261123-000017",
    payment_information_id="FMP-000123-1",
    instruction_id="FMP-000123-1",
    end_to_end_id="FMP-000123",
    uetr=UETR,
    amount=Decimal("2750000.00"),
    currency="USD",
    execution_date=date(2026, 11, 23),
    created_at=datetime(2026, 11, 23, 14, 5, 11, tzinfo=UTC),
    initiating_party_name="EXAMPLE REMIT LTD",
    initiating_party_lei="5493001KJTIIGC8Y1R12",
    debtor=Party(
        name="EXAMPLE REMIT LTD", address=LONDON, number="0123456789", account_currency="USD"
    ),
    debtor_agent=Agent(bic="CITIUS33XXX"),
    creditor=Party(name="EXAMPLE REMIT LTD", address=LONDON, number="9876543210"),
    creditor_agent=Agent(bic="CHASUS33XXX", clearing_system="USABA", clearing_member="021000021"),
    charge_bearer="DEBT",
    service_level="URGP",
    category_purpose="CASH",
    purpose="INTC",
    remittance="FMP-000123 nostro prefunding",
)

GERMAN = Party(name="Alpine Trading AG", iban="DE89370400440532013000")
DUTCH = Party(name="Noord Handel B.V.", iban="NL91ABNA0417164300")
SEPA = replace(
    FUNDING,
    amount=Decimal("100.00"),
    currency="EUR",
    debtor=GERMAN,
    debtor_agent=Agent(bic="COBADEFFXXX"),
    creditor=DUTCH,
    creditor_agent=Agent(),
    charge_bearer="SLEV",
    service_level="SEPA",
    category_purpose=None,
    purpose="SUPP",
)
EMIRATES = replace(
    FUNDING,
    currency="AED",
    creditor=Party(name="Gulf Payee LLC", iban="AE070331234567890123456"),
    creditor_agent=Agent(bic="EBILAEADXXX"),
    purpose="FIS",
)
INDIA = replace(
    FUNDING,
    currency="INR",
    amount=Decimal("250000.00"),
    creditor=Party(name="Mumbai Payee Ltd", number="50100012345678"),
    creditor_agent=Agent(clearing_system="INFSC", clearing_member="HDFC0000060"),
    purpose="SUPP",
)
BRITISH = replace(
    FUNDING,
    currency="GBP",
    creditor=Party(name="London Payee Ltd", address=LONDON, number="12345678"),
    creditor_agent=Agent(clearing_system="GBDSC", clearing_member="601613"),
)

EXAMPLES: dict[str, PaymentInstruction] = {
    "BOOK": replace(FUNDING, creditor_agent=FUNDING.debtor_agent),
    "FEDWIRE": FUNDING,
    "CHAPS": BRITISH,
    "T2": replace(FUNDING, currency="EUR", creditor_agent=Agent(bic="COBADEFFXXX")),
    "SEPA_SCT": SEPA,
    "SEPA_INST": replace(SEPA, local_instrument="INST"),
    "SWIFT_GPI": replace(FUNDING, currency="JPY", amount=Decimal(5000)),
    "UAEFTS": EMIRATES,
    "RTGS_IN": INDIA,
    "NEFT": INDIA,
    "INR_DESK": INDIA,
}


def codes(instruction: PaymentInstruction, rail: str = "FEDWIRE") -> list[str]:
    return [finding.code for finding in preflight(instruction, rail=rail)]


def found_text(data: bytes, name: str) -> list[str]:
    document = etree.fromstring(data)
    return [element.text for element in document.iter(f"{{*}}{name}")]


def test_there_is_an_example_for_every_rail() -> None:
    assert set(EXAMPLES) == set(RAILS)


@pytest.mark.parametrize("rail", EXAMPLES)
def test_a_good_order_of_every_rail_passes_and_validates(rail: str) -> None:
    instruction = EXAMPLES[rail]
    assert preflight(instruction, rail=rail) == ()
    assert validate_schema(write_pain001([instruction])) == ()


def test_the_same_order_is_the_same_bytes() -> None:
    assert write_pain001([FUNDING]) == write_pain001([replace(FUNDING)])


def test_elements_stand_in_the_order_of_the_schema() -> None:
    data = write_pain001([FUNDING]).decode()
    order = [
        "<PmtId>",
        "<UETR>",
        "<Amt>",
        "<CdtrAgt>",
        "<Cdtr>",
        "<CdtrAcct>",
        "<Purp>",
        "<RmtInf>",
    ]
    places = [data.index(tag) for tag in order]
    assert places == sorted(places)
    assert data.index("<Ctry>GB") < data.index("<AdrLine>1 Example")


def test_every_field_of_an_address_validates() -> None:
    address = PostalAddress(
        town="London", country="GB", department="Treasury", sub_department="Desk",
        street="High Street", building_number="1", building_name="Tower", floor="3",
        post_box="12", room="4", post_code="EC1A 1BB", town_location="City", district="Central",
        country_subdivision="London Region", lines=("Back entrance", "Ring twice"),
    )  # fmt: skip
    party = replace(FUNDING.creditor, address=address, lei="5493001KJTIIGC8Y1R12")
    assert validate_schema(write_pain001([replace(FUNDING, creditor=party)])) == ()


def test_totals_are_exact_over_several_payments_and_blocks() -> None:
    second = replace(FUNDING, end_to_end_id="FMP-2", amount=Decimal("0.10"))
    third = replace(
        FUNDING, end_to_end_id="FMP-3", payment_information_id="PI-2", amount=Decimal("0.20")
    )
    data = write_pain001([FUNDING, second, third])
    assert validate_schema(data) == ()
    assert found_text(data, "NbOfTxs") == ["3", "2", "1"]
    assert found_text(data, "CtrlSum") == ["2750000.30", "2750000.10", "0.20"]


@settings(deadline=None)
@given(
    amount=st.decimals(min_value="0.001", max_value="9999999999999", places=3),
    currency=st.sampled_from(["JPY", "KRW", "USD", "EUR", "INR", "KWD", "BHD"]),
)
def test_the_amount_survives_writing_and_reading(amount: Decimal, currency: str) -> None:
    unit = Decimal(1).scaleb(-minor_units(currency))
    amount = max(amount.quantize(unit), unit)
    data = write_pain001([replace(FUNDING, amount=amount, currency=currency)])
    (written,) = found_text(data, "InstdAmt")
    assert Decimal(written) == amount
    assert len(written.partition(".")[2]) == minor_units(currency)
    assert Decimal(found_text(data, "CtrlSum")[0]) == amount


@pytest.mark.parametrize(
    ("amount", "currency", "code"),
    [
        ("0", "USD", "amount_unpayable"),
        ("-1", "USD", "amount_unpayable"),
        ("NaN", "USD", "amount_unpayable"),
        ("Infinity", "USD", "amount_unpayable"),
        ("1E+30", "USD", "amount_unpayable"),
        ("1.5", "JPY", "amount_too_precise"),
        ("1.005", "USD", "amount_too_precise"),
        ("1", "usd", "currency_unknown"),
    ],
)
def test_an_amount_is_never_rounded_into_shape(amount: str, currency: str, code: str) -> None:
    with pytest.raises(UnwritableMessage) as refusal:
        amount_text(Decimal(amount), currency)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"message_id": "OTHER"}, "message_mixed"),
        ({"debtor": GERMAN}, "batch_mixed"),
        ({"end_to_end_id": "FMP-000123"}, "reference_repeated"),
        ({"remittance": "bell \x07"}, "text_unwritable"),
    ],
)
def test_payments_that_do_not_belong_together_are_refused(
    change: dict[str, Any], code: str
) -> None:
    other = replace(FUNDING, **({"end_to_end_id": "FMP-2"} | change))
    with pytest.raises(UnwritableMessage) as refusal:
        write_pain001([FUNDING, other])
    assert refusal.value.code == code


def test_an_empty_message_and_a_naive_time_are_refused() -> None:
    with pytest.raises(UnwritableMessage) as refusal:
        write_pain001([])
    assert refusal.value.code == "message_size"
    with pytest.raises(UnwritableMessage) as refusal:
        write_pain001([replace(FUNDING, created_at=datetime(2026, 11, 23))])  # noqa: DTZ001
    assert refusal.value.code == "time_naive"


def test_the_schema_objects_to_what_is_wrong() -> None:
    data = write_pain001([FUNDING])
    (finding,) = validate_schema(data.replace(b"<PmtMtd>TRF<", b"<PmtMtd>XYZ<"))
    assert (finding.code, finding.severity) == ("SCHEMA", Severity.ERROR)
    assert "PmtMtd" in finding.message
    assert validate_schema(data.replace(UETR.encode(), b"7F9C")) != ()
    assert validate_schema(data[:-20])[0].code == "SCHEMA"
    assert validate_schema(b"<!DOCTYPE x><x/>")[0].message.startswith("The file carries")


def creditor(**changes: Any) -> PaymentInstruction:
    return replace(FUNDING, creditor=replace(FUNDING.creditor, **changes))


def address(**changes: Any) -> PaymentInstruction:
    return creditor(address=replace(LONDON, **changes))


def agent(**changes: Any) -> PaymentInstruction:
    return replace(FUNDING, creditor_agent=Agent(**changes))


@pytest.mark.parametrize(
    ("instruction", "code"),
    [
        (replace(FUNDING, end_to_end_id="X" * 36), "REFERENCE_TOO_LONG"),
        (replace(FUNDING, end_to_end_id="/X"), "REFERENCE_SLASH"),
        (replace(FUNDING, end_to_end_id="X//Y"), "REFERENCE_SLASH"),
        (replace(FUNDING, message_id="Ü"), "REFERENCE_CHARSET"),
        (replace(FUNDING, message_id=""), "REFERENCE_MISSING"),
        (replace(FUNDING, end_to_end_id="NOTPROVIDED"), "REFERENCE_MISSING"),
        (replace(FUNDING, uetr=None), "UETR_MISSING"),
        (replace(FUNDING, uetr=UETR.upper()), "UETR_NOT_V4"),
        (replace(FUNDING, uetr="01890a5d-ac96-774b-bcce-b302099a8057"), "UETR_NOT_V4"),
        (replace(FUNDING, amount=Decimal(0)), "AMOUNT_NOT_POSITIVE"),
        (replace(FUNDING, amount=Decimal("NaN")), "AMOUNT_NOT_POSITIVE"),
        (replace(FUNDING, amount=Decimal("1E+30")), "AMOUNT_TOO_LARGE"),
        (replace(FUNDING, amount=Decimal("0.001")), "AMOUNT_PRECISION"),
        (replace(FUNDING, amount=Decimal("10000000000.00")), "AMOUNT_ABOVE_RAIL_MAXIMUM"),
        (replace(FUNDING, currency="GBP"), "CURRENCY_NOT_ON_RAIL"),
        (replace(FUNDING, currency="XQX"), "CURRENCY_UNKNOWN"),
        (replace(FUNDING, execution_date=date(2026, 11, 22)), "EXECUTION_DATE_PAST"),
        (replace(FUNDING, charge_bearer="SLEV"), "CHARGE_BEARER"),
        (replace(FUNDING, charge_bearer="CRED"), "CHARGES_SHORTEN_FUNDING"),
        (replace(FUNDING, purpose="x"), "PURPOSE_CODE"),
        (replace(FUNDING, initiating_party_lei="5493001KJTIIGC8Y1R13"), "LEI_INVALID"),
        (replace(FUNDING, remittance="x" * 141), "REMITTANCE_TOO_LONG"),
        (replace(FUNDING, remittance="a\nb"), "TEXT_CONTROL_CHARACTER"),
        (replace(FUNDING, remittance="привет"), "TEXT_NOT_LATIN"),
        (replace(FUNDING, creditor_reference="RF19539007547034"), "CREDITOR_REFERENCE_INVALID"),
        (creditor(name=""), "NAME_MISSING"),
        (creditor(name="x" * 141), "NAME_TOO_LONG"),
        (creditor(number=None), "ACCOUNT_MISSING"),
        (creditor(number="0123456789"), "ACCOUNTS_EQUAL"),
        (creditor(number=None, iban="GB30NWBK60161331926819"), "IBAN_INVALID"),
        (creditor(number=None, iban="gb29nwbk60161331926819"), "IBAN_INVALID"),
        (creditor(number=None, iban="GB29NWBK60161331926819"), "IBAN_BIC_COUNTRY"),
        (agent(), "AGENT_MISSING"),
        (agent(bic="1234DEFF"), "BIC_INVALID"),
        (agent(bic="CHASUS30"), "BIC_TEST"),
        (agent(bic="CHASUS31"), "BIC_PASSIVE"),
        (agent(clearing_system="USABA", clearing_member="021000022"), "CLEARING_MEMBER_INVALID"),
        (agent(clearing_system="GBDSC", clearing_member="12345"), "CLEARING_MEMBER_INVALID"),
        (agent(clearing_system="INFSC", clearing_member="HDFC1000060"), "CLEARING_MEMBER_INVALID"),
        (agent(clearing_system="XXXXX", clearing_member="1"), "CLEARING_SYSTEM_UNKNOWN"),
        (address(country=""), "ADDRESS_COUNTRY_REQUIRED"),
        (address(country="XX"), "ADDRESS_COUNTRY_UNKNOWN"),
        (address(lines=("a", "b", "c")), "ADDRESS_LINES_TOO_MANY"),
        (address(lines=("x" * 71,)), "ADDRESS_LINE_LENGTH"),
        (address(lines=("1 Street, LONDON",)), "ADDRESS_REPEATED"),
        (address(post_code="x" * 17), "ADDRESS_FIELD_TOO_LONG"),
    ],
)  # fmt: skip
def test_each_mistake_is_named(instruction: PaymentInstruction, code: str) -> None:
    assert codes(instruction) == [code]


def test_an_unstructured_address_is_refused_and_no_town_is_invented() -> None:
    assert codes(address(town="")) == ["ADDRESS_UNSTRUCTURED", "ADDRESS_TOWN_REQUIRED"]


@pytest.mark.parametrize("rail", ["CHAPS", "T2", "SWIFT_GPI"])
def test_some_rails_need_the_receivers_town(rail: str) -> None:
    good = EXAMPLES[rail]
    bare = replace(good, creditor=replace(good.creditor, address=None))
    assert codes(bare, rail) == ["ADDRESS_TOWN_REQUIRED"]


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"amount": Decimal("1000000000.00")}, "AMOUNT_ABOVE_RAIL_MAXIMUM"),
        ({"charge_bearer": "SHAR"}, "CHARGE_BEARER"),
        ({"service_level": "URGP"}, "SERVICE_LEVEL"),
        ({"local_instrument": "INST"}, "LOCAL_INSTRUMENT"),
        ({"creditor": replace(DUTCH, iban=None, number="1")}, "IBAN_MISSING"),
        ({"creditor": replace(DUTCH, name="x" * 71)}, "NAME_TOO_LONG"),
        ({"creditor": replace(DUTCH, iban="CH9300762011623852957")}, "ADDRESS_TOWN_REQUIRED"),
        ({"creditor": replace(DUTCH, iban="AE070331234567890123456")}, "IBAN_NOT_IN_SEPA"),
        ({"creditor_reference": "RF18539007547034"}, "REMITTANCE_TWICE"),
        ({"debtor_agent": Agent()}, "AGENT_MISSING"),
    ],
)
def test_a_euro_transfer_has_rules_of_its_own(change: dict[str, Any], code: str) -> None:
    assert code in codes(replace(SEPA, **change), "SEPA_SCT")


def test_dirhams_need_a_purpose_of_the_central_bank() -> None:
    assert codes(replace(EMIRATES, purpose="SUPP"), "UAEFTS") == ["PURPOSE_TTC_REQUIRED"]
    assert "<Purp><Prtry>FIS</Prtry></Purp>" in write_pain001([EMIRATES]).decode()


def test_rupees_need_the_branch_and_an_account_number() -> None:
    elsewhere = replace(INDIA, creditor_agent=Agent(bic="HDFCINBBXXX"))
    assert codes(elsewhere, "NEFT") == ["IFSC_REQUIRED"]
    assert codes(replace(INDIA, amount=Decimal(199_999)), "NEFT") == []
    assert codes(replace(INDIA, amount=Decimal(199_999)), "RTGS_IN") == [
        "AMOUNT_BELOW_RAIL_MINIMUM"
    ]


def test_the_rails_own_day_decides_what_is_past() -> None:
    late = datetime(2026, 11, 24, 1, 0, tzinfo=UTC)
    assert codes(replace(FUNDING, created_at=late)) == []
    assert codes(replace(INDIA, created_at=late), "NEFT") == ["EXECUTION_DATE_PAST"]


def test_an_unknown_rail_is_refused() -> None:
    assert codes(FUNDING, "PIGEON") == ["RAIL_UNKNOWN"]


def test_all_mistakes_are_listed_at_once() -> None:
    assert set(codes(replace(FUNDING, uetr=None, message_id="", amount=Decimal(0)))) == {
        "UETR_MISSING", "REFERENCE_MISSING", "AMOUNT_NOT_POSITIVE",
    }  # fmt: skip
