"""Fixtures of the approvals room."""

from collections.abc import Iterator

import pytest

from approvals import services
from core.identity.models import User
from core.tenancy import Tenant
from tests.approvals.factories import Subject, registered_subject
from tests.conftest import make_user
from tests.scenes import scene


@pytest.fixture
def subject() -> Iterator[Subject]:
    with registered_subject() as made:
        yield made


@scene
def ruled(tenant: Tenant, maker: User, checker: User, checker2: User) -> None:
    """A tenant with the house rules, a maker and two checkers."""
    services.install_default_rules()


@pytest.fixture
def desk(ruled: None, subject: Subject) -> Subject:
    """What is decided about, where the house rules hold."""
    return subject


@scene
def manager(tenant: Tenant) -> User:
    return make_user("manager", "treasury_manager")
