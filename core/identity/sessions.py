"""Sessions of people: who is signed in where, and how to end that.

The session itself is Django's; here is one row for each, found by the hash of the session's key.
An ended row ends the session with its next request, and its websockets within seconds. Who does
nothing for `SESSION_IDLE_MINUTES` is signed out, and everybody is twelve hours after signing in;
both are counted by the host's clock, to the minute.
"""

from datetime import timedelta
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.conf import settings
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from core import clock, policies
from core.errors import Forbidden, NotFound
from core.identity.models import User
from core.identity.roles import TENANT_ADMIN
from core.tenancy.models import TenantModel

SEEN_AGAIN_AFTER: Final = timedelta(minutes=1)
IDLE_MINUTES_MIN: Final = 5
LIFE_MAX: Final = timedelta(seconds=settings.SESSION_COOKIE_AGE)
SESSION_IDLE_MINUTES: Final = policies.define(
    "SESSION_IDLE_MINUTES",
    30,
    help="A person who asks for no page for so many minutes is signed out.",
    minimum=IDLE_MINUTES_MIN,
    maximum=12 * 60,
)
USER_AGENT_CHARS_MAX: Final = 200


class PersonSession(TenantModel):
    """One browser in which a person signed in."""

    user = models.ForeignKey(User, on_delete=models.PROTECT, related_name="sessions")
    key_digest = models.CharField(max_length=64)
    second_factor = models.CharField(max_length=8, blank=True)
    ip = models.GenericIPAddressField(null=True)
    user_agent = models.CharField(max_length=USER_AGENT_CHARS_MAX, blank=True)
    created_at = models.DateTimeField()
    seen_at = models.DateTimeField()
    ended_at = models.DateTimeField(null=True)

    class Meta:
        app_label = "core"
        ordering = ["-seen_at"]
        constraints = [
            models.UniqueConstraint(name="session_known_once", fields=["tenant", "key_digest"]),
        ]

    def __str__(self) -> str:
        return f"{self.user}: {self.device}"

    @property
    def device(self) -> str:
        """Return browser and system in two words, as far as the browser tells."""
        browsers = {"Edg/": "Edge", "Firefox/": "Firefox", "Chrome/": "Chrome", "Safari/": "Safari"}
        systems = {
            "iPhone": "iPhone", "Android": "Android", "Windows": "Windows", "Mac OS": "macOS",
            "Linux": "Linux",
        }  # fmt: skip
        agent = self.user_agent
        browser = next((name for mark, name in browsers.items() if mark in agent), "Browser")
        system = next((name for mark, name in systems.items() if mark in agent), "")
        return f"{browser} on {system}" if system else browser


def digest_of(session_key: str | None) -> str:
    """Return how a session's key is known here; the key itself would open the session."""
    return sha256((session_key or "").encode()).hexdigest()


def live_session(
    *, request: HttpRequest, user_id: str, second_factor: str, is_background: bool
) -> bool:
    """Note that the request's session is in use; return False when it is over.

    What a page fetches by itself notes nothing: a screen that stands open keeps nobody signed in.
    """
    now = clock.wall()
    row, _ = PersonSession.objects.get_or_create(
        key_digest=digest_of(request.session.session_key),
        defaults={
            "user_id": user_id,
            "second_factor": second_factor,
            "ip": request.META.get("REMOTE_ADDR") or None,
            "user_agent": request.headers.get("User-Agent", "")[:USER_AGENT_CHARS_MAX],
            "created_at": now,
            "seen_at": now,
        },
    )
    if str(row.user_id) != user_id:
        return False
    if is_over(row):
        PersonSession.objects.filter(pk=row.pk, ended_at=None).update(ended_at=now)
        return False
    if not is_background and now - row.seen_at > SEEN_AGAIN_AFTER:
        row.seen_at, row.ip = now, request.META.get("REMOTE_ADDR") or None
        row.save(update_fields=["seen_at", "ip"])
    return True


def is_over(row: PersonSession) -> bool:
    """Return whether a session was ended, stood idle for too long or is too old; inside `bound`."""
    now = clock.wall()
    if row.ended_at is not None or now - row.created_at > LIFE_MAX:
        return True
    idle = now - row.seen_at
    # The policy is asked only when it could matter: most requests come sooner than its least value.
    return idle > timedelta(minutes=IDLE_MINUTES_MIN) and idle > timedelta(
        minutes=policies.get(SESSION_IDLE_MINUTES)
    )


def is_ended(session_key: str | None) -> bool:
    """Return whether the session with that key is over; inside `bound`."""
    row = PersonSession.objects.filter(key_digest=digest_of(session_key)).first()
    return row is not None and is_over(row)


def sessions_of(*, user: User) -> QuerySet[PersonSession]:
    """Return the person's sessions that may still be open, newest first."""
    since = clock.wall() - timedelta(days=1)
    return PersonSession.objects.filter(user=user, ended_at=None, seen_at__gte=since)


def end_session(*, session: UUID, actor: User) -> None:
    """End one session: one's own, or anybody's as a tenant administrator.

    Raises:
        Forbidden: it is somebody else's session.
        NotFound: there is no such session, or it ended already.
    """
    row = PersonSession.objects.filter(pk=session, ended_at=None).first()
    if row is None:
        raise NotFound("This session has ended already.")
    if row.user_id != actor.pk and not actor.has_role(TENANT_ADMIN):
        raise Forbidden("Only a tenant administrator ends the sessions of others.")
    row.ended_at = clock.wall()
    row.save(update_fields=["ended_at"])


def end_sessions(*, user: User, keep: str | None = None) -> int:
    """End every session of `user` but the one with the key `keep`; return how many."""
    found = PersonSession.objects.filter(user=user, ended_at=None)
    if keep is not None:
        found = found.exclude(key_digest=digest_of(keep))
    return found.update(ended_at=clock.wall())
