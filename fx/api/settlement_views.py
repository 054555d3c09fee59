"""Settlement over the API: legs by day, and what the back office does with a deal's."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response

from core.api.actor import HasRole, actor
from core.idempotency import once
from fx.api import deals_serializers as wire
from fx.api import settlement_serializers as closing_wire
from fx.api.deals_views import Step, reason_in
from fx.api.rates_views import IDEMPOTENCY_KEY
from fx.api.settlement_serializers import DealLegOut, NetOut
from fx.models import DealLeg, SettlementNet
from fx.selectors import deals as reads
from fx.selectors import settlement
from fx.services import closing, fixing, instructing, netting


class LegList(ListAPIView[DealLeg]):
    """List legs by value date."""

    serializer_class = DealLegOut
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


class NetList(ListAPIView[SettlementNet]):
    """List nets, newest first; net what is due later now."""

    serializer_class = NetOut
    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = netting.NETTERS
    filterset_fields = {
        "state": ["exact", "in"],
        "direction": ["exact"],
        "currency": ["exact"],
        "value_date": ["exact", "gte", "lte"],
        "counterparty": ["exact"],
    }

    def get_queryset(self) -> QuerySet[SettlementNet]:
        """Return the tenant's nets."""
        return settlement.nets()

    @extend_schema(
        request=closing_wire.NetIn,
        responses={201: NetOut(many=True)},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Net the legs of a counterparty, currency and day before their time has come."""
        given = closing_wire.NetIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Response:
            made = netting.net_now(actor=person, **facts)
            kept = settlement.nets().filter(pk__in=[one.pk for one in made])
            return Response(NetOut(kept, many=True).data, status=201)

        return once(request, act)


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

    @extend_schema(
        request=closing_wire.ReplaceLegsIn, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Replace both legs; the counterparty's newest account is taken, and ours as chosen."""
        given = closing_wire.ReplaceLegsIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Any:
            return instructing.replace_legs(deal_id=deal_id, actor=person, **facts)

        return self.taken(request, deal_id, act)


class DealCloseOut(Step):
    """Close a deal out."""

    @extend_schema(
        request=closing_wire.CloseOutIn,
        responses={201: wire.DealOut},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Draft the deal that closes it out; submit it like any other."""
        given = closing_wire.CloseOutIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Response:
            made = closing.close_out(deal_id=deal_id, actor=person, **facts)
            return Response(wire.DealOut(reads.deal(made.pk)).data, status=201)

        return once(request, act)


class DealBilateralCancel(Step):
    """Cancel a deal by agreement of both sides."""

    roles_for_writing = closing.ASKERS

    @extend_schema(
        request=closing_wire.EvidenceIn,
        responses={201: closing_wire.CancellationOut},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Ask two people to approve it; until they did, the deal stands."""
        given = closing_wire.EvidenceIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Response:
            made = closing.ask_to_cancel(deal_id=deal_id, actor=person, **facts)
            return Response(closing_wire.CancellationOut(made).data, status=201)

        return once(request, act)


class DealFix(Step):
    """Fix a non-deliverable deal."""

    roles_for_writing = fixing.FIXERS

    @extend_schema(
        request=closing_wire.FixingIn,
        responses={201: closing_wire.FixingOut},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Enter the published rate; its difference becomes one leg."""
        given = closing_wire.FixingIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Response:
            made = fixing.fix_deal(deal_id=deal_id, actor=person, **facts)
            return Response(closing_wire.FixingOut(made).data, status=201)

        return once(request, act)
