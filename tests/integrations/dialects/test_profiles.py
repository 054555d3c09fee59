"""A bank's dialect is data: kept as JSON, understood key by key, in force for its connection."""

from typing import Any

import pytest
from django.core.exceptions import ValidationError
from django.db import IntegrityError, connection, transaction

from core.tenancy import Tenant
from integrations import selectors, services
from integrations.changes import write_connection, write_profile
from integrations.codecs.records import ParsedMessage
from integrations.dialects.checks import explained, help_on, register_check
from integrations.dialects.errors import ProfileInvalid
from integrations.dialects.reading import PLAIN, DetailsStyle, Intraday, Reversals, parse_dialect
from integrations.errors import ProfileUnknown
from integrations.models import BankConnection, BankProfile
from tests.integrations.room.conftest import http_line

REVERSED = (
    b":20:R1\r\n:25:12345678\r\n:28C:1/1\r\n:60F:C261101EUR100,00\r\n"
    b":61:2611011101RC25,00NTRFNONREF\r\n:62F:C261101EUR75,00\r\n-\r\n"
)


@pytest.fixture
def line(tenant: Tenant) -> BankConnection:
    return services.save_connection(wish=http_line("https://bank.example"))


def _profile(**reading: Any) -> BankProfile:
    wish = services.ProfileIn(code="house", name="House bank", reading=reading)
    return services.save_profile(wish=wish)


def test_an_empty_profile_follows_the_standards() -> None:
    assert parse_dialect({}) == PLAIN


def test_every_key_has_its_word_of_help() -> None:
    assert {one.key for one in help_on("reading")} >= {"mt_details", "intraday", "accounts"}


def test_a_dialect_is_read_key_by_key() -> None:
    dialect = parse_dialect(
        {
            "mt_details": "tags",
            "mt_reversals": "own",
            "intraday": "delta",
            "credit_lines": {"USD": "50000.00"},
            "accounts": {"MAIN": "DE89370400440532013000"},
        }
    )
    assert dialect.mt_details is DetailsStyle.TAGS
    assert dialect.mt_reversals is Reversals.OWN
    assert dialect.intraday is Intraday.DELTA
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


def test_a_connection_takes_no_profile_that_is_unknown_or_out_of_use(line: BankConnection) -> None:
    with pytest.raises(ProfileUnknown):
        services.use_profile(connection_code=line.code, profile_code="house")
    services.save_profile(wish=services.ProfileIn(code="house", name="House", is_active=False))
    with pytest.raises(ProfileUnknown):
        services.use_profile(connection_code=line.code, profile_code="house")


def test_changes_name_profiles_by_their_code(line: BankConnection) -> None:
    made = write_profile(
        None, {"code": "house", "name": "House", "reading": '{"intraday": "delta"}'}
    )
    assert isinstance(made, BankProfile)
    assert made.reading == {"intraday": "delta"}
    write_connection(line, {"profile": "house"})
    line.refresh_from_db()
    assert line.profile == made
    write_connection(line, {"name": "Another name"})
    line.refresh_from_db()
    assert line.profile == made
    write_connection(line, {"profile": ""})
    line.refresh_from_db()
    assert line.profile is None
