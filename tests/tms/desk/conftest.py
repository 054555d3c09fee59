"""Clients that are signed in without the slow password step, and a treasury to look at."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client

from core.identity.models import User
from core.identity.views import BACKEND
from core.middleware import TENANT_SESSION_KEY
from core.tenancy import Tenant, bound
from tests.conftest import make_user
from tests.scenes import scene
from tests.treasury.movement.conftest import NEAR_YEARS, House, at_work, build_house

__all__ = ["at_work"]

SignedIn = Callable[[User], Client]


def client_of(user: User) -> Client:
    """Return a client whose session belongs to the user and the user's tenant."""
    client = Client()
    with bound(user.tenant_id, actor="system:test"):
        client.force_login(user, backend=BACKEND)
    session = client.session
    session[TENANT_SESSION_KEY] = str(user.tenant_id)
    session.save()
    client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
    return client


@pytest.fixture
def signed_in(db: None) -> SignedIn:
    return client_of


@scene
def house(tenant: Tenant, at_work: object, tmp_path: Path, checker: User, checker2: User) -> House:
    """Accounts with money, rails, rates, rules and two checkers, on a Tuesday morning."""
    return build_house(tmp_path, years=NEAR_YEARS)


@pytest.fixture
def stranger(other_tenant: Tenant) -> Client:
    """A manager of another tenant, signed in there."""
    with bound(other_tenant.id, actor="system:test"):
        manager = make_user("stranger", "treasury_manager", "treasury_checker")
    return client_of(manager)
