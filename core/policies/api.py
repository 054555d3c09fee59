"""API of the policies: what is in force; changes go through `changes`."""

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.policies.standing import Standing, spoken, standings


class PolicyOut(serializers.Serializer[None]):
    """One policy; values are texts, as a change takes them. `version` 0: never changed."""

    key = serializers.CharField()
    value = serializers.CharField()
    default = serializers.CharField()
    bounds = serializers.CharField(help_text="Which values it takes, in words.")
    help = serializers.CharField()
    version = serializers.IntegerField()
    changed_at = serializers.DateTimeField(allow_null=True)
    reason = serializers.CharField()


def _as_json(one: Standing) -> dict[str, object]:
    latest = one.latest
    return {
        "key": one.policy.key,
        "value": spoken(one.value),
        "default": spoken(one.policy.default),
        "bounds": one.bounds,
        "help": one.policy.help,
        "version": latest.version if latest else 0,
        "changed_at": latest.changed_at if latest else None,
        "reason": latest.reason if latest else "",
    }


class PolicyList(APIView):
    """The policies of the tenant."""

    @extend_schema(responses=PolicyOut(many=True))
    def get(self, _request: Request) -> Response:
        """List every policy with its value in force."""
        return Response([_as_json(one) for one in standings()])
