"""Suggestions and reforecasts over the API."""

from collections.abc import Callable
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole, actor
from core.idempotency import once
from fx.api import suggestions_serializers as wire
from fx.api.deals_serializers import DealOut
from fx.api.rates_views import IDEMPOTENCY_KEY
from fx.models import DealSuggestion, ReforecastTrigger
from fx.selectors import deals as deal_reads
from fx.selectors import rates
from fx.selectors import reforecast as reforecast_reads
from fx.selectors import suggestions as reads
from fx.services import deals, reforecasting, taking


class SuggestionList(ListAPIView[DealSuggestion]):
    """List suggestions, newest first; `?state=OPEN` gives those that stand."""

    serializer_class = wire.SuggestionOut
    filterset_fields = {
        "state": ["exact", "in"],
        "currency": ["exact"],
        "day": ["exact", "gte", "lte"],
    }

    def get_queryset(self) -> QuerySet[DealSuggestion]:
        """Return the tenant's suggestions."""
        return reads.suggestions()


class _Step(APIView):
    """A step of one suggestion, once per Idempotency-Key."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = deals.MAKERS

    def taken(self, request: Request, step: Callable[[], Response]) -> Response:
        """Take the step once."""
        return once(request, step)


class SuggestionTake(_Step):
    """Make a draft of a suggestion."""

    @extend_schema(request=None, responses={201: DealOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, suggestion_id: UUID) -> Response:
        """Make a draft of it; nothing is submitted or dealt."""
        person = actor(request)

        def act() -> Response:
            made = taking.take_suggestion(suggestion_id=suggestion_id, actor=person)
            return Response(DealOut(deal_reads.deal(made.pk)).data, status=201)

        return self.taken(request, act)


class SuggestionDismiss(_Step):
    """Leave a suggestion open on purpose."""

    @extend_schema(
        request=wire.DismissIn, responses=wire.SuggestionOut, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, suggestion_id: UUID) -> Response:
        """Leave it open, and say why."""
        given = wire.DismissIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, reason = actor(request), str(given.validated_data["reason"])

        def act() -> Response:
            found = taking.dismiss_suggestion(
                suggestion_id=suggestion_id, actor=person, reason=reason
            )
            return Response(wire.SuggestionOut(reads.suggestion(found.pk)).data)

        return self.taken(request, act)


class Reforecasts(ListAPIView[ReforecastTrigger]):
    """List what asked for new forecasts, newest first, or ask for one."""

    serializer_class = wire.ReforecastOut
    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = reforecasting.ASKERS
    filterset_fields = {"currency": ["exact"], "reason": ["exact"], "local_date": ["exact"]}

    def get_queryset(self) -> QuerySet[ReforecastTrigger]:
        """Return the tenant's triggers."""
        return reforecast_reads.triggers()

    @extend_schema(
        request=wire.ReforecastIn, responses={201: wire.ReforecastOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Ask for a new forecast of a currency; within its cool-down it is refused."""
        given = wire.ReforecastIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Response:
            made = reforecasting.ask(
                currency=facts["currency"], words=facts["reason"], actor=person, now=clock.now()
            )
            return Response(wire.ReforecastOut(made).data, status=201)

        return once(request, act)


class ReforecastLooks(APIView):
    """What a new forecast of each currency would change."""

    @extend_schema(
        responses=wire.ReforecastLookOut(many=True), operation_id="fx_reforecast_preview"
    )
    def get(self, _request: Request) -> Response:
        """Show forecast, need and open exposure before and after, currency by currency."""
        now = clock.now()
        looks = [reforecast_reads.look(one, now=now) for one in rates.currencies()]
        return Response(wire.ReforecastLookOut(instance=looks, many=True).data)
