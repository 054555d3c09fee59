"""Value at risk over the API: read, tested day by day, exported, measured anew."""

from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import GenericAPIView, ListAPIView, RetrieveAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole
from core.browsing import as_csv
from core.idempotency import once
from risk.api import serializers as wire
from risk.api.filters import ReadingFilter
from risk.models import AccountRisk
from risk.selectors import backtests, exports, readings
from risk.services.measuring import RUNNERS, measure_account, measure_risk

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class ReadingList(ListAPIView[AccountRisk]):
    """Readings, newest first."""

    serializer_class = wire.ReadingOut
    filterset_class = ReadingFilter

    def get_queryset(self) -> QuerySet[AccountRisk]:
        """Return the tenant's readings."""
        return readings.readings()


class ReadingExport(GenericAPIView[AccountRisk]):
    """The filtered readings as CSV."""

    filterset_class = ReadingFilter
    serializer_class = wire.ReadingOut

    def get_queryset(self) -> QuerySet[AccountRisk]:
        """Return the tenant's readings."""
        return readings.readings()

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, _request: Request) -> HttpResponse:
        """Hand the readings out; no cell can begin a formula."""
        return as_csv(self.filter_queryset(self.get_queryset()), exports.COLUMNS, name="risk")


class ReadingDetail(RetrieveAPIView[AccountRisk]):
    """One reading with its backtest."""

    serializer_class = wire.ReadingDetailOut

    def get_object(self) -> AccountRisk:
        """Return it, or refuse with 404."""
        return readings.reading(self.kwargs["reading_id"])


class ReadingDays(APIView):
    """The days of a reading's backtest, oldest first and in one page."""

    @extend_schema(responses=wire.TestedDayOut(many=True))
    def get(self, _request: Request, reading_id: UUID) -> Response:
        """Return flow and forecast of each day, or refuse with 404."""
        days = backtests.tested_days(readings.reading(reading_id))
        return Response(wire.TestedDayOut(instance=days, many=True).data)


class Runner(APIView):
    """Measure now."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = RUNNERS

    @extend_schema(request=wire.MeasureIn, responses=wire.MeasuredOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Measure one account or all, once per Idempotency-Key."""
        given = wire.MeasureIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._run(given.validated_data.get("account")))

    def _run(self, account: UUID | None) -> Response:
        if account is None:
            done = measure_risk(now=clock.now())
            answer = {"readings": done.readings, "new": len(done.new)}
            return Response(wire.MeasuredOut(answer).data)
        before = readings.newest_of(account)
        found = measure_account(account_id=account, now=clock.now())
        is_new = before is None or before.pk != found.pk
        return Response(wire.MeasuredOut({"readings": [found], "new": int(is_new)}).data)
