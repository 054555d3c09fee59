"""Who may change static data, and whether two people are really two."""

from calendars.constants import STATIC_DATA_ROLES
from calendars.errors import SameHandRefused
from core.errors import Forbidden
from core.identity.models import User
from core.tenancy import current_actor


def require_static_data(actor: User) -> None:
    """Refuse people who do not look after static data.

    Raises:
        Forbidden: the actor holds none of the roles.
    """
    if not actor.has_role(*STATIC_DATA_ROLES):
        raise Forbidden("Calendars and windows are changed by static data only.")


def require_own_hand(actor: User) -> None:
    """Refuse to take a step of two people in somebody else's name.

    Raises:
        Forbidden: somebody else acts.
    """
    if current_actor() != str(actor.pk):
        raise Forbidden("Nobody takes this step for somebody else.")


def require_other_person(actor: User, first: User | None) -> None:
    """Refuse a second step by the human being who took the first, under whatever login.

    Raises:
        SameHandRefused: both are the same person.
    """
    if first is not None and first.person_number == actor.person_number:
        raise SameHandRefused("Somebody else must take this step.", first=first.username)
