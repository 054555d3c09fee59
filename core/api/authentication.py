"""JWT for machines: audience, issuer, expiry, tenant and revocable generation are all required."""

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework_simplejwt.authentication import JWTAuthentication
from rest_framework_simplejwt.exceptions import AuthenticationFailed
from rest_framework_simplejwt.tokens import AccessToken, RefreshToken, Token

from core.identity.models import User
from core.identity.tokens import TokenFamily, begin_family, is_revoked, lifetime_left


def _stamp(token: Any, user: User, family: TokenFamily | None) -> None:
    token["tenant"] = str(user.tenant_id)
    token["generation"] = user.generation
    if family is not None:
        token["family"] = str(family.pk)


def access_token(user: User, family: TokenFamily | None = None) -> AccessToken:
    """Return a fresh access token of `user`; it ends with its family when it has one."""
    token = AccessToken.for_user(user)
    _stamp(token, user, family)
    return token


def refresh_token(user: User, family: TokenFamily | None = None) -> RefreshToken:
    """Return the current refresh token of a family, or of a new one; inside `bound`."""
    family = family or begin_family(user=user)
    token = RefreshToken.for_user(user)
    _stamp(token, user, family)
    token["jti"] = str(family.current)
    token.set_exp(lifetime=lifetime_left(family, at_most=token.lifetime))
    return token


def token_pair(user: User, family: TokenFamily) -> dict[str, str]:
    """Return an access token and the refresh token that follows it."""
    access, refresh = access_token(user, family), refresh_token(user, family)
    return {"access": str(access), "refresh": str(refresh)}


class MachineAuthentication(JWTAuthentication):
    """Bearer tokens; the tenant was already bound from the verified token by the middleware."""

    def get_user(self, validated_token: Token) -> User:  # type: ignore[override]
        """Return the token's user while it is active and the token's generation is current."""
        user = User.objects.filter(pk=validated_token.get("user_id")).first()
        if user is None or not user.is_active:
            raise AuthenticationFailed("This account is not active.", code="user_inactive")
        if validated_token.get("generation") != user.generation:
            raise AuthenticationFailed("This token was revoked.", code="token_revoked")
        family = validated_token.get("family")
        if family is not None and is_revoked(family=family):
            raise AuthenticationFailed("This token was revoked.", code="token_revoked")
        return user


class MachineAuthenticationScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call, misc, unused-ignore]
    """Describe the bearer token in the API schema."""

    target_class = "core.api.authentication.MachineAuthentication"
    name = "jwt"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:  # noqa: ARG002 - its signature
        """Return the OpenAPI security scheme."""
        return {"type": "http", "scheme": "bearer", "bearerFormat": "JWT"}
