"""People and service accounts. Each belongs to one tenant and signs in as `name@tenant`."""

from typing import ClassVar, Final

from django.contrib.auth.models import AbstractBaseUser, BaseUserManager, PermissionsMixin
from django.db import models
from django.db.models import Q

from core.tenancy.context import once_per_transaction, read_anew
from core.tenancy.models import TenantModel

_ROLES: Final = "roles"


class UserManager(BaseUserManager["User"]):
    """Creates users with a hashed password."""

    def create_user(self, username: str, password: str | None = None, **fields: object) -> "User":
        """Create a user of the bound tenant; `username` carries the tenant's slug after the @."""
        user = self.model(username=username.lower(), **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user


class User(TenantModel, AbstractBaseUser, PermissionsMixin):
    """A person or a service account.

    `person_number` is the identity number of the human being: two logins of one person carry the
    same number, and whoever is the same person counts as the same person. `generation` is raised
    to revoke every token issued so far.
    """

    username = models.CharField(
        max_length=120, unique=True, help_text="Sign-in name, like treasurer@example."
    )
    display_name = models.CharField(max_length=140)
    person_number = models.CharField(max_length=40)
    is_service = models.BooleanField(default=False)
    is_active = models.BooleanField(default=True)
    is_staff = models.BooleanField(default=False)
    generation = models.PositiveIntegerField(default=1)
    created_at = models.DateTimeField(auto_now_add=True)

    objects: ClassVar[UserManager] = UserManager()

    # Which second factor opened this request's session; the session knows it, no column does.
    second_factor: str = ""

    USERNAME_FIELD = "username"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["display_name"]

    class Meta:
        app_label = "core"
        ordering = ["username"]
        constraints = [
            models.CheckConstraint(
                name="user_name_carries_the_tenant",
                condition=Q(username__regex=r"^[a-z0-9._-]+@[a-z0-9-]+$"),
            ),
            models.CheckConstraint(name="user_has_a_person", condition=~Q(person_number="")),
        ]

    def __str__(self) -> str:
        return self.display_name or self.username

    def is_verified(self) -> bool:
        """Return whether this request's session was opened with a second factor."""
        return bool(self.second_factor)

    @property
    def roles(self) -> set[str]:
        """Return the names of this user's roles, as the present transaction first saw them."""
        known: dict[object, set[str]] = once_per_transaction(_ROLES, dict)
        if self.pk not in known:
            known[self.pk] = set(self.groups.values_list("name", flat=True))
        return set(known[self.pk])

    def has_role(self, *names: str) -> bool:
        """Return whether this user holds at least one of the roles."""
        return bool(self.roles.intersection(names))


def forget_roles(**_facts: object) -> None:
    """Read roles anew in a transaction that gave or took one."""
    read_anew(_ROLES)
