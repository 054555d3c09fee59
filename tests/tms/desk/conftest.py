"""Clients that are signed in without the slow password step."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client

from core.identity.models import User
from core.identity.views import BACKEND
from core.middleware import TENANT_SESSION_KEY

SignedIn = Callable[[User], Client]


@pytest.fixture
def signed_in(db: None) -> SignedIn:
    """Return a client whose session belongs to the given user and tenant."""

    def enter(user: User) -> Client:
        client = Client()
        client.force_login(user, backend=BACKEND)
        session = client.session
        session[TENANT_SESSION_KEY] = str(user.tenant_id)
        session.save()
        client.cookies[settings.SESSION_COOKIE_NAME] = session.session_key
        return client

    return enter
