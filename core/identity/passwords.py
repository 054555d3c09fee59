"""Passwords: long, not common, and changed only by who knows the present one."""

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.services import revoke_tokens
from core.identity.sessions import end_sessions


def set_password(*, user: User, password: str) -> None:
    """Store a password that the rules accept: fifteen characters, none of the common ones.

    Raises:
        Invalid: the rules refuse it, with the reasons.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password") from error
    user.set_password(password)
    user.save(update_fields=["password"])


def change_password(*, user: User, present: str, fresh: str, keep_session: str | None) -> None:
    """Change one's own password; other sessions and all tokens end with the old one.

    Raises:
        Forbidden: the present password does not fit.
        Invalid: the new one is refused.
    """
    if not user.check_password(present):
        raise Forbidden("The present password does not fit.")
    set_password(user=user, password=fresh)
    end_sessions(user=user, keep=keep_session)
    revoke_tokens(user=user)
