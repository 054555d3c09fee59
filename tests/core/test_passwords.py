"""Passwords that an operator gives, and words of the house that are none."""

import io
import re
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.urls import reverse

from core.audit.models import AuditEntry
from core.errors import Invalid
from core.identity import passwords
from core.identity.models import User
from core.tenancy import Tenant
from tests.conftest import PASSWORD, MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import client_of

FRESH = "violet umbrella on the ferry"


@scene
def anna(user_with: MakeUser) -> User:
    return user_with("treasury_maker", name="anna-lindqvist", password=PASSWORD)


def _run(monkeypatch: pytest.MonkeyPatch, typed: str = FRESH, **more: Any) -> str:
    monkeypatch.setattr("sys.stdin", io.StringIO(f"{typed}\n"))
    out = io.StringIO()
    given = {"tenant": "north", "person": "anna-lindqvist", "reason": "forgotten", **more}
    call_command("set_password", stdout=out, **given)
    return out.getvalue()


def test_an_operator_sets_a_password_from_the_standard_input(
    anna: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = client_of(anna)
    assert client.get(reverse("desk")).status_code == 200
    before = anna.generation
    assert FRESH not in _run(monkeypatch)
    anna.refresh_from_db()
    assert anna.check_password(FRESH)
    assert anna.generation == before + 1
    assert client.get(reverse("desk")).status_code == 302
    entry = AuditEntry.objects.filter(table_name="core_user", row_id=str(anna.pk)).latest("id")
    assert (entry.actor, entry.reason) == ("system:operator", "set_password: forgotten")
    assert FRESH not in str(entry.after)


def test_a_made_password_is_shown_once(anna: User, monkeypatch: pytest.MonkeyPatch) -> None:
    made = _run(monkeypatch, make=True).splitlines()[-1]
    anna.refresh_from_db()
    assert re.fullmatch(r"[\w-]{24}", made)
    assert anna.check_password(made)


@pytest.mark.parametrize(
    ("typed", "more", "words"),
    [
        ("short", {}, "too short"),
        (FRESH, {"person": "nobody"}, "no such person"),
        (FRESH, {"tenant": "south"}, "no such person"),
        (FRESH, {"reason": " "}, "Say why"),
    ],
)
def test_nothing_changes_when_it_is_refused(
    anna: User, monkeypatch: pytest.MonkeyPatch, typed: str, more: dict[str, str], words: str
) -> None:
    with pytest.raises(CommandError, match=words):
        _run(monkeypatch, typed, **more)
    anna.refresh_from_db()
    assert anna.check_password(PASSWORD)


@pytest.mark.parametrize(
    "password",
    [
        "anna-lindqvist-2026",
        "AnnaLindqvist2026!!",
        "lindqvist.north.remit",
        "NorthRemit-NorthRemit",
        "treasury-payment-tms",
        "My-Treasury-2026-2027",
    ],
)
def test_words_of_the_house_are_no_password(anna: User, password: str) -> None:
    with pytest.raises(Invalid, match="made of names"):
        passwords.set_password(user=anna, password=password)


@pytest.mark.parametrize("password", [FRESH, PASSWORD, "anna sails past seven lighthouses"])
def test_a_good_password_may_contain_a_name(anna: User, tenant: Tenant, password: str) -> None:
    """The negative control: only what hardly consists of anything else is refused."""
    passwords.set_password(user=anna, password=password)
    assert anna.check_password(password)
