"""What every policy says now, since when, and what it said before."""

from collections import defaultdict
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from core.policies.models import PolicyVersion
from core.policies.registry import Policy, defined, parse


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """One policy with its value in force; `versions` are its changes, newest first."""

    policy: Policy[Any]
    value: Any
    versions: tuple[PolicyVersion, ...]

    @property
    def latest(self) -> PolicyVersion | None:
        """Return the change that brought the value; None while the default is in force."""
        return self.versions[0] if self.versions else None

    @property
    def bounds(self) -> str:
        """Say which values it takes."""
        policy = self.policy
        choices = ("true", "false") if isinstance(policy.default, bool) else policy.choices
        if choices:
            return ", ".join(readable(one) for one in choices)
        low, high = policy.minimum, policy.maximum
        if low is not None and high is not None:
            return f"{readable(low)} to {readable(high)}"
        if low is not None:
            return f"at least {readable(low)}"
        return "" if high is None else f"at most {readable(high)}"


def standings() -> list[Standing]:
    """Return all policies of the bound tenant by key."""
    versions: dict[str, list[PolicyVersion]] = defaultdict(list)
    for version in PolicyVersion.objects.select_related("changed_by").order_by("-version"):
        versions[version.key].append(version)
    return [
        Standing(
            policy=policy,
            value=parse(policy, versions[key][0].value) if key in versions else policy.default,
            versions=tuple(versions[key]) if key in versions else (),
        )
        for key, policy in defined().items()
    ]


def spoken(value: object) -> str:
    """Return a value as people enter it."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def readable(value: object) -> str:
    """Return a value as people read it, with thousands separated."""
    if isinstance(value, Decimal) or (isinstance(value, int) and not isinstance(value, bool)):
        return f"{value:,f}" if isinstance(value, Decimal) else f"{value:,}"
    return spoken(value)
