"""The evidence of a transfer, as JSON or as PDF."""

import json
from datetime import UTC
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import actor
from core.api.fields import DayField
from core.api.problems import ProblemRenderer
from core.errors import Forbidden
from treasury import evidence

FORMAT = OpenApiParameter(
    "format", OpenApiTypes.STR, enum=["json", "pdf"], description="How it is laid out."
)


class PaperRenderer(BaseRenderer):
    """PDF bytes as they are; a refusal stays a problem in JSON."""

    media_type = "application/pdf"
    format = "pdf"
    charset = None
    render_style = "binary"

    def render(
        self,
        data: Any,
        accepted_media_type: str | None = None,  # noqa: ARG002 - its signature
        renderer_context: Any = None,
    ) -> bytes:
        """Return the bytes."""
        if isinstance(data, bytes):
            return data
        response = (renderer_context or {}).get("response")
        if response is not None:
            response.content_type = "application/problem+json"
        return json.dumps(data).encode()


class EvidenceQuery(serializers.Serializer[None]):
    """Which days, as UTC counts them; empty: this month until today."""

    first = DayField(required=False)
    last = DayField(required=False)
    account = serializers.UUIDField(required=False)
    part = serializers.IntegerField(required=False, min_value=1, default=1)


def _require_reader(request: Request) -> None:
    if not actor(request).has_role(*evidence.READERS):
        raise Forbidden("Evidence is for auditors, risk, managers, checkers and makers.")


def _is_paper(request: Request) -> bool:
    renderer: Any = getattr(request, "accepted_renderer", None)
    return renderer is not None and renderer.format == "pdf"


class PeriodEvidence(APIView):
    """Everything that proves the payments of some days."""

    renderer_classes = [ProblemRenderer, PaperRenderer]

    @extend_schema(
        operation_id="evidence_of_period",
        parameters=[FORMAT, EvidenceQuery],
        responses={200: OpenApiTypes.OBJECT},
    )
    def get(self, request: Request) -> Response:
        """Return the evidence of all payments made in these days, with an index over them."""
        _require_reader(request)
        asked = EvidenceQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        today = clock.now().astimezone(UTC).date()
        last = given.get("last", today)
        period = evidence.Period(
            first=given.get("first", last.replace(day=1)),
            last=last,
            account=given.get("account"),
            part=given["part"],
        )
        made = evidence.build_period(period)
        answer = Response(
            evidence.draw_period(made) if _is_paper(request) else evidence.pack_of(made)
        )
        part = f"-{period.part}" if period.part > 1 else ""
        kind = "pdf" if _is_paper(request) else "json"
        name = f"evidence-{period.first}-{period.last}{part}.{kind}"
        answer["Content-Disposition"] = f'attachment; filename="{name}"'
        return answer


class TransferEvidence(APIView):
    """Everything that proves a transfer."""

    renderer_classes = [ProblemRenderer, PaperRenderer]

    @extend_schema(parameters=[FORMAT], responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, transfer_id: UUID) -> Response:
        """Return the evidence pack: origin, approval, messages, statement lines, audit entries."""
        _require_reader(request)
        made = evidence.build(transfer_id=transfer_id)
        is_paper = _is_paper(request)
        answer = Response(evidence.draw(made) if is_paper else evidence.pack_of(made))
        kind = "pdf" if is_paper else "json"
        answer["Content-Disposition"] = f'attachment; filename="{made.reference}.{kind}"'
        return answer
