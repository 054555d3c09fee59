"""Create tenants and people, find a login, revoke."""

from dataclasses import dataclass
from uuid import UUID

from django.contrib.auth.models import Group
from django.db import connection

from core.errors import Invalid
from core.identity import roles as role_names
from core.identity.models import User
from core.tenancy import Tenant, bound, current_tenant_id


@dataclass(frozen=True, slots=True, kw_only=True)
class Login:
    """Where a sign-in name belongs."""

    tenant: UUID
    user: UUID


def find_login(username: str) -> Login | None:
    """Return the tenant and user behind a sign-in name, before any tenant is bound."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tenant_id, user_id FROM core_find_login(%s)", [username])
        row = cursor.fetchone()
    return Login(tenant=row[0], user=row[1]) if row else None


def create_tenant(*, slug: str, name: str, tenant_id: UUID | None = None) -> Tenant:
    """Create a tenant; its row is visible inside `bound(tenant.id)` only."""
    tenant = Tenant(slug=slug, name=name)
    if tenant_id:
        tenant.id = tenant_id
    with bound(tenant.id, actor="system:provisioning", reason="a new tenant"):
        tenant.save(force_insert=True)
    return tenant


def create_user(
    *,
    name: str,
    display_name: str,
    roles: tuple[str, ...],
    password: str | None,
    person_number: str,
    is_service: bool = False,
) -> User:
    """Create a user of the bound tenant with its roles.

    A person sets up an authenticator at the first sign-in, or is handed one: `step_up.hand_out`.
    Roles that one person must not hold together are refused by the database.

    Raises:
        Invalid: an unknown role.
    """
    unknown = set(roles) - set(role_names.ALL)
    if unknown:
        raise Invalid(f"Unknown role: {', '.join(sorted(unknown))}.", field="roles")
    slug = Tenant.objects.get(pk=current_tenant_id()).slug
    user = User.objects.create_user(
        f"{name}@{slug}",
        password,
        display_name=display_name,
        person_number=person_number,
        is_service=is_service,
        is_staff=not is_service,
    )
    user.groups.set(Group.objects.filter(name__in=roles))
    return user


def revoke_tokens(*, user: User) -> None:
    """Make every token issued to `user` so far worthless."""
    user.generation += 1
    user.save(update_fields=["generation"])
