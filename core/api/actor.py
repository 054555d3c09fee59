"""Who calls: one place that narrows the request's user."""

from django.http import HttpRequest
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from core.errors import Forbidden
from core.identity.models import User


def actor(request: Request | HttpRequest) -> User:
    """Return the signed-in user.

    Raises:
        Forbidden: nobody is signed in.
    """
    user = request.user
    if not isinstance(user, User):
        raise Forbidden("Sign in first.")
    return user


class HasRole(BasePermission):
    """Allow writing to holders of one of `view.roles_for_writing`, reading to who is signed in."""

    message = "Your roles do not allow this."

    def has_permission(self, request: Request, view: object) -> bool:
        """Return whether this user may call this method here."""
        if not isinstance(request.user, User):
            return False
        if request.method in ("GET", "HEAD", "OPTIONS"):
            return True
        return request.user.has_role(*getattr(view, "roles_for_writing", ()))
