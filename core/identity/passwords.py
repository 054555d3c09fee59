"""Passwords: long, not common, no words of the house, changed by who knows the present one."""

import re
from typing import Final

from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from core.errors import Forbidden, Invalid
from core.identity.models import User
from core.identity.services import revoke_tokens
from core.identity.sessions import end_sessions
from core.tenancy import Tenant, current_tenant_id

# What everybody who knows the product would try first.
PRODUCT_WORDS: Final = ("tms", "treasury", "payment")
WORD_CHARS_MIN: Final = 3
# What people put around a word: years, digits, signs and short fillers.
FILLER_CHARS_MAX: Final = 7


def _letters(text: str) -> str:
    return re.sub(r"[\W\d_]+", "", text.casefold())


class HouseWordsValidator:
    """Refuse a password that is made of names of the person, the tenant or the product."""

    def validate(self, password: str, user: User | None = None) -> None:
        """Take the names out; what is left must be more than filling.

        Raises:
            ValidationError: hardly anything is left.
        """
        whole = left = _letters(password)
        for word in sorted(self._words(user), key=len, reverse=True):
            left = left.replace(word, "")
        if left != whole and len(left) <= FILLER_CHARS_MAX:
            raise ValidationError(self.get_help_text(), code="house_words")

    def get_help_text(self) -> str:
        """Say the rule."""
        return "The password is made of names of the person, the organisation or this system."

    def _words(self, user: User | None) -> set[str]:
        texts = [*PRODUCT_WORDS]
        if user is not None:
            tenant = Tenant.objects.filter(pk=user.tenant_id or current_tenant_id()).first()
            texts += [user.username, user.display_name]
            texts += [tenant.name, tenant.slug] if tenant else []
        parts = {_letters(part) for text in texts for part in re.split(r"[\W\d_]+", text)}
        return {part for part in parts if len(part) >= WORD_CHARS_MIN}


def set_password(*, user: User, password: str) -> None:
    """Store a password that the rules accept: fifteen characters, not common, not our names.

    Raises:
        Invalid: the rules refuse it, with the reasons.
    """
    try:
        validate_password(password, user)
    except ValidationError as error:
        raise Invalid(" ".join(error.messages), field="password") from error
    user.set_password(password)
    user.save(update_fields=["password"])


def reset_password(*, user: User, fresh: str) -> None:
    """Give a person a password as an operator; all sessions and tokens end. Inside `bound`.

    Raises:
        Invalid: the rules refuse it, with the reasons.
    """
    set_password(user=user, password=fresh)
    end_sessions(user=user)
    revoke_tokens(user=user)


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
