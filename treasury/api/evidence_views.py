"""The evidence of a transfer, as JSON or as PDF."""

import json
from typing import Any
from uuid import UUID

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import actor
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


class TransferEvidence(APIView):
    """Everything that proves a transfer."""

    renderer_classes = [ProblemRenderer, PaperRenderer]

    @extend_schema(parameters=[FORMAT], responses={200: OpenApiTypes.OBJECT})
    def get(self, request: Request, transfer_id: UUID) -> Response:
        """Return the evidence pack: origin, approval, messages, statement lines, audit entries."""
        if not actor(request).has_role(*evidence.READERS):
            raise Forbidden("Evidence is for auditors, risk, managers, checkers and makers.")
        made = evidence.build(transfer_id=transfer_id)
        renderer: Any = getattr(request, "accepted_renderer", None)
        is_paper = renderer is not None and renderer.format == "pdf"
        answer = Response(evidence.draw(made) if is_paper else evidence.pack_of(made))
        kind = "pdf" if is_paper else "json"
        answer["Content-Disposition"] = f'attachment; filename="{made.reference}.{kind}"'
        return answer
