"""A bank's dialect is data: kept as JSON, understood key by key, in force for its connection."""

from datetime import date
from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from core.tenancy import Tenant
from integrations import selectors, services
from integrations.changes import write_connection, write_profile
from integrations.codecs.reading import read_message
from integrations.codecs.records import ParsedEntry, ParsedMessage
from integrations.dialects.checks import explained, help_on, register_check
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.reading import PLAIN, DetailsStyle, Reversals, Side, parse_dialect
from integrations.errors import ProfileUnknown
from integrations.models import BankConnection, BankProfile
from tests.integrations.room.conftest import http_line
from tests.scenes import scene

REVERSED = (
    b":20:R1\r\n:25:12345678\r\n:28C:1/1\r\n:60F:C261101EUR100,00\r\n"
    b":61:2611011101RC25,00NTRFNONREF\r\n:62F:C261101EUR75,00\r\n-\r\n"
)


@scene
def line(tenant: Tenant) -> BankConnection:
    return services.save_connection(wish=http_line("https://bank.example"))


def _profile(**reading: Any) -> BankProfile:
    wish = services.ProfileIn(code="house", name="House bank", reading=reading)
    return services.save_profile(wish=wish)


def test_an_empty_profile_follows_the_standards() -> None:
    assert parse_dialect({}) == PLAIN


def test_every_key_has_its_word_of_help() -> None:
    assert {one.key for one in help_on("reading")} >= {"mt_details", "bai2_types", "accounts"}


def test_a_dialect_is_read_key_by_key() -> None:
    dialect = parse_dialect(
        {
            "mt_details": "tags",
            "mt_reversals": "own",
            "bai2_types": {"799": "debit"},
            "credit_lines": {"USD": "50000.00"},
            "accounts": {"MAIN": "DE89370400440532013000"},
        }
    )
    assert dialect.mt_details is DetailsStyle.TAGS
    assert dialect.mt_reversals is Reversals.OWN
    assert dialect.bai2_types["799"] is Side.DEBIT
    assert dialect.accounts["MAIN"] == "DE89370400440532013000"
    assert str(dialect.credit_lines["USD"]) == "50000.00"


@pytest.mark.parametrize(
    ("raw", "key"),
    [
        ({"colour": "blue"}, "colour"),
        ({"mt_details": "french"}, "mt_details"),
        ({"mt_details": ["tags"]}, "mt_details"),
        ({"currency": "usd"}, "currency"),
        ({"credit_lines": {"USD": 50000}}, "credit_lines.USD"),
        ({"credit_lines": {"USD": "NaN"}}, "credit_lines.USD"),
        ({"credit_lines": {"dollars": "1"}}, "credit_lines.dollars"),
        ({"accounts": {"MAIN": ""}}, "accounts.MAIN"),
        ({"accounts": ["MAIN"]}, "accounts"),
        ({"encoding": "ebcdic"}, "encoding"),
    ],
)
def test_what_is_not_understood_is_refused_by_name(raw: dict[str, Any], key: str) -> None:
    with pytest.raises(ProfileInvalid) as refusal:
        parse_dialect(raw)
    assert refusal.value.context["field"] == key


def test_a_profile_that_is_not_understood_is_not_saved(tenant: Tenant) -> None:
    with pytest.raises(ProfileInvalid):
        _profile(colour="blue")
    assert not BankProfile.objects.exists()
    with pytest.raises(ValidationError):
        BankProfile(code="x", name="X", reading={"colour": "blue"}).full_clean()


def test_the_database_wants_objects_on_both_sides(tenant: Tenant) -> None:
    profile = _profile()
    with pytest.raises(IntegrityError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            "UPDATE integrations_bankprofile SET reading = '[]' WHERE id = %s", [profile.pk]
        )


def test_the_writing_side_is_looked_at_by_whoever_registers(tenant: Tenant) -> None:
    from integrations.dialects import checks

    def refuse(raw: object) -> None:
        raise ProfileInvalid("writing is refused.", field="writing")

    kept = dict(checks._sides)
    register_check("writing", refuse)
    try:
        with pytest.raises(ProfileInvalid):
            _profile()
    finally:
        checks._sides.clear()
        checks._sides.update(kept)


def test_a_profile_is_said_again_in_words() -> None:
    raw = {"mt_details": "tags", "credit_lines": {"USD": "5.00"}}
    rows = list(explained("reading", raw))
    assert [row[:2] for row in rows] == [("mt_details", "tags"), ("credit_lines.USD", "5.00")]
    assert all(row[2] for row in rows)


def test_a_message_is_read_in_the_dialect_of_its_connection(line: BankConnection) -> None:
    message = services.archive_inbound(connection_code=line.code, name="r.sta", data=REVERSED)
    plain = selectors.read_archived(message.pk)
    _profile(mt_reversals="own")
    services.use_profile(connection_code=line.code, profile_code="house")
    told = selectors.read_archived(message.pk)
    assert isinstance(plain, ParsedMessage)
    assert isinstance(told, ParsedMessage)
    assert str(plain.statements[0].entries[0].amount) == "-25.00"
    assert str(told.statements[0].entries[0].amount) == "25.00"


def _first_entry(*lines: str, **reading: Any) -> ParsedEntry:
    page = [":20:R1", ":25:12345678", ":28C:1/1", ":60F:C261101EUR100,00", *lines, "-"]
    found = read_message("\r\n".join(page).encode(), dialect=parse_dialect(reading))
    assert isinstance(found, ParsedMessage)
    return found.statements[0].entries[0]


def test_dates_may_have_another_order() -> None:
    line = ":61:0511261105C25,00NTRFNONREF"
    day_first = [":20:R1", ":25:1", ":60F:C011126EUR1,00", line.replace("1105", "0511")]
    found = read_message(
        "\r\n".join(day_first).encode(), dialect=parse_dialect({"mt_dates": "DMY"})
    )
    assert isinstance(found, ParsedMessage)
    entry = found.statements[0].entries[0]
    assert (entry.value_date, entry.booking_date) == (date(2026, 11, 5), date(2026, 11, 5))
    assert found.statements[0].balances[0].on == date(2026, 11, 1)


@pytest.mark.parametrize(
    ("style", "remittance"),
    [
        ("auto", "a/REMI/Rent"),
        ("tags", "Rent"),
        ("subfields", "a/REMI/Rent"),
        ("text", "a/REMI/Rent"),
    ],
)
def test_the_structure_of_field_86_may_be_named(style: str, remittance: str) -> None:
    lines = (":61:2611011101C25,00NTRFNONREF", ":86:a/REMI/Rent")
    assert _first_entry(*lines, mt_details=style).remittance == remittance


def test_plain_text_that_looks_like_subfields_stays_text() -> None:
    lines = (":61:2611011101C25,00NTRFNONREF", ":86:166?20EREF+7")
    assert _first_entry(*lines).end_to_end_id == "7"
    assert _first_entry(*lines, mt_details="text").end_to_end_id is None


@pytest.mark.parametrize(
    ("type_code", "narrative", "reason"),
    [
        ("NRTI", "back", "RTI"),
        ("NTRF", "159?00RETURN?34914?20EREF+7", "914"),
        ("NTRF", "109?00RETURN?20EREF+7", "109"),
        ("NTRF", "166?00PAYMENT?34914?20EREF+7", None),
        ("NRTI", "/RTRN/AC04/REMI/x", "AC04"),
    ],
)
def test_returns_are_told_by_their_codes(
    type_code: str, narrative: str, reason: str | None
) -> None:
    lines = (f":61:2611011101C25,00{type_code}NONREF", f":86:{narrative}")
    assert _first_entry(*lines).return_reason == reason


def test_what_an_intraday_report_leaves_out_is_said() -> None:
    report = ":20:R\r\n:25:1\r\n:34F:EUR1000,\r\n:13D:2611011200+0100\r\n"
    found = read_message(report.encode())
    assert isinstance(found, ParsedMessage)
    assert [one.code for one in found.findings] == ["floor_limit"]
    assert read_message(report.replace("1000,", "0,").encode()).findings == ()


def test_a_connection_takes_no_profile_that_is_unknown_or_out_of_use(line: BankConnection) -> None:
    with pytest.raises(ProfileUnknown):
        services.use_profile(connection_code=line.code, profile_code="house")
    services.save_profile(wish=services.ProfileIn(code="house", name="House", is_active=False))
    with pytest.raises(ProfileUnknown):
        services.use_profile(connection_code=line.code, profile_code="house")


def test_changes_name_profiles_by_their_code(line: BankConnection) -> None:
    made = write_profile(
        None, {"code": "house", "name": "House", "reading": '{"mt_details": "tags"}'}
    )
    assert isinstance(made, BankProfile)
    assert made.reading == {"mt_details": "tags"}
    write_connection(line, {"profile": "house"})
    line.refresh_from_db()
    assert line.profile == made
    write_connection(line, {"name": "Another name"})
    line.refresh_from_db()
    assert line.profile == made
    write_connection(line, {"profile": ""})
    line.refresh_from_db()
    assert line.profile is None
