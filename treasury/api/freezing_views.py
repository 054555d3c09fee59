"""The emergency stop: parse, call, present."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import HasRole, actor
from core.idempotency import once
from treasury.models import Freeze
from treasury.selectors import freezing as reads
from treasury.services import freezing

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class FreezeReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=500)


class FreezeOut(serializers.ModelSerializer[Freeze]):
    """A stop of all outflows and its release."""

    class Meta:
        model = Freeze
        fields = [
            "id", "state", "reason", "frozen_by", "frozen_at", "version", "release_asked_by",
            "release_asked_at", "release_reason", "released_at",
        ]  # fmt: skip


class FreezeList(ListAPIView[Freeze]):
    """List stops, or stop all outflows."""

    serializer_class = FreezeOut
    permission_classes = [HasRole]
    roles_for_writing = freezing.STOPPERS
    filterset_fields = {"state": ["exact", "in"]}

    def get_queryset(self) -> QuerySet[Freeze]:
        """Return the tenant's stops, newest first."""
        return reads.freezes()

    @extend_schema(request=FreezeReasonIn, responses={201: FreezeOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Stop everything that would leave for a bank, at once."""
        given = FreezeReasonIn(data=request.data)
        given.is_valid(raise_exception=True)

        def stop() -> Response:
            made = freezing.stop_outflows(
                actor=actor(request), reason=given.validated_data["reason"]
            )
            return Response(FreezeOut(made).data, status=201)

        return once(request, stop)


class FreezeRelease(APIView):
    """Ask for the release."""

    permission_classes = [HasRole]
    roles_for_writing = freezing.STOPPERS

    @extend_schema(request=FreezeReasonIn, responses=FreezeOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, freeze_id: UUID) -> Response:
        """Put the release before people who did not stop it."""
        given = FreezeReasonIn(data=request.data)
        given.is_valid(raise_exception=True)

        def ask() -> Response:
            held = freezing.ask_release(
                freeze_id=freeze_id,
                actor=actor(request),
                reason=given.validated_data["reason"],
            )
            return Response(FreezeOut(held).data)

        return once(request, ask)
