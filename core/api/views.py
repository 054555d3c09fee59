"""Tokens for machines and scripts: issue, refresh, revoke."""

from uuid import UUID

from django.contrib.auth import authenticate
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import ScopedRateThrottle
from rest_framework.views import APIView
from rest_framework_simplejwt.exceptions import TokenError
from rest_framework_simplejwt.tokens import RefreshToken

from core.api.actor import actor
from core.api.authentication import token_pair
from core.errors import DomainError, Forbidden
from core.identity import step_up
from core.identity.duties import present_conflicts
from core.identity.models import User
from core.identity.roles import AUDITOR, RISK_OFFICER, TENANT_ADMIN
from core.identity.services import revoke_tokens
from core.identity.tokens import begin_family, next_of_family
from core.tenancy import bound


class NotAuthenticated(DomainError):
    """Name, password or code do not fit, or the token is not valid any more."""

    code = "not_authenticated"
    status = 401


class Credentials(serializers.Serializer[None]):
    """Sign-in name, password, and the authenticator's code where one is registered."""

    username = serializers.CharField(max_length=120)
    password = serializers.CharField(max_length=256, trim_whitespace=False)
    otp = serializers.CharField(max_length=12, required=False, allow_blank=True)


class RefreshIn(serializers.Serializer[None]):
    """A refresh token."""

    refresh = serializers.CharField(max_length=4_096)


class TokenPair(serializers.Serializer[None]):
    """An access token (one hour) and a refresh token (one day)."""

    access = serializers.CharField()
    refresh = serializers.CharField()


class TokenView(APIView):
    """Exchange credentials for tokens."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "sign-in"

    @extend_schema(request=Credentials, responses=TokenPair, auth=[])
    def post(self, request: Request) -> Response:
        """Issue a pair of tokens."""
        given = Credentials(data=request.data)
        given.is_valid(raise_exception=True)
        credentials = given.validated_data
        user = authenticate(
            request._request,  # noqa: SLF001 - the lock-out needs Django's request
            username=credentials["username"],
            password=credentials["password"],
        )
        if not isinstance(user, User) or not _code_fits(user, credentials.get("otp", "")):
            raise NotAuthenticated("Name, password or code do not fit.")
        with bound(str(user.tenant_id), actor=user.pk, reason="sign-in"):
            pair = token_pair(user, begin_family(user=user))
        return Response(pair)


def _code_fits(user: User, code: str) -> bool:
    """Return whether the code fits; a service account has none, a person cannot go without."""
    if user.is_service:
        return True
    with bound(str(user.tenant_id), actor=user.pk, reason="sign-in"):
        try:
            step_up.prove_with_code(user=user, code=code, content_hash=step_up.SIGN_IN)
        except step_up.StepUpFailed:
            return False
    return True


class RefreshView(APIView):
    """Exchange a refresh token for a new pair."""

    permission_classes = [AllowAny]
    authentication_classes = []
    throttle_classes = [ScopedRateThrottle]
    throttle_scope = "sign-in"

    @extend_schema(request=RefreshIn, responses=TokenPair, auth=[])
    def post(self, request: Request) -> Response:
        """Issue a fresh pair while the account is active and nothing was revoked."""
        given = RefreshIn(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            token = RefreshToken(given.validated_data["refresh"])
        except TokenError as error:
            raise NotAuthenticated("This refresh token is not valid any more.") from error
        pair = _next_pair(token)
        if pair is None:
            raise NotAuthenticated("This refresh token was revoked or used before.")
        return Response(pair)


def _next_pair(token: RefreshToken) -> dict[str, str] | None:
    """Exchange a token; a refusal returns, so that a revoked family stays revoked."""
    names = ("tenant", "user_id", "family", "jti")
    tenant, user_id, family, spent = (str(token.get(name, "")) for name in names)
    if not all((tenant, user_id, family, spent)):
        return None
    with bound(tenant, actor=user_id, reason="token refresh"):
        user = User.objects.filter(pk=user_id, is_active=True).first()
        if user is None or user.generation != token.get("generation"):
            return None
        current = next_of_family(family=UUID(family), spent=UUID(spent), user=user)
        return token_pair(user, current) if current else None


class RevokeView(APIView):
    """Revoke every token of the caller."""

    @extend_schema(request=None, responses={204: None})
    def post(self, request: Request) -> Response:
        """Raise the generation: all tokens issued so far stop working with the next request."""
        revoke_tokens(user=actor(request))
        return Response(status=204)


class ConflictOut(serializers.Serializer[None]):
    """Two roles of one person that must be in two hands."""

    person_number = serializers.CharField()
    people = serializers.ListField(child=serializers.CharField())
    roles = serializers.ListField(child=serializers.CharField())


class ConflictsView(APIView):
    """Who holds two roles that must be in two hands; the list should be empty."""

    @extend_schema(responses=ConflictOut(many=True))
    def get(self, request: Request) -> Response:
        """List the conflicts that stand now, for auditors, risk and administration."""
        if not actor(request).has_role(AUDITOR, RISK_OFFICER, TENANT_ADMIN):
            raise Forbidden("Your roles do not allow to see this.")
        return Response([conflict.as_json() for conflict in present_conflicts()])
