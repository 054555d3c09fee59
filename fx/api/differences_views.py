"""Fixings of a day, and receipts of another amount, over the API: two people decide."""

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
from fx.api import settlement_serializers as wire
from fx.api.deals_views import Step
from fx.api.rates_views import IDEMPOTENCY_KEY
from fx.engine.pairs import parse_pair
from fx.models import DayFixing, ReceiptDifference
from fx.selectors import closing as closing_reads
from fx.selectors import differences
from fx.services import correcting, differing, fixing


class FixingList(ListAPIView[DayFixing]):
    """List fixings and their corrections; fix all deals of a pair and day at once."""

    serializer_class = wire.DayFixingOut
    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = fixing.FIXERS
    filterset_fields = {
        "state": ["exact", "in"],
        "fixed_on": ["exact", "gte", "lte"],
        "base": ["exact"],
        "quote": ["exact"],
    }

    def get_queryset(self) -> QuerySet[DayFixing]:
        """Return the tenant's fixings."""
        return closing_reads.fixings()

    @extend_schema(
        request=wire.DayFixingIn,
        responses={201: wire.FixingOut(many=True)},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Fix every confirmed deal of a pair and day, or none."""
        given = wire.DayFixingIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), dict(given.validated_data)
        pair = parse_pair(facts.pop("pair").upper())

        def act() -> Response:
            made = fixing.record_fixing(pair=pair, actor=person, **facts)
            return Response(wire.FixingOut(made, many=True).data, status=201)

        return once(request, act)


class FixingCorrect(Step):
    """Propose another rate for a day that was fixed."""

    roles_for_writing = fixing.FIXERS

    @extend_schema(
        request=wire.CorrectionIn, responses={201: wire.DayFixingOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, fixing_id: UUID) -> Response:
        """Say what it should be, and why; another person accepts."""
        given = wire.CorrectionIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data

        def act() -> Response:
            made = correcting.propose_correction(fixing_id=fixing_id, actor=person, **facts)
            return Response(wire.DayFixingOut(made).data, status=201)

        return once(request, act)


class FixingAccept(Step):
    """Accept a correction."""

    roles_for_writing = fixing.FIXERS

    @extend_schema(request=None, responses=wire.DayFixingOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, fixing_id: UUID) -> Response:
        """Fix all deals of its day anew; what they were to pay is replaced."""
        person = actor(request)

        def act() -> Response:
            made = correcting.accept_correction(fixing_id=fixing_id, actor=person)
            return Response(wire.DayFixingOut(made).data)

        return once(request, act)


class FixingRefuse(Step):
    """Refuse a correction."""

    roles_for_writing = fixing.FIXERS

    @extend_schema(
        request=wire.RefusalIn, responses=wire.DayFixingOut, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, fixing_id: UUID) -> Response:
        """Leave the fixing as it stands, and say why."""
        given = wire.RefusalIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, reason = actor(request), given.validated_data["reason"]

        def act() -> Response:
            made = correcting.refuse_correction(fixing_id=fixing_id, reason=reason, actor=person)
            return Response(wire.DayFixingOut(made).data)

        return once(request, act)


class DifferenceList(ListAPIView[ReceiptDifference]):
    """List receipts of another amount than agreed, newest first."""

    serializer_class = wire.DifferenceOut
    permission_classes = (IsAuthenticated,)
    filterset_fields = {
        "state": ["exact", "in"],
        "kind": ["exact"],
        "leg__deal": ["exact"],
        "net": ["exact"],
    }

    def get_queryset(self) -> QuerySet[ReceiptDifference]:
        """Return the tenant's differences."""
        return differences.differences()


class DifferencePropose(Step):
    """Propose to take what came for a leg, or for the net it is part of, as it came."""

    roles_for_writing = differing.PROPOSERS

    @extend_schema(
        request=wire.DifferenceIn, responses={201: wire.DifferenceOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, leg_id: UUID) -> Response:
        """Name the entry, what the difference is, and why; another person accepts."""
        given = wire.DifferenceIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, wish = actor(request), differing.Wish(**given.validated_data)

        def act() -> Response:
            made = differing.propose_difference(leg_id=leg_id, wish=wish, actor=person)
            return Response(wire.DifferenceOut(made).data, status=201)

        return once(request, act)


class DifferenceAccept(Step):
    """Accept a difference."""

    roles_for_writing = differing.ACCEPTERS

    @extend_schema(request=None, responses=wire.DifferenceOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Settle the leg by what came, and book the difference as what it is."""
        person = actor(request)

        def act() -> Response:
            made = differing.accept_difference(difference_id=difference_id, actor=person)
            return Response(wire.DifferenceOut(made).data)

        return once(request, act)


class DifferenceRefuse(Step):
    """Refuse a difference."""

    roles_for_writing = differing.ACCEPTERS

    @extend_schema(
        request=wire.RefusalIn, responses=wire.DifferenceOut, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, difference_id: UUID) -> Response:
        """Leave the leg open, and say why."""
        given = wire.RefusalIn(data=request.data)
        given.is_valid(raise_exception=True)
        facts: dict[str, Any] = {"reason": given.validated_data["reason"], "actor": actor(request)}

        def act() -> Response:
            made = differing.refuse_difference(difference_id=difference_id, **facts)
            return Response(wire.DifferenceOut(made).data)

        return once(request, act)
