"""Changes over the API: list, look, propose, import, withdraw. They are decided as approvals."""

from dataclasses import asdict
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import actor
from core.changes import selectors, services
from core.changes.errors import ChangeUnknown
from core.changes.importing import propose_import
from core.changes.models import REASON_LENGTH_MAX, ChangeRequest, ChangeRequestQuerySet
from core.idempotency import once

CSV_CHARS_MAX = 1_000_000
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class LineOut(serializers.Serializer[selectors.Line]):
    """One field as it was and as it shall be; encrypted values are masked."""

    row = serializers.CharField()
    field = serializers.CharField()
    old = serializers.CharField()
    new = serializers.CharField()


class ChangeOut(serializers.ModelSerializer[ChangeRequest]):
    """A change in a list."""

    class Meta:
        model = ChangeRequest
        fields = [
            "id", "target", "row_id", "operation", "action", "title", "state", "reason",
            "maker_label", "proposed_at", "decided_at", "problem",
        ]  # fmt: skip


class ChangeDetailOut(ChangeOut):
    """A change with its fields, old and new."""

    lines = serializers.SerializerMethodField()

    class Meta(ChangeOut.Meta):
        fields = [*ChangeOut.Meta.fields, "lines"]

    @extend_schema_field(LineOut(many=True))
    def get_lines(self, change: ChangeRequest) -> Any:
        """Return the change field by field."""
        return [asdict(line) for line in selectors.lines(change)]


class ChangeIn(serializers.Serializer[Any]):
    """What shall change; without a row a new one is entered, without values it is removed."""

    model = serializers.CharField(max_length=80)
    row = serializers.CharField(max_length=140, required=False, allow_null=True, default=None)
    values = serializers.DictField(required=False, default=dict)
    is_removal = serializers.BooleanField(default=False)
    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)


class ImportIn(serializers.Serializer[Any]):
    """A CSV file as text; its first line names the fields."""

    model = serializers.CharField(max_length=80)
    csv = serializers.CharField(max_length=CSV_CHARS_MAX, trim_whitespace=False)
    reason = serializers.CharField(max_length=REASON_LENGTH_MAX)


class WithdrawIn(serializers.Serializer[Any]):
    """Why it is taken back."""

    reason = serializers.CharField(
        max_length=REASON_LENGTH_MAX, required=False, allow_blank=True, default=""
    )


class ChangeList(ListAPIView[ChangeRequest]):
    """Changes, newest first."""

    serializer_class = ChangeOut
    filterset_fields = {"state": ["exact", "in"], "target": ["exact"], "action": ["exact"]}

    def get_queryset(self) -> ChangeRequestQuerySet:
        """Return the tenant's changes."""
        return selectors.changes()

    @extend_schema(request=ChangeIn, responses={201: ChangeDetailOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Propose a change, once per Idempotency-Key."""
        given = ChangeIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: _proposed(request, given.validated_data))


def _proposed(request: Request, wish: dict[str, Any]) -> Response:
    facts = {"model": wish["model"], "maker": actor(request), "reason": wish["reason"]}
    if wish["is_removal"]:
        change = services.propose_removal(row_id=wish["row"] or "", **facts)
    else:
        change = services.propose_change(row_id=wish["row"], values=wish["values"], **facts)
    return Response(ChangeDetailOut(change).data, status=201)


class ChangeImport(APIView):
    """Many rows as one change."""

    @extend_schema(request=ImportIn, responses={201: ChangeDetailOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Propose every row of a CSV file, all or none, once per Idempotency-Key."""
        given = ImportIn(data=request.data)
        given.is_valid(raise_exception=True)
        wish = given.validated_data

        def propose() -> Response:
            change = propose_import(
                model=wish["model"], text=wish["csv"], maker=actor(request), reason=wish["reason"]
            )
            return Response(ChangeDetailOut(change).data, status=201)

        return once(request, propose)


class ChangeDetail(APIView):
    """One change with everything it would write."""

    @extend_schema(responses=ChangeDetailOut)
    def get(self, _request: Request, change_id: UUID) -> Response:
        """Return the change."""
        found = selectors.changes().filter(pk=change_id).first()
        if found is None:
            raise ChangeUnknown("There is no such change.", change=str(change_id))
        return Response(ChangeDetailOut(found).data)


class ChangeWithdraw(APIView):
    """Take back what one proposed."""

    @extend_schema(request=WithdrawIn, responses=ChangeDetailOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, change_id: UUID) -> Response:
        """Withdraw, once per Idempotency-Key."""
        given = WithdrawIn(data=request.data)
        given.is_valid(raise_exception=True)

        def withdraw() -> Response:
            change = services.withdraw_change(
                change_id=change_id, actor=actor(request), reason=given.validated_data["reason"]
            )
            return Response(ChangeDetailOut(change).data)

        return once(request, withdraw)
