"""Calendars and rails installed for the bound tenant, and people who look after them."""

from typing import Any

from calendars import services
from calendars.models import RailWindowOverride
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.conftest import make_user
from tests.scenes import scene


@scene
def installed(tenant: Tenant) -> Tenant:
    """The bound tenant with reference calendars 2026-2028 and every rail of the book."""
    services.install_reference_calendars(years=(2026, 2027, 2028))
    services.install_rails()
    return tenant


@scene
def keeper(tenant: Tenant) -> User:
    return make_user("keeper", "static_data")


@scene
def second_keeper(tenant: Tenant) -> User:
    return make_user("second-keeper", "static_data")


def override(asked: services.OverrideRequest, keeper: User) -> RailWindowOverride:
    """Enter an override as the keeper."""
    with bound(str(keeper.tenant_id), actor=keeper.pk):
        return services.override_window(request=asked, actor=keeper)


def approve(entered: RailWindowOverride, keeper: User) -> Any:
    """Approve an override as the keeper."""
    with bound(str(keeper.tenant_id), actor=keeper.pk):
        return services.approve_override(override_id=entered.pk, actor=keeper)
