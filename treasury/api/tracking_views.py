"""Where payments are, and what waits for a person: parse, call, present."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import HasRole, actor
from core.api.fields import AmountField
from core.idempotency import once
from treasury.api import webhook
from treasury.models import Recall, RecallReason, Task
from treasury.selectors import recalls as recall_reads
from treasury.selectors import tasks as reads
from treasury.selectors import tracking as tracks
from treasury.services import recalls, tasks
from treasury.services.tracking import TrackedIn, hear_tracker

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)
SIGNED = [
    OpenApiParameter(webhook.TIMESTAMP_HEADER, str, OpenApiParameter.HEADER, required=True),
    OpenApiParameter(
        webhook.SIGNATURE_HEADER,
        str,
        OpenApiParameter.HEADER,
        required=True,
        description="v1= and the hex HMAC-SHA256 of timestamp, a point and the body.",
    ),
]


class TrackingIn(serializers.Serializer[Any]):
    """One report of a tracker; the same `event_id` again is recorded once."""

    event_id = serializers.CharField(max_length=64)
    status = serializers.RegexField(r"^[A-Z]{4}$")
    reason = serializers.RegexField(r"^[A-Z0-9]{1,4}$", required=False, default="")
    words = serializers.CharField(max_length=140, required=False, default="")
    said_at = serializers.DateTimeField()
    held_by = serializers.RegexField(
        r"^[A-Z0-9]{4}[A-Z]{2}[A-Z0-9]{2}([A-Z0-9]{3})?$", required=False, default=""
    )
    charge = AmountField(required=False, allow_null=True, default=None)
    charge_currency = serializers.RegexField(r"^[A-Z]{3}$", required=False, default="")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Refuse a charge without its currency, a currency without a charge, a negative one."""
        charge = attrs["charge"]
        if (charge is None) != (attrs["charge_currency"] == ""):
            words = "A charge has an amount and a currency."
            raise serializers.ValidationError({"charge_currency": [words]})
        if charge is not None and charge < 0:
            raise serializers.ValidationError({"charge": ["A charge is not negative."]})
        return attrs


class LegOut(serializers.Serializer[Any]):
    """One report about a payment on its way."""

    at = serializers.DateTimeField()
    status = serializers.CharField()
    words = serializers.CharField()
    reason = serializers.CharField()
    reason_words = serializers.CharField()
    held_by = serializers.CharField()
    charge = AmountField(allow_null=True)
    charge_currency = serializers.CharField()
    source = serializers.CharField()  # type: ignore[assignment]
    late = serializers.BooleanField()


class TrackOut(serializers.Serializer[Any]):
    """The way of a payment: legs in the banks' own time, who has it, what it cost."""

    uetr = serializers.UUIDField(source="transfer.uetr")
    end_to_end_id = serializers.CharField(source="transfer.end_to_end_id")
    state = serializers.CharField(source="transfer.proposal.state")
    held_by = serializers.CharField()
    short_by = AmountField()
    charges = serializers.SerializerMethodField()
    legs = LegOut(many=True)

    def get_charges(self, track: tracks.Track) -> dict[str, str]:
        """Return what banks on the way took, by currency."""
        return {currency: f"{amount:f}" for currency, amount in track.charges}


class PaymentTracking(APIView):
    """The way of one payment, and the webhook of trackers."""

    permission_classes = [HasRole]
    roles_for_writing = ("integration",)

    @extend_schema(responses=TrackOut)
    def get(self, _request: Request, uetr: UUID) -> Response:
        """Show the legs of a payment by its UETR."""
        return Response(TrackOut(tracks.track_by_uetr(uetr)).data)

    @extend_schema(
        request=TrackingIn,
        responses={
            201: TrackOut,
            200: OpenApiResponse(TrackOut, description="Recorded before."),
        },
        parameters=SIGNED,
    )
    def post(self, request: Request, uetr: UUID) -> Response:
        """Record a tracker's report, once per event_id."""
        webhook.verify(request, about=str(uetr))
        given = TrackingIn(data=request.data)
        given.is_valid(raise_exception=True)
        heard = hear_tracker(payment=uetr, report=TrackedIn(**given.validated_data))
        code = status.HTTP_201_CREATED if heard.is_new else status.HTTP_200_OK
        return Response(TrackOut(tracks.track_by_uetr(uetr)).data, status=code)


class RecallIn(serializers.Serializer[Any]):
    """Why a payment is asked back."""

    reason = serializers.ChoiceField(choices=RecallReason.choices)
    words = serializers.CharField(max_length=105)


class RecallOut(serializers.ModelSerializer[Recall]):
    """A recall and what the bank said to it."""

    class Meta:
        model = Recall
        fields = [
            "id", "transfer", "case_id", "reason", "words", "state", "requested_by",
            "requested_at", "message_id", "closing_reason", "answered_at",
        ]  # fmt: skip


class RecallList(ListAPIView[Recall]):
    """List recalls, newest first."""

    serializer_class = RecallOut
    filterset_fields = {"state": ["exact", "in"], "transfer": ["exact"]}

    def get_queryset(self) -> QuerySet[Recall]:
        """Return the tenant's recalls."""
        return recall_reads.recalls()


class TransferRecall(APIView):
    """Ask a payment back."""

    permission_classes = [HasRole]
    roles_for_writing = recalls.ASKERS

    @extend_schema(request=RecallIn, responses={201: RecallOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, transfer_id: UUID) -> Response:
        """Put the recall of a payment before its checkers."""
        given = RecallIn(data=request.data)
        given.is_valid(raise_exception=True)

        def ask() -> Response:
            made = recalls.request_recall(
                transfer_id=transfer_id, actor=actor(request), **given.validated_data
            )
            return Response(RecallOut(made).data, status=201)

        return once(request, ask)


class TaskNoteIn(serializers.Serializer[Any]):
    """What was found or done."""

    note = serializers.CharField(max_length=500)


class TaskOut(serializers.ModelSerializer[Task]):
    """Something a person must look into."""

    stands = serializers.CharField(read_only=True)
    proposal = serializers.UUIDField(source="transfer.proposal_id", allow_null=True, default=None)

    class Meta:
        model = Task
        fields = [
            "id", "kind", "severity", "title", "detail", "stands", "transfer", "proposal",
            "opened_at", "acknowledged_by", "acknowledged_at", "done_by", "done_at", "note",
        ]  # fmt: skip


class TaskList(ListAPIView[Task]):
    """List tasks, newest first."""

    serializer_class = TaskOut
    filterset_fields = {
        "kind": ["exact", "in"],
        "done_at": ["isnull"],
        "acknowledged_at": ["isnull"],
        "transfer": ["exact"],
    }

    def get_queryset(self) -> QuerySet[Task]:
        """Return the tenant's tasks."""
        return reads.tasks()


class TaskAcknowledge(APIView):
    """Say that one looks into it."""

    permission_classes = [HasRole]
    roles_for_writing = tasks.WORKERS

    @extend_schema(request=None, responses=TaskOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, task_id: UUID) -> Response:
        """Acknowledge a task; the first person stays named."""

        def acknowledge() -> Response:
            held = tasks.acknowledge_task(task_id=task_id, actor=actor(request))
            return Response(TaskOut(reads.task(held.pk)).data)

        return once(request, acknowledge)


class TaskClose(APIView):
    """Close a task."""

    permission_classes = [HasRole]
    roles_for_writing = tasks.WORKERS

    @extend_schema(request=TaskNoteIn, responses=TaskOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, task_id: UUID) -> Response:
        """Close a task with a note of what was found."""
        given = TaskNoteIn(data=request.data)
        given.is_valid(raise_exception=True)

        def close() -> Response:
            held = tasks.close_task(
                task_id=task_id, actor=actor(request), note=given.validated_data["note"]
            )
            return Response(TaskOut(reads.task(held.pk)).data)

        return once(request, close)
