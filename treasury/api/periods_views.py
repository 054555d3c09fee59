"""Closed periods and daily proofs: parse, call, present."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole, actor
from core.api.fields import AmountField, DayField
from core.idempotency import once
from treasury.engine.proofs import DayProof
from treasury.models import LateEntry
from treasury.selectors import accounts, proofs
from treasury.selectors import periods as reads
from treasury.services import periods

DAYS_SHOWN = 31
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class LateReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=periods.REASON_CHARS_MAX)


class LateEntryOut(serializers.ModelSerializer[LateEntry]):
    """What a bank would change on a closed day, and what a person decided."""

    amount = AmountField()

    class Meta:
        model = LateEntry
        fields = [
            "id", "account", "entry", "statement", "change", "amount", "booking_before",
            "value_before", "booking_after", "value_after", "settled", "kept", "closed_until",
            "found_at", "state", "reason", "decided_by", "decided_at",
        ]  # fmt: skip


class LateEntryList(ListAPIView[LateEntry]):
    """List late entries, newest first."""

    serializer_class = LateEntryOut
    filterset_fields = {"state": ["exact", "in"], "account": ["exact"], "change": ["exact"]}

    def get_queryset(self) -> QuerySet[LateEntry]:
        """Return the tenant's late entries."""
        return reads.late_entries()


class LateEntryAccept(APIView):
    """Accept a late entry."""

    permission_classes = [HasRole]
    roles_for_writing = periods.DECIDERS

    @extend_schema(request=LateReasonIn, responses=LateEntryOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, late_id: UUID) -> Response:
        """Let one entry change its closed day, at once."""
        given = LateReasonIn(data=request.data)
        given.is_valid(raise_exception=True)

        def accept() -> Response:
            held = periods.accept_late(
                late_id=late_id, actor=actor(request), reason=given.validated_data["reason"]
            )
            return Response(LateEntryOut(held).data)

        return once(request, accept)


class LateEntryLeave(APIView):
    """Leave a closed day as it is."""

    permission_classes = [HasRole]
    roles_for_writing = periods.DECIDERS

    @extend_schema(request=LateReasonIn, responses=LateEntryOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, late_id: UUID) -> Response:
        """Keep the entry held; it may still be accepted later."""
        given = LateReasonIn(data=request.data)
        given.is_valid(raise_exception=True)

        def leave() -> Response:
            held = periods.leave_late(
                late_id=late_id, actor=actor(request), reason=given.validated_data["reason"]
            )
            return Response(LateEntryOut(held).data)

        return once(request, leave)


class LateSeveralIn(serializers.Serializer[Any]):
    """Which late entries, what becomes of them, and why."""

    late_entries = serializers.ListField(
        child=serializers.UUIDField(), min_length=1, max_length=periods.TOGETHER_MAX
    )
    outcome = serializers.ChoiceField(choices=["ACCEPT", "LEAVE"])
    reason = serializers.CharField(max_length=periods.REASON_CHARS_MAX)


class LateDecidedOut(serializers.Serializer[Any]):
    """What became of one: its new state, or why it was not decided."""

    late_entry = serializers.UUIDField(source="late_id")
    state = serializers.CharField()
    refusal = serializers.SerializerMethodField()

    def get_refusal(self, decided: periods.Decided) -> str:
        """Return why it was not decided, empty when it was."""
        return decided.refusal.message if decided.refusal else ""


class LateEntriesDecide(APIView):
    """Decide on several late entries together."""

    permission_classes = [HasRole]
    roles_for_writing = periods.DECIDERS

    @extend_schema(
        request=LateSeveralIn, responses=LateDecidedOut(many=True), parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Accept or leave them for one reason; each is decided, or refused, by itself."""
        given = LateSeveralIn(data=request.data)
        given.is_valid(raise_exception=True)

        def decide() -> Response:
            wish = given.validated_data
            found = periods.decide_several(
                late_ids=wish["late_entries"],
                outcome=wish["outcome"],
                actor=actor(request),
                reason=wish["reason"],
            )
            return Response(LateDecidedOut(found, many=True).data)

        return once(request, decide)


class ProofQuery(serializers.Serializer[Any]):
    """Which days: up to 92, by default the last 31."""

    start = DayField(required=False)
    end = DayField(required=False, help_text="Today in the account's zone by default.")


class DayProofOut(serializers.Serializer[Any]):
    """One day: opening, lines and closing, and what is missing between them."""

    day = serializers.DateField()
    proof = serializers.ChoiceField(choices=[one.value for one in DayProof])
    opening = AmountField(allow_null=True)
    lines = AmountField()
    closing = AmountField(allow_null=True)
    off = AmountField()
    since = serializers.DateField(allow_null=True, help_text="Where a gap begins.")
    words = serializers.CharField()


class AccountProofOut(serializers.Serializer[Any]):
    """The daily proof of one account."""

    account = serializers.UUIDField(source="account.pk")
    currency = serializers.CharField(source="account.currency")
    is_green = serializers.BooleanField()
    days = DayProofOut(many=True)


class AccountProofs(APIView):
    """The daily proof of an account."""

    @extend_schema(parameters=[ProofQuery], responses=AccountProofOut)
    def get(self, request: Request, account_id: UUID) -> Response:
        """Return each day's opening, lines and closing; green, or the gap by amount."""
        asked = ProofQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        account = accounts.account(account_id)
        end = asked.validated_data.get("end") or clock.today(account.timezone)
        start = asked.validated_data.get("start") or end - timedelta(days=DAYS_SHOWN - 1)
        found = proofs.daily_proofs([account], start=start, end=end)[0]
        return Response(AccountProofOut(found).data)
