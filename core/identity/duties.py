"""Segregation of duties: which roles one person must not hold together.

The matrix is that of treasury controls, with its functions mapped onto our roles:

| function of the matrix | our role |
|---|---|
| maker | treasury_maker |
| checker | treasury_checker and treasury_manager (the senior checker) |
| trader | dealer |
| confirmation and settlement | back_office |
| reconciliation | recon_analyst |
| maker of static data | static_data (checkers of static data are treasury checkers) |
| limits and risk | risk_officer |
| system administration | tenant_admin |
| auditor | auditor |

`integration` is for service accounts and holds no function of the matrix. Only the role conflicts
(XX) are here; what one person must not do on the same item (X) is refused where items are decided.
A person is a person number: the roles of all active logins with the same number count together.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from typing import Any, Final

from django.contrib.auth.models import Group
from django.db import IntegrityError, transaction
from django.db.models import Q

from core.errors import DomainError, Forbidden, Invalid
from core.identity import roles as names
from core.identity.models import User

_TREASURY: Final = (
    names.TREASURY_MAKER, names.TREASURY_CHECKER, names.TREASURY_MANAGER, names.DEALER,
    names.BACK_OFFICE, names.RECON_ANALYST, names.RISK_OFFICER, names.STATIC_DATA,
)  # fmt: skip

CONFLICTS: Final[frozenset[frozenset[str]]] = frozenset(
    [
        *(frozenset({one, names.AUDITOR}) for one in (*_TREASURY, names.TENANT_ADMIN)),
        *(frozenset({one, names.TENANT_ADMIN}) for one in _TREASURY),
        *(
            frozenset({one, names.RISK_OFFICER})
            for one in (
                names.TREASURY_MAKER, names.TREASURY_CHECKER, names.TREASURY_MANAGER,
                names.DEALER, names.BACK_OFFICE,
            )
        ),
        *(
            frozenset({one, names.DEALER})
            for one in (names.BACK_OFFICE, names.RECON_ANALYST, names.STATIC_DATA)
        ),
        frozenset({names.RECON_ANALYST, names.STATIC_DATA}),
    ]
)  # fmt: skip


CONSTRAINT: Final = "segregation_of_duties"


class DutiesConflict(DomainError):
    """One person would hold two roles that must be in two hands."""

    code = "duties_conflict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """Two roles in one hand."""

    person_number: str
    people: tuple[str, ...]
    roles: tuple[str, str]

    def as_json(self) -> dict[str, Any]:
        """Return it for machines."""
        return {
            "person_number": self.person_number,
            "people": list(self.people),
            "roles": list(self.roles),
        }


def conflicts_among(roles: Iterable[str]) -> list[tuple[str, str]]:
    """Return the pairs of `roles` that one person must not hold."""
    return [
        (one, other)
        for one, other in combinations(sorted(set(roles)), 2)
        if frozenset({one, other}) in CONFLICTS
    ]


def roles_of_person(person_number: str, *, besides: User | None = None) -> set[str]:
    """Return the roles of all active logins of one person, without those of one login."""
    found = Group.objects.filter(
        user__person_number=person_number, user__is_active=True, user__is_service=False
    )
    if besides is not None:
        found = Group.objects.filter(
            Q(user__person_number=person_number, user__is_active=True, user__is_service=False)
            & ~Q(user__pk=besides.pk)
        )
    return set(found.values_list("name", flat=True))


def require_no_conflict(*, user: User, roles: Iterable[str]) -> None:
    """Refuse roles that the person, with every login of theirs, must not hold together.

    Raises:
        DutiesConflict: names the two roles.
    """
    if user.is_service:
        return
    held = set(roles) | roles_of_person(user.person_number, besides=user)
    found = conflicts_among(held)
    if found:
        one, other = found[0]
        raise DutiesConflict(
            f"One person must not be {_words(one)} and {_words(other)}.", roles=[one, other]
        )


def assign_roles(*, user: User, roles: Iterable[str], actor: User) -> None:
    """Give `user` exactly these roles.

    Raises:
        DutiesConflict: two of the person's roles must be in two hands.
        Forbidden: the actor administers nothing, or would change their own roles.
        Invalid: an unknown role.
    """
    wanted = set(roles)
    if not actor.has_role(names.TENANT_ADMIN):
        raise Forbidden("Only a tenant administrator gives and takes roles.")
    if actor.person_number == user.person_number:
        raise Forbidden("Nobody changes their own roles.")
    unknown = wanted - set(names.ALL)
    if unknown:
        raise Invalid(f"Unknown role: {', '.join(sorted(unknown))}.", field="roles")
    require_no_conflict(user=user, roles=wanted)
    with conflicts_in_words(user=user):
        user.groups.set(Group.objects.filter(name__in=wanted))


def switch_on(*, user: User, actor: User) -> None:
    """Let somebody in again, with the roles that they had.

    Raises:
        DutiesConflict: another login of the person got a role meanwhile that does not go with one.
        Forbidden: the actor administers nothing.
    """
    if not actor.has_role(names.TENANT_ADMIN):
        raise Forbidden("Only a tenant administrator switches people on.")
    user.is_active = True
    with conflicts_in_words(user=user):
        user.save(update_fields=["is_active"])


@contextmanager
def conflicts_in_words(*, user: User) -> Iterator[None]:
    """Say in words when the database finds roles of `user` that must be in two hands.

    Raises:
        DutiesConflict: in the place of the database's own error; nothing was written.
    """
    try:
        with transaction.atomic():
            yield
    except IntegrityError as error:
        said = getattr(error.__cause__, "diag", None)
        if said is None or said.constraint_name != CONSTRAINT:
            raise
        words = _words(str(said.message_primary))
        raise DutiesConflict(f"{user.display_name}: {words}.") from error


def present_conflicts() -> list[Conflict]:
    """Return every conflict that stands in the bound tenant; there should be none."""
    people: dict[str, dict[str, set[str]]] = {}
    active = User.objects.filter(is_active=True, is_service=False).prefetch_related("groups")
    for user in active:
        logins = people.setdefault(user.person_number, {})
        logins[user.username] = {group.name for group in user.groups.all()}
    return [
        Conflict(person_number=number, people=tuple(sorted(logins)), roles=pair)
        for number, logins in sorted(people.items())
        for pair in conflicts_among(set().union(*logins.values()))
    ]


def _words(role: str) -> str:
    return role.replace("_", " ")
