"""Files of proposals over the API: parse, call, present."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import HasRole, actor
from core.idempotency import once
from treasury.models import ProposalUpload
from treasury.selectors import uploads as reads
from treasury.services import proposals, uploading

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class UploadIn(serializers.Serializer[Any]):
    """A file of proposals: CSV, Excel workbook or pain.001."""

    file = serializers.FileField(max_length=200, allow_empty_file=True)

    def validate_file(self, given: Any) -> Any:
        """Refuse a large file before it is read."""
        if given.size > uploading.FILE_BYTES_MAX:
            raise serializers.ValidationError(
                f"A file has at most {uploading.FILE_BYTES_MAX:,} bytes."
            )
        return given


class UploadFindingOut(serializers.Serializer[Any]):
    """What is wrong, or worth knowing, about a row; row 0 is the file."""

    row = serializers.IntegerField()
    field = serializers.CharField()
    message = serializers.CharField()
    error = serializers.BooleanField()


class UploadTotalOut(serializers.Serializer[Any]):
    """The sum of the rows of one account and currency."""

    account = serializers.CharField()
    currency = serializers.CharField()
    count = serializers.IntegerField()
    amount = serializers.CharField()


class UploadOut(serializers.ModelSerializer[ProposalUpload]):
    """An upload: what it would propose, what is wrong with it, how far it is."""

    stands = serializers.CharField(read_only=True)
    findings = UploadFindingOut(many=True)
    totals = UploadTotalOut(many=True)

    class Meta:
        model = ProposalUpload
        fields = [
            "id", "name", "sha256", "size_bytes", "format", "maker", "uploaded_at", "checked_at",
            "stands", "rows_count", "errors_count", "findings", "totals", "queued_at",
            "made_count", "problem", "submitted_at", "discarded_at",
        ]  # fmt: skip


class UploadList(ListAPIView[ProposalUpload]):
    """List uploads, newest first, or upload a file."""

    serializer_class = UploadOut
    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS
    parser_classes = [MultiPartParser]

    def get_queryset(self) -> QuerySet[ProposalUpload]:
        """Return the tenant's uploads."""
        return reads.uploads()

    @extend_schema(request={"multipart/form-data": UploadIn}, responses={201: UploadOut})
    def post(self, request: Request) -> Response:
        """Check a file; the same bytes of the same person are the same upload."""
        given = UploadIn(data=request.data)
        given.is_valid(raise_exception=True)
        file = given.validated_data["file"]
        kept = uploading.upload_file(name=file.name, data=file.read(), maker=actor(request))
        return Response(UploadOut(reads.upload(kept.pk)).data, status=201)


class UploadDetail(RetrieveAPIView[ProposalUpload]):
    """Show one upload."""

    serializer_class = UploadOut

    def get_object(self) -> ProposalUpload:
        """Return it, or refuse with 404."""
        return reads.upload(self.kwargs["upload_id"])


class UploadSubmit(APIView):
    """Submit an upload."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=None, responses=UploadOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, upload_id: UUID) -> Response:
        """Put all rows before their checkers, or none; large files soon, small ones at once."""

        def submit() -> Response:
            uploading.submit_upload(upload_id=upload_id, actor=actor(request))
            return Response(UploadOut(reads.upload(upload_id)).data)

        return once(request, submit)


class UploadDiscard(APIView):
    """Give an upload up."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=None, responses=UploadOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, upload_id: UUID) -> Response:
        """Discard an upload that was not submitted."""

        def discard() -> Response:
            uploading.discard_upload(upload_id=upload_id, actor=actor(request))
            return Response(UploadOut(reads.upload(upload_id)).data)

        return once(request, discard)
