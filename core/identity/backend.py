"""Sign in with `name@tenant`: the name finds the tenant, the tenant's wall does the rest."""

from typing import Any

from django.contrib.auth.backends import ModelBackend
from django.contrib.auth.hashers import make_password
from django.http import HttpRequest

from core.identity.models import User
from core.identity.services import find_login
from core.tenancy import bound, current_scope


class TenantBackend(ModelBackend):
    """Check a password inside the tenant that the sign-in name belongs to."""

    def authenticate(
        self,
        request: HttpRequest | None,  # noqa: ARG002 - the signature of Django
        username: str | None = None,
        password: str | None = None,
        **_kwargs: Any,
    ) -> User | None:
        """Return the user, or None; an unknown name costs the same time as a wrong password."""
        if not username or password is None:
            return None
        login = find_login(username)
        if login is None:
            make_password(password)
            return None
        with bound(login.tenant, actor=login.user, reason="sign-in"):
            user = User.objects.filter(pk=login.user).first()
            if user and user.check_password(password) and self.user_can_authenticate(user):
                return user
        return None

    def get_user(self, user_id: Any) -> User | None:
        """Return the session's user; without a bound tenant nobody can be found."""
        if current_scope() is None:
            return None
        user = User.objects.filter(pk=user_id).first()
        return user if user and self.user_can_authenticate(user) else None
