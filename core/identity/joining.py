"""A new person joins: the account at once, the roles as soon as another person approved them."""

import re
from dataclasses import dataclass
from typing import Final

from django.db import transaction

from core.changes.models import ChangeRequest
from core.changes.services import write_or_propose
from core.errors import Forbidden, Invalid
from core.identity import duties
from core.identity import roles as names
from core.identity.models import User
from core.identity.services import create_user
from core.tenancy import Tenant, current_tenant_id

NAME: Final = re.compile(r"[a-z0-9._-]{1,60}", re.ASCII)
WORDS_CHARS_MAX: Final = 140
NUMBER_CHARS_MAX: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class PersonIn:
    """Who joins: the name before the @, as others see them, and their own identity number."""

    name: str
    display_name: str
    person_number: str
    roles: tuple[str, ...]
    is_service: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Joined:
    """The new account, and the change that gives it its roles when that waits for approval."""

    user: User
    change: ChangeRequest | None


@transaction.atomic
def add_person(*, person: PersonIn, actor: User, reason: str) -> Joined:
    """Create an account without a password, and give or propose its roles in the same step.

    Raises:
        Forbidden: the actor does not administer the tenant.
        Invalid: names the field that cannot be right.
        DutiesConflict: two of the person's roles must be in two hands.
        NobodyEligible: too few other people could approve the roles (from the approvals room).
    """
    if not actor.has_role(names.TENANT_ADMIN):
        raise Forbidden("Only a tenant administrator adds people.")
    _check(person)
    user = create_user(
        name=person.name,
        display_name=person.display_name.strip(),
        roles=(),
        password=None,
        person_number=person.person_number.strip(),
        is_service=person.is_service,
    )
    if not person.roles:
        return Joined(user=user, change=None)
    made = write_or_propose(
        run=lambda: duties.assign_roles(user=user, roles=person.roles, actor=actor),
        maker=actor,
        reason=reason,
    )
    return Joined(user=user, change=made if isinstance(made, ChangeRequest) else None)


def _check(person: PersonIn) -> None:
    if not NAME.fullmatch(person.name):
        raise Invalid("Small letters, digits, dot, dash and underscore only.", field="name")
    if not 0 < len(person.display_name.strip()) <= WORDS_CHARS_MAX:
        raise Invalid("Say how others call this person.", field="display_name")
    if not 0 < len(person.person_number.strip()) <= NUMBER_CHARS_MAX:
        raise Invalid("The number that stands for this human being.", field="person_number")
    unknown = set(person.roles) - set(names.ALL)
    if unknown:
        raise Invalid(f"Unknown role: {', '.join(sorted(unknown))}.", field="roles")
    slug = Tenant.objects.get(pk=current_tenant_id()).slug
    if User.objects.filter(username=f"{person.name}@{slug}").exists():
        raise Invalid("Somebody signs in with this name already.", field="name")
