"""Sweeps over the API: pull orders, answer them, and read what was decided."""

from datetime import date
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole
from core.api.fields import AmountField, DayField
from core.identity.roles import INTEGRATION
from treasury.engine.sweep_windows import ZONE
from treasury.models import SweepDecision, SweepOrder, SweepUniverse
from treasury.selectors import intents, placements
from treasury.selectors import sweeps as reads
from treasury.services import sweeps


class AfterIn(serializers.Serializer[Any]):
    """Where to go on."""

    after = serializers.CharField(
        required=False, allow_blank=True, default="", max_length=intents.CURSOR_CHARS_MAX
    )
    limit = serializers.IntegerField(
        required=False, default=intents.LIMIT_DEFAULT, min_value=1, max_value=intents.LIMIT_MAX
    )


class IntentOut(serializers.Serializer[Any]):
    """One item: an order with its signature, or the word that one is void."""

    cursor = serializers.CharField()
    type = serializers.ChoiceField(choices=["ORDER", "CANCEL"])
    order_id = serializers.CharField()
    jws = serializers.CharField(allow_blank=True)
    reason = serializers.CharField(allow_blank=True)


class IntentsOut(serializers.Serializer[Any]):
    """Items in the order of their commit; an empty answer repeats the cursor."""

    items = IntentOut(many=True)
    next_cursor = serializers.CharField()
    has_more = serializers.BooleanField()


class SweepAnswerIn(serializers.Serializer[Any]):
    """The connector's word about an order."""

    status = serializers.ChoiceField(choices=["ACK", "FAILED"])
    bank_ref = serializers.CharField(required=False, default="", max_length=70)
    reason = serializers.CharField(required=False, default="", max_length=140)


class SweepOrderOut(serializers.ModelSerializer[SweepOrder]):
    """An order and what became of it."""

    product = serializers.CharField(source="product.code")
    amount = AmountField()
    paid_out = AmountField()
    comes_back = AmountField()

    class Meta:
        model = SweepOrder
        fields = [
            "order_id", "decision", "account", "product", "amount", "cutoff_at", "day", "part",
            "settles_on", "matures_on", "paid_out", "comes_back", "release", "state", "reason",
            "key_id", "created_at", "sent_at", "acked_at", "bank_ref", "failed_at", "late_ack_at",
            "settlement",
        ]  # fmt: skip


class PlacementQuery(serializers.Serializer[Any]):
    """At the end of which day."""

    on = DayField(required=False, help_text="New York's day; today when left out.")


class SweepPlacementOut(serializers.ModelSerializer[SweepOrder]):
    """An order whose money is in a product, and what it has earned by the day that was asked."""

    product = serializers.CharField(source="product.code")
    paid_out = AmountField()
    interest = serializers.SerializerMethodField()
    earned = serializers.SerializerMethodField()
    comes_back = AmountField()

    class Meta:
        model = SweepOrder
        fields = [
            "order_id", "account", "product", "settles_on", "matures_on", "paid_out", "interest",
            "earned", "comes_back", "settlement",
        ]  # fmt: skip

    @extend_schema_field(AmountField)
    def get_interest(self, order: SweepOrder) -> str:
        """Return what it earns in all."""
        return f"{placements.interest_of(order):f}"

    @extend_schema_field(AmountField)
    def get_earned(self, order: SweepOrder) -> str:
        """Return what it has earned by the day."""
        return f"{placements.earned_by(order, on=self.context['on']):f}"


class SweepDecisionOut(serializers.ModelSerializer[SweepDecision]):
    """A decision; its record, with the universe it names, holds every input and replays."""

    amount = AmountField()

    class Meta:
        model = SweepDecision
        fields = [
            "id", "account", "cutoff_at", "day", "sequence", "decided_at", "result", "branch",
            "reason", "product_code", "amount", "record", "record_sha256", "universe_sha256",
        ]  # fmt: skip


class SweepUniverseOut(serializers.ModelSerializer[SweepUniverse]):
    """Products and calendars that decisions could choose from, as their records name them."""

    class Meta:
        model = SweepUniverse
        fields = ["sha256", "content"]


class SweepIntents(APIView):
    """The pull: at least once, in order; a consumer executes an order_id once."""

    @extend_schema(
        parameters=[
            OpenApiParameter("after", OpenApiTypes.STR, description="Cursor of the last item."),
            OpenApiParameter("limit", OpenApiTypes.INT, description="1 to 200, by itself 50."),
        ],
        responses=IntentsOut,
    )
    def get(self, request: Request) -> Response:
        """Return what was handed out after a cursor; reading changes nothing."""
        asked = AfterIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        found = intents.intents_after(
            cursor=asked.validated_data["after"], limit=asked.validated_data["limit"]
        )
        return Response(IntentsOut(found).data, headers={"Cache-Control": "no-store"})


class SweepAnswer(APIView):
    """The connector's answer to an order."""

    permission_classes = [HasRole]
    roles_for_writing = (INTEGRATION,)

    @extend_schema(request=SweepAnswerIn, responses=SweepOrderOut)
    def post(self, request: Request, order_id: str) -> Response:
        """Take an answer; the same one again changes nothing, another one is refused."""
        given = SweepAnswerIn(data=request.data)
        given.is_valid(raise_exception=True)
        answered = sweeps.answer_order(
            order_id=order_id, answer=sweeps.Answer(**given.validated_data)
        )
        return Response(SweepOrderOut(answered).data)


class SweepOrderList(ListAPIView[SweepOrder]):
    """List orders, newest first."""

    serializer_class = SweepOrderOut
    filterset_fields = {"state": ["exact", "in"], "account": ["exact"], "day": ["exact"]}

    def get_queryset(self) -> QuerySet[SweepOrder]:
        """Return the tenant's orders."""
        return reads.orders()


class SweepPlacementList(ListAPIView[SweepOrder]):
    """List what is in products at the end of a day, newest first."""

    serializer_class = SweepPlacementOut

    @extend_schema(parameters=[PlacementQuery])
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """List executed orders by value date, each with what it has earned so far."""
        return self.list(request, *args, **kwargs)

    def get_queryset(self) -> QuerySet[SweepOrder]:
        """Return the tenant's money at work on the day."""
        return placements.placements(on=self._on())

    def get_serializer_context(self) -> dict[str, Any]:
        """Add the day up to which interest counts."""
        return {**super().get_serializer_context(), "on": self._on()}

    def _on(self) -> date:
        asked = PlacementQuery(data=self.request.query_params)
        asked.is_valid(raise_exception=True)
        on: date = asked.validated_data.get("on") or clock.today(ZONE.key)
        return on


class SweepDecisionList(ListAPIView[SweepDecision]):
    """List decisions, newest first."""

    serializer_class = SweepDecisionOut
    filterset_fields = {"result": ["exact", "in"], "account": ["exact"], "day": ["exact"]}

    def get_queryset(self) -> QuerySet[SweepDecision]:
        """Return the tenant's decisions."""
        return reads.decisions()


class SweepUniverseDetail(RetrieveAPIView[SweepUniverse]):
    """Show one universe by its digest; it never changes."""

    serializer_class = SweepUniverseOut
    lookup_field = "sha256"

    def get_queryset(self) -> QuerySet[SweepUniverse]:
        """Return the tenant's universes."""
        return reads.universes()
