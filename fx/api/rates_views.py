"""Rates over the API: the board, each rate, conversions; pushed and uploaded."""

import json
from typing import Any, Final

import django_filters  # type: ignore[import-untyped, unused-ignore]
from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole, actor
from core.errors import Invalid
from core.idempotency import once
from core.money import Money
from fx.api import rates_serializers as wire
from fx.constants import FILE_BYTES_MAX
from fx.models import Rate
from fx.selectors import rates as reads
from fx.services.rates import KEEPERS, Origin, RateIn, record_rates
from fx.services.sources import API
from fx.services.uploading import upload_rates

IDEMPOTENCY_KEY: Final = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class RateBoard(APIView):
    """The board, and the push of rates."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = KEEPERS

    @extend_schema(responses=wire.BoardRowOut(many=True), operation_id="fx_rates_board")
    def get(self, _request: Request) -> Response:
        """Show each pair's price now, with its source, age and what other sources say."""
        rows = reads.board(now=clock.now())
        return Response(wire.BoardRowOut(instance=rows, many=True).data)

    @extend_schema(
        request=wire.RatesIn, responses={201: wire.TakenOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Record pushed rates, all or none, once per Idempotency-Key."""
        given = wire.RatesIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._record(request, given.validated_data))

    def _record(self, request: Request, facts: dict[str, Any]) -> Response:
        origin = Origin(
            source=API,
            name=facts["name"],
            data=json.dumps(request.data, sort_keys=True).encode(),
            received_from=actor(request).display_name[:80],
        )
        rates = [RateIn(row=row, **one) for row, one in enumerate(facts["rates"], start=1)]
        taken = record_rates(origin=origin, rates=rates)
        return Response(wire.TakenOut(taken).data, status=201)


class RateFile(APIView):
    """Rates from a CSV file."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = KEEPERS
    parser_classes = [MultiPartParser]

    @extend_schema(request={"multipart/form-data": wire.RatesFileIn}, responses=wire.TakenOut)
    def post(self, request: Request) -> Response:
        """Record the rates of a file, all or none; the same file again changes nothing."""
        given = wire.RatesFileIn(data=request.data)
        given.is_valid(raise_exception=True)
        file = given.validated_data["file"]
        if file.size > FILE_BYTES_MAX:
            raise Invalid(f"A file has at most {FILE_BYTES_MAX:,} bytes.", field="file")
        taken = upload_rates(name=file.name, data=file.read(), actor=actor(request))
        return Response(wire.TakenOut(taken).data)


class RateFilter(django_filters.FilterSet):
    """By pair, source and time."""

    since = django_filters.IsoDateTimeFilter(field_name="as_of", lookup_expr="gte")
    until = django_filters.IsoDateTimeFilter(field_name="as_of", lookup_expr="lte")
    source = django_filters.CharFilter(field_name="source__code")

    class Meta:
        model = Rate
        fields = ("base", "quote")


class RateHistory(ListAPIView[Rate]):
    """Every rate as it came in, newest first."""

    serializer_class = wire.RateOut
    filterset_class = RateFilter

    def get_queryset(self) -> QuerySet[Rate]:
        """Return the tenant's rates."""
        return reads.rates()


class Converter(APIView):
    """Convert an amount."""

    @extend_schema(parameters=[wire.ConversionIn], responses=wire.ConversionOut)
    def get(self, request: Request) -> Response:
        """Return the amount in the other currency with where that comes from; or refuse."""
        asked = wire.ConversionIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        facts = asked.validated_data
        money = Money(facts["amount"], facts["currency"])
        if money != money.quantized():
            raise Invalid(f"{money.currency} has fewer decimals.", field="amount")
        found = reads.convert(money, facts["target"], now=clock.now())
        return Response(wire.ConversionOut(found).data)
