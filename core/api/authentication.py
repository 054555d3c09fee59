"""JWT for machines: audience, issuer, expiry, tenant and revocable generation are all required."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from core.identity.models import User


def _stamp(token: Any, user: User) -> None:
    token["tenant"] = str(user.tenant_id)
    token["generation"] = user.generation


def access_token(user: User) -> AccessToken:
    """Return a fresh access token of `user`."""
    token = AccessToken.for_user(user)
    _stamp(token, user)
    return token


def refresh_token(user: User) -> RefreshToken:
    """Return a fresh refresh token of `user`; its access tokens carry the same stamps."""
    token = RefreshToken.for_user(user)
    _stamp(token, user)
    return token


class MachineAuthentication(JWTAuthentication):
    """Bearer tokens; the tenant was already bound from the verified token by the middleware."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """Return the token's user while it is active and the token's generation is current."""
        user = User.objects.filter(pk=validated_token.get("user_id")).first()
        if user is None or not user.is_active:
            raise AuthenticationFailed("This account is not active.", code="user_inactive")
        if validated_token.get("generation") != user.generation:
            raise AuthenticationFailed("This token was revoked.", code="token_revoked")
        return user


class MachineAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call, misc, unused-ignore]
    """Describe the bearer token in the API schema."""

    target_class = "core.api.authentication.MachineAuthentication"
    name = "jwt"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002 - its signature
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
