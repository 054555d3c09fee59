"""A deal's ticket, and deals from a file, over the API."""

from typing import Any
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import HasRole, actor
from core.errors import Invalid
from fx.constants import FILE_BYTES_MAX
from fx.models import DealFile
from fx.paper import draw
from fx.selectors.tickets import ticket_of
from fx.services import deals
from fx.services.deal_files import capture_file


class DealFileIn(serializers.Serializer[Any]):
    """A CSV file of deals."""

    file = serializers.FileField(max_length=200)


class DealFileOut(serializers.ModelSerializer[DealFile]):
    """A file whose rows all became drafts, in the order of the rows."""

    deals = serializers.SerializerMethodField()

    class Meta:
        model = DealFile
        fields = ["id", "name", "sha256", "rows_count", "maker", "received_at", "deals"]

    def get_deals(self, kept: DealFile) -> list[str]:
        """Return the references of the drafts."""
        return list(kept.rows.order_by("row_number").values_list("deal__reference", flat=True))


class DealFileUpload(APIView):
    """Deals from a CSV file."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = deals.MAKERS
    parser_classes = [MultiPartParser]

    @extend_schema(request={"multipart/form-data": DealFileIn}, responses=DealFileOut)
    def post(self, request: Request) -> Response:
        """Make a draft of every row, or of none; the same file again is the same drafts."""
        given = DealFileIn(data=request.data)
        given.is_valid(raise_exception=True)
        file = given.validated_data["file"]
        if file.size > FILE_BYTES_MAX:
            raise Invalid(f"A file has at most {FILE_BYTES_MAX:,} bytes.", field="file")
        kept = capture_file(name=file.name, data=file.read(), maker=actor(request))
        return Response(DealFileOut(kept).data)


class DealTicket(APIView):
    """A deal's ticket."""

    @extend_schema(
        responses={(200, "application/pdf"): OpenApiResponse(OpenApiTypes.BINARY)},
        operation_id="fx_deal_ticket",
    )
    def get(self, _request: Request, deal_id: UUID) -> HttpResponse:
        """Hand the deal's ticket out as a PDF; the same state gives the same bytes."""
        found = ticket_of(deal_id)
        answer = HttpResponse(draw(found), content_type="application/pdf")
        answer["Content-Disposition"] = f'attachment; filename="{found.reference}.pdf"'
        return answer
