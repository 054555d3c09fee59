"""What the ground floor puts under four eyes: people, their roles, and policies."""

from collections.abc import Iterable

from django.contrib.auth.models import Group
from django.db import models

from core import policies
from core.changes.models import ChangeRequest, Control
from core.changes.registry import Hooks, Preview, Values, govern, policy_preview
from core.changes.selectors import acting
from core.errors import Invalid
from core.identity import roles
from core.identity.models import User
from core.policies.models import PolicyVersion

GUARDS = frozenset(
    {
        "core_changerequest.guard_change",
        "core_changerequest.guard_delete",
        "core_changedraft.never_lasts",
        "core_tenant.guard_tenant",
        "core_user.governed",
        "core_user_groups.governed",
        "core_user_user_permissions.governed",
        "core_policyversion.governed",
    }
)
MEMBERSHIP = User.groups.through


def people_of(change: ChangeRequest) -> Iterable[User]:
    """Return the people whose rights would change: nobody approves their own."""
    ids = set()
    for entry in change.rows:
        if entry["table"] == User._meta.db_table:
            ids.add(entry["id"])
        elif entry["table"] == MEMBERSHIP._meta.db_table:
            ids.add({**entry["before"], **entry["after"]}["user_id"])
    return User.objects.filter(pk__in=ids)


def write_person(row: models.Model | None, values: Values) -> models.Model:
    """Switch a person on or off, or give them exactly these roles.

    Raises:
        Invalid: a new person, or an unknown role.
    """
    if not isinstance(row, User):
        raise Invalid("People are entered by the tenant's provisioning.", field="model")
    if "is_active" in values:
        row.is_active = str(values["is_active"]).lower() in ("true", "1", "on", "yes")
        row.save(update_fields=["is_active"])
    if "roles" in values:
        given = values["roles"]
        wanted = set(given.replace(",", " ").split() if isinstance(given, str) else given)
        unknown = wanted - set(roles.ALL)
        if unknown:
            raise Invalid(f"Unknown role: {', '.join(sorted(unknown))}.", field="roles")
        row.groups.set(Group.objects.filter(name__in=wanted))
    return row


def write_policy(row: models.Model | None, values: Values) -> models.Model:
    """Write the next version of a policy.

    Raises:
        Invalid: an old version, or a value that does not fit.
        NotFound: no code defines the policy.
    """
    if row is not None:
        raise Invalid("A policy gets a new version; old ones stay.", field="row")
    return policies.write_version(
        policy=policies.named(str(values.get("key", ""))),
        value=values.get("value"),
        actor=acting(),
        reason=str(values.get("reason") or "Proposed as a change request."),
    )


def announce_policy(row: models.Model) -> None:
    """Announce a policy in force."""
    if isinstance(row, PolicyVersion):
        policies.announce(row)


def membership_name(columns: Values) -> str:
    """Call a membership by its person and role."""
    person = User.objects.filter(pk=columns["user_id"]).first()
    role = Group.objects.filter(pk=columns["group_id"]).first()
    return f"{person or columns['user_id']} as {role or columns['group_id']}"


def preview_of_policy(change: ChangeRequest) -> Preview | None:
    """Replay a policy's change, where the room that defines the policy can."""
    for entry in change.rows:
        preview = policy_preview(str(entry["after"].get("key", "")))
        if preview is not None:
            return preview(change)
    return None


def govern_the_ground() -> None:
    """Name what the ground floor governs."""
    people = Hooks(parties=people_of, write=write_person)
    govern(
        User,
        fields=("is_active", "roles"),
        action=Control.CONTROL,
        label="person",
        known_by="username",
        hooks=people,
    )
    govern(
        MEMBERSHIP,
        action=Control.CONTROL,
        label="role",
        hooks=Hooks(parties=people_of, name=membership_name),
    )
    govern(
        User.user_permissions.through,
        action=Control.CONTROL,
        label="permission",
        hooks=Hooks(parties=people_of),
    )
    govern(
        PolicyVersion,
        fields=("key", "value", "reason"),
        action=Control.CONTROL,
        label="policy",
        hooks=Hooks(write=write_policy, applied=announce_policy, preview=preview_of_policy),
    )
