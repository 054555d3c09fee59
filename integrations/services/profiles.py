"""Profiles: how each bank speaks."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction

from integrations import selectors
from integrations.dialects.checks import check_profile
from integrations.models import BankConnection, BankProfile


@dataclass(frozen=True, slots=True, kw_only=True)
class ProfileIn:
    """A profile as it shall be."""

    code: str
    name: str
    reading: Mapping[str, Any] = field(default_factory=dict)
    writing: Mapping[str, Any] = field(default_factory=dict)
    is_active: bool = True


@transaction.atomic
def save_profile(*, wish: ProfileIn) -> BankProfile:
    """Create the profile of this code, or bring it up to date.

    Raises:
        ProfileInvalid: a key is unknown or cannot be right.
    """
    check_profile({"reading": wish.reading, "writing": wish.writing})
    found = BankProfile.objects.select_for_update().filter(code=wish.code).first()
    profile = found or BankProfile(code=wish.code)
    profile.name = wish.name
    profile.reading = dict(wish.reading)
    profile.writing = dict(wish.writing)
    profile.is_active = wish.is_active
    profile.save()
    return profile


@transaction.atomic
def use_profile(*, connection_code: str, profile_code: str) -> BankConnection:
    """Let a connection speak as a profile says; an empty code follows the standards again.

    Raises:
        ConnectionUnknown: no active connection has this code.
        ProfileUnknown: no active profile has this code.
    """
    connection = selectors.connection_named(connection_code)
    connection.profile = selectors.profile_named(profile_code) if profile_code else None
    connection.save(update_fields=["profile"])
    return connection
