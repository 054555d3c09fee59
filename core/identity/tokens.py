"""Families of refresh tokens: each token works once, and a copy gives itself away.

Whoever refreshes gets a new token of the same family; the one before is spent. When a spent token
comes back, one of two holders is a thief: the whole family is revoked, access tokens included.
"""

from datetime import timedelta
from typing import Final
from uuid import UUID

from django.db import models

from core import clock
from core.identity.models import User
from core.ids import uuid7
from core.tenancy.models import TenantModel

# A person's tokens end with their working day; only service accounts hold tokens for long.
PERSON_LIFETIME: Final = timedelta(hours=12)
SERVICE_LIFETIME: Final = timedelta(days=90)


class TokenFamily(TenantModel):
    """All refresh tokens that come from one sign-in."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="token_families")
    current = models.UUIDField(help_text="The one token that may still be exchanged.")
    created_at = models.DateTimeField()
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True)
    revoked_because = models.CharField(max_length=40, blank=True)

    class Meta:
        app_label = "core"
        ordering = ["-created_at"]
        verbose_name_plural = "token families"

    def __str__(self) -> str:
        return f"{self.user}, {self.created_at:%Y-%m-%d %H:%M}"


def begin_family(*, user: User) -> TokenFamily:
    """Begin a family of tokens with a sign-in of `user`."""
    now = clock.now()
    lifetime = SERVICE_LIFETIME if user.is_service else PERSON_LIFETIME
    return TokenFamily.objects.create(
        user=user, current=uuid7(), created_at=now, expires_at=now + lifetime
    )


def next_of_family(*, family: UUID, spent: UUID, user: User) -> TokenFamily | None:
    """Spend one token of a family for the next; None when that token is not the current one.

    A token that was spent before revokes the family.
    """
    row = TokenFamily.objects.select_for_update().filter(pk=family, user=user).first()
    if row is None or row.revoked_at is not None or row.expires_at <= clock.now():
        return None
    if row.current != spent:
        row.revoked_at, row.revoked_because = clock.now(), "a spent token came back"
        row.save(update_fields=["revoked_at", "revoked_because"])
        return None
    row.current = uuid7()
    row.save(update_fields=["current"])
    return row


def is_revoked(*, family: UUID) -> bool:
    """Return whether the family was revoked; one that nobody knows counts as revoked."""
    return not TokenFamily.objects.filter(pk=family, revoked_at=None).exists()


def lifetime_left(family: TokenFamily, *, at_most: timedelta) -> timedelta:
    """Return how long the family's next token lives: never longer than the family."""
    return min(at_most, family.expires_at - clock.now())
