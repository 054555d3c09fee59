"""Tokens for machines: a code for people, one use for each refresh token, thieves found out."""

from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from django.conf import settings
from django.test import Client
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken

from core import clock
from core.identity import step_up
from core.identity.models import User
from core.identity.services import revoke_tokens
from core.identity.tokens import TokenFamily
from core.tenancy import bound
from tests.conftest import PASSWORD, make_user
from tests.core.test_step_up import SEED, code_now, wrong_code

PROBE = "/api/v1/duties/conflicts"


@pytest.fixture
def anna(committed_tenant: UUID) -> User:
    with bound(committed_tenant, actor="system:test"):
        made = make_user("anna", "auditor", password=PASSWORD)
        step_up.hand_out(user=made, secret=SEED)
        return made


@pytest.fixture
def robot(committed_tenant: UUID) -> User:
    with bound(committed_tenant, actor="system:test"):
        return make_user("robot", "auditor", password=PASSWORD, is_service=True)


def sign_in(name: str, **more: str) -> Any:
    body = {"username": f"{name}@north", "password": PASSWORD, **more}
    return Client().post("/api/v1/token", body, content_type="application/json")


def refresh(token: str) -> Any:
    body = {"refresh": token}
    return Client().post("/api/v1/token/refresh", body, content_type="application/json")


def probe(token: str) -> int:
    return int(Client(headers={"Authorization": f"Bearer {token}"}).get(PROBE).status_code)


def test_a_person_needs_a_code_for_a_token(anna: User) -> None:
    assert sign_in("anna").status_code == 401
    assert sign_in("anna", otp=wrong_code()).status_code == 401
    code = code_now()
    pair = sign_in("anna", otp=code)
    assert pair.status_code == 200
    assert probe(pair.json()["access"]) == 200
    assert sign_in("anna", otp=code).status_code == 401


def test_a_person_without_an_authenticator_gets_no_token(committed_tenant: UUID) -> None:
    with bound(committed_tenant, actor="system:test"):
        make_user("bella", "auditor", password=PASSWORD)
    assert sign_in("bella", otp="123456").status_code == 401


def test_a_token_says_for_whom_from_whom_and_until_when(robot: User) -> None:
    pair = sign_in("robot").json()
    for token in (AccessToken(pair["access"]), RefreshToken(pair["refresh"])):
        assert token["aud"] == settings.SIMPLE_JWT["AUDIENCE"]
        assert token["iss"] == settings.SIMPLE_JWT["ISSUER"]
        assert token["exp"] > token["iat"]


def test_a_refresh_token_is_exchanged_for_the_next(robot: User) -> None:
    token = sign_in("robot").json()["refresh"]
    for _ in range(3):
        pair = refresh(token)
        assert pair.status_code == 200
        assert pair.json()["refresh"] != token
        assert probe(pair.json()["access"]) == 200
        token = pair.json()["refresh"]


def test_a_spent_refresh_token_revokes_the_whole_family(robot: User) -> None:
    first = sign_in("robot").json()
    second = refresh(first["refresh"]).json()
    other = sign_in("robot").json()

    assert refresh(first["refresh"]).status_code == 401  # the copy comes back
    assert refresh(second["refresh"]).status_code == 401
    assert probe(second["access"]) == 401
    assert probe(first["access"]) == 401
    assert probe(other["access"]) == 200  # another sign-in is another family
    with bound(str(robot.tenant_id), actor="system:test"):
        assert TokenFamily.objects.exclude(revoked_because="").count() == 1


def test_revoking_ends_every_family(robot: User) -> None:
    pairs = [sign_in("robot").json() for _ in range(2)]
    with bound(str(robot.tenant_id), actor="system:test"):
        revoke_tokens(user=robot)
    for pair in pairs:
        assert refresh(pair["refresh"]).status_code == 401
        assert probe(pair["access"]) == 401


def test_a_disabled_account_refreshes_nothing(robot: User) -> None:
    pair = sign_in("robot").json()
    with bound(str(robot.tenant_id), actor="system:test"):
        User.objects.filter(pk=robot.pk).update(is_active=False)
    assert refresh(pair["refresh"]).status_code == 401


def test_an_access_token_refreshes_nothing(robot: User) -> None:
    assert refresh(sign_in("robot").json()["access"]).status_code == 401


@pytest.mark.parametrize(("name", "days"), [("robot", 89), ("anna", 0)])
def test_only_service_accounts_hold_tokens_for_long(
    anna: User, robot: User, name: str, days: int
) -> None:
    token = sign_in(name, otp=code_now()).json()["refresh"]
    later = clock.now() + timedelta(days=days, hours=11)
    with clock.frozen(later):
        pair = refresh(token)
        assert pair.status_code == 200
    with clock.frozen(later + timedelta(days=1)):
        assert refresh(pair.json()["refresh"]).status_code == 401
