"""Forecasts, payout plans and recurring patterns over the API."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole
from core.idempotency import once
from core.identity.roles import INTEGRATION, TREASURY_MAKER, TREASURY_MANAGER
from liquidity import selectors
from liquidity.api import serializers as wire
from liquidity.api.filters import ForecastFilter, PlanFilter
from liquidity.models import Forecast, ForecastLine, PayoutPlan, RecurringPattern
from liquidity.services import planning
from liquidity.services.forecasting import run_daily_forecast, run_forecast

PLANNERS = (TREASURY_MAKER, TREASURY_MANAGER, INTEGRATION)
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class ForecastList(ListAPIView[Forecast]):
    """Forecasts, newest first."""

    serializer_class = wire.ForecastOut
    filterset_class = ForecastFilter

    def get_queryset(self) -> QuerySet[Forecast]:
        """Return the tenant's forecasts."""
        return selectors.forecasts()


class ForecastDetail(RetrieveAPIView[Forecast]):
    """One forecast."""

    serializer_class = wire.ForecastOut

    def get_object(self) -> Forecast:
        """Return it, or refuse with 404."""
        return selectors.forecast(self.kwargs["forecast_id"])


class ForecastLines(ListAPIView[ForecastLine]):
    """The days of a forecast, in order and in one page."""

    serializer_class = wire.ForecastLineOut
    pagination_class = None
    filter_backends = ()

    def get_queryset(self) -> QuerySet[ForecastLine]:
        """Return the days, or refuse with 404."""
        return selectors.lines(selectors.forecast(self.kwargs["forecast_id"]).pk)


class ForecastRunner(APIView):
    """Forecast now."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = PLANNERS

    @extend_schema(request=wire.RunIn, responses=wire.RunOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Forecast one account or all, once per Idempotency-Key."""
        given = wire.RunIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._run(given))

    def _run(self, given: wire.RunIn) -> Response:
        now, days = clock.now(), given.validated_data["horizon_days"]
        account = given.validated_data.get("account")
        if account is not None:
            found = [run_forecast(account_id=account, now=now, horizon_days=days)]
            return Response(wire.RunOut({"forecasts": found, "refusals": []}).data)
        done = run_daily_forecast(now=now, horizon_days=days)
        answer = {"forecasts": done.forecasts, "refusals": done.run.refusals}
        return Response(wire.RunOut(answer).data)


class PayoutPlanList(ListAPIView[PayoutPlan]):
    """Payout plans, newest first; POST records a batch of them."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = PLANNERS
    serializer_class = wire.PayoutPlanOut
    filterset_class = PlanFilter

    def get_queryset(self) -> QuerySet[PayoutPlan]:
        """Return the tenant's plans."""
        return selectors.plans()

    @extend_schema(
        request=wire.PayoutPlansIn, responses={201: wire.PlannedOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Plan payouts: all or none, once per Idempotency-Key and once per reference."""
        given = wire.PayoutPlansIn(data=request.data)
        given.is_valid(raise_exception=True)
        plans = [planning.PlanIn(**row) for row in given.validated_data["plans"]]
        return once(request, lambda: self._plan(plans))

    def _plan(self, plans: list[planning.PlanIn]) -> Response:
        found = planning.plan_payouts(plans=plans, now=clock.now())
        return Response(wire.PlannedOut(found).data, status=status.HTTP_201_CREATED)


class PayoutPlanCancel(APIView):
    """Withdraw a planned payout."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = PLANNERS

    @extend_schema(
        request=wire.ReasonIn, responses=wire.PayoutPlanOut, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, plan_id: UUID) -> Response:
        """Cancel it, for a reason."""
        given = wire.ReasonIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._cancel(plan_id, given.validated_data["reason"]))

    def _cancel(self, plan_id: UUID, reason: str) -> Response:
        plan = planning.cancel_plan(plan_id=plan_id, reason=reason, now=clock.now())
        return Response(wire.PayoutPlanOut(plan).data)


class PatternList(ListAPIView[RecurringPattern]):
    """Recurring patterns, newest first; POST adds one."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = (TREASURY_MAKER, TREASURY_MANAGER)
    serializer_class = wire.PatternOut
    filterset_fields = ("account", "rule", "is_active")

    def get_queryset(self) -> QuerySet[RecurringPattern]:
        """Return the tenant's patterns."""
        return selectors.patterns()

    @extend_schema(
        request=wire.PatternIn, responses={201: wire.PatternOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Add a pattern, once per Idempotency-Key."""
        given = wire.PatternIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._add(planning.PatternIn(**given.validated_data)))

    def _add(self, pattern: planning.PatternIn) -> Response:
        made = planning.add_pattern(pattern=pattern, now=clock.now())
        return Response(wire.PatternOut(made).data, status=status.HTTP_201_CREATED)


class PatternStop(APIView):
    """Expect no more occurrences of a pattern."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = (TREASURY_MAKER, TREASURY_MANAGER)

    @extend_schema(request=None, responses=wire.PatternOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, pattern_id: UUID) -> Response:
        """Stop it."""
        return once(request, lambda: self._stop(pattern_id))

    def _stop(self, pattern_id: UUID) -> Response:
        found = planning.stop_pattern(pattern_id=pattern_id, now=clock.now())
        return Response(wire.PatternOut(found).data)
