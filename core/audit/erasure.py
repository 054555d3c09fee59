"""Erase a person's name where the law asks for it, and keep the proof.

The trail knows people by their id. Where a name itself changes hands (a user is made, renamed), the
entry holds a salted digest and the text lies in `core_personaltext`, outside the chain. Erasing a
person gives the account a pseudonym and removes the texts with their salts: every hash still
verifies, and nobody can tell from a digest which name it was. The erasure itself is in the trail.

What stays, because the books must be kept: the id, the identity number that proves two different
people, the name on payments this person proposed (until those records end) and, in entries from
before names were kept apart, the name as it was recorded then.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from uuid import UUID

from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models import Max, Q

from core import clock, policies
from core.audit.models import AuditEntry
from core.errors import DomainError, NotFound
from core.identity.models import User
from core.tenancy import Tenant, bound

PERSON_RETENTION_DAYS = policies.define(
    "PERSON_RETENTION_DAYS",
    365,
    minimum=0,
    maximum=36_500,
    help="A name may be erased so many days after the person's last act here.",
)
PAYMENT_RETENTION_YEARS = policies.define(
    "PAYMENT_RETENTION_YEARS",
    7,
    minimum=0,
    maximum=30,
    help="Who moved or approved money keeps a name for so many years after the last time.",
)
_DAYS_PER_YEAR = 365.25
_MONEY = Q(table_name__startswith="treasury_") | Q(table_name__startswith="approvals_")


class TooEarlyToErase(DomainError):
    """The person is still active, or a retention period has not ended."""

    code = "too_early_to_erase"


@dataclass(frozen=True, slots=True, kw_only=True)
class Erased:
    """Under which pseudonym the person goes on, and how many recorded names were removed."""

    person: UUID
    pseudonym: str
    texts_count: int


def erase_person(*, tenant: UUID, person: UUID, actor: str, reason: str) -> Erased:
    """Replace a person's names by a pseudonym and remove those that the trail recorded.

    Raises:
        NotFound: there is no such person.
        TooEarlyToErase: the account is active, or a retention period has not ended.
    """
    with bound(tenant, actor=actor, reason=f"erasure: {reason}"):
        user = User.objects.select_for_update().filter(pk=person).first()
        if user is None:
            raise NotFound("There is no such person.", field="person")
        if user.is_active:
            raise TooEarlyToErase("The account is active: disable it first.")
        _require_retention_over(person)
        short = sha256(person.bytes).hexdigest()[:8]
        user.display_name = f"Erased person {short}"
        user.username = f"erased-{short}@{Tenant.objects.get(pk=tenant).slug}"
        user.set_unusable_password()
        user.save(update_fields=["display_name", "username", "password"])
        LogEntry.objects.filter(
            content_type__app_label="core", content_type__model="user", object_id=str(person)
        ).update(object_repr=user.display_name, change_message="")
        with connection.cursor() as cursor:
            cursor.execute("SELECT core_erase_person(%s)", [person])
            texts_count = int(cursor.fetchone()[0])
    return Erased(person=person, pseudonym=user.display_name, texts_count=texts_count)


def _require_retention_over(person: UUID) -> None:
    acted = AuditEntry.objects.filter(Q(actor=str(person)) | Q(on_behalf_of=str(person)))
    last = acted.aggregate(any=Max("at"), money=Max("at", filter=_MONEY))
    days = policies.get(PERSON_RETENTION_DAYS)
    years = policies.get(PAYMENT_RETENTION_YEARS)
    kept = timedelta(days=years * _DAYS_PER_YEAR)
    _require_past(last["money"], kept, f"PAYMENT_RETENTION_YEARS is {years}")
    _require_past(last["any"], timedelta(days=days), f"PERSON_RETENTION_DAYS is {days}")


def _require_past(last: datetime | None, kept: timedelta, why: str) -> None:
    if last is not None and last + kept > clock.now():
        until = (last + kept).date()
        raise TooEarlyToErase(f"The name is kept until {until}: {why}.", until=str(until))
