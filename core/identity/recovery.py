"""Recovery codes and new authenticators: the way back in for who lost a second factor."""

import re
from typing import Any, Final
from uuid import UUID

from django.db import connection

from core.errors import Forbidden
from core.identity.models import User
from core.identity.proofs import StepUp
from core.identity.step_up import StepUpFailed, StepUpMissing, content_of

RECOVERY_CODE: Final = re.compile(r"[A-Z2-7]{26}", re.ASCII)
GROUP_CHARS: Final = 4


def _rows(sql: str, *values: UUID | str | None) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return [row[0] for row in cursor.fetchall()]


def renewal_of(user: User) -> str:
    """Return the content that renewing the recovery codes must be proven for."""
    return content_of(f"recovery codes of {user.pk}")


def replacement_of(user: User) -> str:
    """Return the content that replacing the authenticator must be proven for."""
    return content_of(f"authenticator of {user.pk}")


def reset_of(user: User) -> str:
    """Return the content that an administrator must prove for resetting `user`."""
    return content_of(f"reset of {user.pk}")


def normal(code: str) -> str:
    """Return a recovery code without the blanks and dashes that people type."""
    return re.sub(r"[\s-]", "", code).upper()


def renew_codes(*, user: User, step_up: UUID | None) -> list[str]:
    """Replace the recovery codes and return the ten new ones: they are never shown again.

    Raises:
        StepUpMissing: there is no fresh proof for it.
    """
    codes = _rows("SELECT core_recovery_renew(%s, %s)", user.pk, step_up)
    if not codes:
        raise StepUpMissing("Confirm this with your second factor first.")
    return ["-".join(re.findall(f".{{1,{GROUP_CHARS}}}", code)) for code in codes]


def codes_left(*, user: User) -> int:
    """Return how many recovery codes are unused."""
    return int(_rows("SELECT core_recovery_left(%s)", user.pk)[0] or 0)


def prove_with_recovery_code(*, user: User, code: str) -> StepUp:
    """Return the proof that `user` gave an unused recovery code; it opens a session, no payment.

    Raises:
        StepUpFailed: no such code, or it was used.
    """
    plain = normal(code)
    made = None
    if RECOVERY_CODE.fullmatch(plain):
        (made,) = _rows("SELECT core_recovery_prove(%s, %s)", user.pk, plain)
    if made is None:
        raise StepUpFailed("This recovery code does not fit or was used.")
    return StepUp.objects.get(pk=made)


def begin_replacement(*, user: User, step_up: UUID | None) -> str:
    """Return the seed of a new authenticator; the old one counts until the new one is confirmed.

    Raises:
        StepUpMissing: neither the old authenticator nor a recovery code was shown for it.
    """
    (seed,) = _rows("SELECT core_totp_replace(%s, %s)", user.pk, step_up)
    if seed is None:
        raise StepUpMissing("Show the old authenticator's code or a recovery code first.")
    return str(seed)


def confirm_replacement(*, user: User, code: str) -> None:
    """Let the new authenticator count, and the old one no longer.

    Raises:
        StepUpFailed: the code does not fit the new seed.
    """
    (is_replaced,) = _rows("SELECT core_totp_replaced(%s, %s)", user.pk, "".join(code.split()))
    if not is_replaced:
        raise StepUpFailed("The code does not fit the new authenticator.")


def reset_second_factor(*, user: User, admin: User, step_up: UUID | None) -> None:
    """Take every second factor from somebody who lost them all, and end their sessions.

    They enrol at the next sign-in.

    Raises:
        Forbidden: the caller does not administer the tenant, is that person, or proved nothing.
    """
    sql = "SELECT core_totp_reset(%s, %s, %s)"
    (is_reset,) = _rows(sql, user.pk, admin.pk, step_up)
    if not is_reset:
        raise Forbidden("Only a tenant administrator with a fresh code resets another person.")
