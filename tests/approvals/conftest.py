"""Fixtures of the approvals room."""

from collections.abc import Iterator

import pytest

from approvals import services
from core.identity.models import User
from core.tenancy import Tenant
from tests.approvals.factories import Subject, registered_subject
from tests.conftest import MakeUser


@pytest.fixture
def subject() -> Iterator[Subject]:
    with registered_subject() as made:
        yield made


@pytest.fixture
def desk(tenant: Tenant, subject: Subject, maker: User, checker: User, checker2: User) -> Subject:
    """A tenant with the house rules, a maker and two checkers."""
    services.install_default_rules()
    return subject


@pytest.fixture
def manager(user_with: MakeUser) -> User:
    return user_with("treasury_manager", name="manager")
