"""Settlement over the API: legs by day, and what the back office does with a deal's."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.actor import actor
from fx.api import deals_serializers as wire
from fx.api.deals_views import Step, reason_in
from fx.api.rates_views import IDEMPOTENCY_KEY
from fx.api.settlement_serializers import LegOut
from fx.models import DealLeg
from fx.selectors import settlement
from fx.services import instructing


class LegList(ListAPIView[DealLeg]):
    """List legs by value date."""

    serializer_class = LegOut
    permission_classes = (IsAuthenticated,)
    filterset_fields = {
        "state": ["exact", "in"],
        "direction": ["exact"],
        "currency": ["exact"],
        "value_date": ["exact", "gte", "lte"],
        "deal": ["exact"],
    }

    def get_queryset(self) -> QuerySet[DealLeg]:
        """Return the tenant's legs."""
        return settlement.legs()


class DealReinstruct(Step):
    """Take a failed deal up again."""

    roles_for_writing = instructing.INSTRUCTORS

    @extend_schema(request=wire.DealReasonIn, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Replace what failed, for the first day that can be reached."""
        reason, person = reason_in(request), actor(request)

        def act() -> Any:
            return instructing.reinstruct_deal(deal_id=deal_id, actor=person, reason=reason)

        return self.taken(request, deal_id, act)


class DealReplaceLegs(Step):
    """Settle a deal otherwise."""

    roles_for_writing = instructing.INSTRUCTORS

    @extend_schema(request=wire.DealReasonIn, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Replace both legs; the counterparty's newest account is taken."""
        reason, person = reason_in(request), actor(request)

        def act() -> Any:
            return instructing.replace_legs(deal_id=deal_id, actor=person, reason=reason)

        return self.taken(request, deal_id, act)
