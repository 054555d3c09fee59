"""Typed policies: defined in code with a default and bounds, changed per tenant, read hot.

A policy is read from the database where it is used, in the reader's own transaction: a change is
in force for every process with the next transaction, without restart.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import time
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar, Final, Generic, TypeVar

from django.db import connection

from core import clock
from core.changes.models import ChangeRequest
from core.changes.services import write_or_propose
from core.errors import Invalid, NotFound
from core.events.bus import Event, publish
from core.identity.models import User
from core.policies.models import PolicyVersion
from core.tenancy.context import current_tenant_id, once_per_transaction, read_anew

Value = TypeVar("Value", Decimal, int, bool, str, time)


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy(Generic[Value]):
    """One knob: stable key, type by its default, bounds, and a sentence for people.

    `check` looks at what bounds cannot say, and raises Invalid.
    """

    key: str
    default: Value
    help: str
    minimum: Value | None = None
    maximum: Value | None = None
    choices: tuple[Value, ...] = ()
    check: Callable[[Value], object] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyChanged(Event):
    """A policy has a new value; every process reads it from now on."""

    topic: ClassVar[str] = "orch_config_updates"
    key: str
    policy_version: int
    old: Any
    new: Any
    reason: str

    def aggregate(self) -> str:
        """Order changes per policy."""
        return f"policy:{self.key}"


_defined: dict[str, Policy[Any]] = {}
_VALUES: Final = "policies"
_ABSENT: Final = object()


def define(key: str, default: Value, *, help: str, **bounds: Any) -> Policy[Value]:  # noqa: A002
    """Define a policy once, at import time of its room.

    Raises:
        ValueError: the key is taken.
    """
    if key in _defined:
        raise ValueError(f"Policy {key} is defined twice.")
    policy = Policy(key=key, default=default, help=help, **bounds)
    _defined[key] = policy
    return policy


def defined() -> dict[str, Policy[Any]]:
    """Return all policies by key."""
    return dict(sorted(_defined.items()))


def named(key: str) -> Policy[Any]:
    """Return the policy of that key.

    Raises:
        NotFound: no code defines it.
    """
    if key not in _defined:
        raise NotFound(f"There is no policy {key}.", field="key")
    return _defined[key]


_PARSERS: dict[type, Callable[[Any], Any]] = {
    Decimal: lambda raw: Decimal(str(raw)),
    int: lambda raw: int(str(raw)),
    bool: lambda raw: {"true": True, "false": False}[str(raw).lower()],
    str: str,
    time: lambda raw: time.fromisoformat(str(raw)),
}


def parse(policy: Policy[Value], raw: Any) -> Value:
    """Read a raw value as this policy's type and check its bounds.

    Raises:
        Invalid: wrong type or out of bounds.
    """
    kind: type = type(policy.default)
    try:
        value: Value = _PARSERS[kind](raw)
    except (InvalidOperation, ValueError, KeyError) as error:
        raise Invalid(
            f"{policy.key}: {raw!r} is not a {kind.__name__}.", field=policy.key
        ) from error
    plain: Any = value
    if isinstance(plain, Decimal) and not plain.is_finite():
        raise Invalid(f"{policy.key} takes a finite number.", field=policy.key)
    _check_bounds(policy, value)
    if policy.check is not None:
        policy.check(value)
    return value


def _check_bounds(policy: Policy[Any], value: Any) -> None:
    if policy.minimum is not None and value < policy.minimum:
        raise Invalid(f"{policy.key} is at least {policy.minimum}.", field=policy.key)
    if policy.maximum is not None and value > policy.maximum:
        raise Invalid(f"{policy.key} is at most {policy.maximum}.", field=policy.key)
    if policy.choices and value not in policy.choices:
        allowed = ", ".join(map(str, policy.choices))
        raise Invalid(f"{policy.key} is one of: {allowed}.", field=policy.key)


def get(policy: Policy[Value]) -> Value:
    """Return the bound tenant's value, or the default; one transaction reads all of them once."""
    latest = once_per_transaction(_VALUES, _values).get(policy.key, _ABSENT)
    return policy.default if latest is _ABSENT else parse(policy, latest)


def _values() -> dict[str, Any]:
    """Return the newest value of every policy that the tenant ever changed."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT ON (key) key, value FROM core_policyversion ORDER BY key, version DESC"
        )
        return {key: json.loads(value) for key, value in cursor.fetchall()}


def forget_values(**_facts: Any) -> None:
    """Read policies anew in a transaction that wrote one."""
    read_anew(_VALUES)


def change(
    *, policy: Policy[Value], value: Any, actor: User | None, reason: str
) -> PolicyVersion | ChangeRequest:
    """Give a policy a new value for the bound tenant; in an opened tenant propose to.

    Raises:
        Invalid: the value does not fit, or no reason is given.
        NothingChanges, ChangeRoleMissing: the proposal is refused.
    """
    return write_or_propose(
        run=lambda: write_version(policy=policy, value=value, actor=actor, reason=reason),
        maker=actor,
        reason=reason,
    )


def write_version(
    *, policy: Policy[Value], value: Any, actor: User | None, reason: str
) -> PolicyVersion:
    """Write a policy's next version and announce it on `orch_config_updates`.

    In an opened tenant the database takes it in a draft or an approved change only.

    Raises:
        Invalid: the value does not fit, or no reason is given.
    """
    if not reason.strip():
        raise Invalid("Say why the policy changes.", field="reason")
    parsed = parse(policy, value)
    # Two changes at once: the unique version lets one of them in, the other one is told to retry.
    latest = PolicyVersion.objects.filter(key=policy.key).order_by("-version").first()
    row = PolicyVersion.objects.create(
        tenant_id=current_tenant_id(),
        key=policy.key,
        version=latest.version + 1 if latest else 1,
        value=str(parsed),
        reason=reason,
        changed_by=actor,
        changed_at=clock.now(),
    )
    announce(row)
    return row


def announce(row: PolicyVersion) -> None:
    """Tell every process that a policy has a new value."""
    policy = named(row.key)
    before = PolicyVersion.objects.filter(key=row.key, version__lt=row.version)
    old = before.order_by("-version").first()
    publish(
        PolicyChanged(
            key=row.key,
            policy_version=row.version,
            old=str(parse(policy, old.value) if old else policy.default),
            new=str(parse(policy, row.value)),
            reason=row.reason,
        )
    )
