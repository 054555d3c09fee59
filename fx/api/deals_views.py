"""Deals over the API: captured, submitted, recalled, cancelled, dealt, confirmed, failed."""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import HasRole, actor
from core.idempotency import once
from core.money import Money
from fx.api import deals_serializers as wire
from fx.api.rates_views import IDEMPOTENCY_KEY
from fx.engine.quotes import Side
from fx.models import Deal
from fx.selectors import deals as reads
from fx.services import dealing, deals


def _draft(facts: dict[str, Any]) -> deals.DealIn:
    names = ("counterparty", "pair", "limit_rate", "pay_account", "receive_account", "why", "tenor")
    return deals.DealIn(
        side=Side(facts["side"]),
        dealt=Money(facts["amount"], facts["dealt_currency"]),
        value_date=facts["value_date"],
        kind=facts["kind"],
        **{name: facts[name] for name in names},
    )


class DealList(ListAPIView[Deal]):
    """List deals, newest first, or capture one."""

    serializer_class = wire.DealOut
    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = deals.MAKERS
    filterset_fields = {
        "state": ["exact", "in"],
        "base": ["exact"],
        "quote": ["exact"],
        "side": ["exact"],
        "kind": ["exact"],
        "value_date": ["exact", "gte", "lte"],
        "trade_date": ["exact", "gte", "lte"],
        "counterparty": ["exact"],
        "reference": ["exact"],
    }

    def get_queryset(self) -> QuerySet[Deal]:
        """Return the tenant's deals."""
        return reads.deals()

    @extend_schema(request=wire.DealIn, responses={201: wire.DealOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Capture a deal and, unless told otherwise, submit it: both, or neither."""
        given = wire.DealIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._create(request, given.validated_data))

    def _create(self, request: Request, facts: dict[str, Any]) -> Response:
        person = actor(request)
        with transaction.atomic():
            made = deals.capture_deal(draft=_draft(facts), maker=person)
            if facts["submit"]:
                made = deals.submit_deal(deal_id=made.pk, actor=person)
        return Response(wire.DealOut(reads.deal(made.pk)).data, status=201)


class DealDetail(RetrieveAPIView[Deal]):
    """One deal."""

    serializer_class = wire.DealOut

    def get_object(self) -> Deal:
        """Return it, or refuse with 404."""
        return reads.deal(self.kwargs["deal_id"])


class Step(APIView):
    """A step of one deal, once per Idempotency-Key."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing: tuple[str, ...] = deals.MAKERS

    def taken(self, request: Request, deal_id: UUID, step: Callable[[], object]) -> Response:
        """Take the step and return the deal as it is then."""

        def act() -> Response:
            step()
            return Response(wire.DealOut(reads.deal(deal_id)).data)

        return once(request, act)


class DealSubmit(Step):
    """Submit a draft."""

    @extend_schema(request=None, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Put a draft before its checkers, if it breaks no rule."""
        person = actor(request)
        return self.taken(
            request, deal_id, lambda: deals.submit_deal(deal_id=deal_id, actor=person)
        )


class DealRecall(Step):
    """Recall a submitted deal."""

    @extend_schema(request=None, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Take a deal back to change it."""
        person = actor(request)
        return self.taken(
            request, deal_id, lambda: deals.recall_deal(deal_id=deal_id, actor=person)
        )


class DealCancel(Step):
    """Give a deal up."""

    @extend_schema(request=wire.DealReasonIn, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Give a deal up before it was dealt."""
        reason, person = reason_in(request), actor(request)
        return self.taken(
            request,
            deal_id,
            lambda: deals.cancel_deal(deal_id=deal_id, actor=person, reason=reason),
        )


class DealExecute(Step):
    """Record that a deal was dealt."""

    @extend_schema(request=wire.ExecutionIn, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Record the all-in rate; every rule is asked again."""
        given = wire.ExecutionIn(data=request.data)
        given.is_valid(raise_exception=True)
        person, facts = actor(request), given.validated_data
        return self.taken(
            request,
            deal_id,
            lambda: dealing.execute_deal(deal_id=deal_id, actor=person, **facts),
        )


class DealFail(Step):
    """Record that a deal did not settle."""

    roles_for_writing = dealing.CONFIRMERS

    @extend_schema(request=wire.DealReasonIn, responses=wire.DealOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Record that it did not settle, and why."""
        reason, person = reason_in(request), actor(request)
        return self.taken(
            request,
            deal_id,
            lambda: dealing.fail_deal(deal_id=deal_id, reason=reason, actor=person),
        )


class DealConfirm(APIView):
    """Hold a confirmation against a deal."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = dealing.CONFIRMERS

    @extend_schema(
        request=wire.ConfirmationIn,
        responses={201: wire.ConfirmationOut},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request, deal_id: UUID) -> Response:
        """Keep what the counterparty says; only the very same confirms the deal."""
        given = wire.ConfirmationIn(data=request.data)
        given.is_valid(raise_exception=True)
        stated, person = dealing.Stated(**given.validated_data), actor(request)

        def act() -> Response:
            kept = dealing.confirm_deal(deal_id=deal_id, stated=stated, actor=person)
            return Response(wire.ConfirmationOut(kept).data, status=201)

        return once(request, act)


def reason_in(request: Request) -> str:
    """Return the reason that a step was given.

    Raises:
        ValidationError: there is none.
    """
    given = wire.DealReasonIn(data=request.data)
    given.is_valid(raise_exception=True)
    return str(given.validated_data["reason"])
