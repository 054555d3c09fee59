"""Exposure over the API."""

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.fields import AmountField
from fx.selectors import exposure as reads


class ExposureOut(serializers.Serializer[Any]):
    """A currency's exposure; `pct` is a share (0.3 is thirty percent), the cap is strict."""

    currency = serializers.CharField()
    day = serializers.DateField(source="cap.day")
    until = serializers.DateField(source="cap.until")
    required = AmountField(source="exposure.required")  # type: ignore[assignment]
    prefunded = AmountField(source="exposure.prefunded")
    hedged = AmountField(source="exposure.hedged")
    open = AmountField(source="exposure.open")
    pct = serializers.SerializerMethodField()
    limit_pct = serializers.SerializerMethodField()
    cap_armed = serializers.BooleanField(source="cap.is_armed")
    cap_time_utc = serializers.SerializerMethodField()
    breached = serializers.BooleanField(source="is_breached")
    overhedged = serializers.BooleanField(source="is_overhedged")
    stale = serializers.BooleanField(source="is_stale")
    as_of = serializers.DateTimeField()

    def get_pct(self, board: reads.Board) -> str:
        """Return the open share of the need."""
        return f"{board.exposure.share:.6f}"

    def get_limit_pct(self, board: reads.Board) -> str:
        """Return the share that is still allowed."""
        return f"{board.limit:f}"

    def get_cap_time_utc(self, board: reads.Board) -> datetime:
        """Return since when the cap is armed, or when it arms."""
        return board.cap.at.astimezone(UTC)


class ExposureBoard(APIView):
    """What is open in each currency."""

    @extend_schema(responses=ExposureOut(many=True), operation_id="exposure")
    def get(self, _request: Request) -> Response:
        """Show need, money, hedges and what is left open, currency by currency."""
        return Response(ExposureOut(instance=reads.board(now=clock.now()), many=True).data)
