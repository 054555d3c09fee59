"""Beneficiaries: parse, call, present."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core.api.actor import HasRole, actor
from core.idempotency import once
from treasury.api.beneficiary_serializers import BeneficiaryIn, BeneficiaryOut, ReadinessOut
from treasury.models import Beneficiary
from treasury.selectors import beneficiaries as reads
from treasury.selectors.readiness import STATES, readiness
from treasury.services import beneficiaries

READINESS_ROWS_MAX = 1_000
IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


class BeneficiaryList(ListAPIView[Beneficiary]):
    """List beneficiaries, or put one on the list."""

    serializer_class = BeneficiaryOut
    permission_classes = [HasRole]
    roles_for_writing = beneficiaries.KEEPERS
    filterset_fields = {
        "state": ["exact"],
        "currency": ["exact"],
        "country": ["exact"],
        "bank_bic": ["exact"],
        "is_typed_in": ["exact"],
        "is_verified": ["exact"],
    }

    def get_queryset(self) -> QuerySet[Beneficiary]:
        """Return the tenant's beneficiaries, newest first."""
        return reads.beneficiaries().order_by("-id")

    @extend_schema(
        request=BeneficiaryIn, responses={201: BeneficiaryOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Put somebody on the list; another person verifies the number."""
        given = BeneficiaryIn(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = beneficiaries.BeneficiaryIn(**given.validated_data)

        def create() -> Response:
            made = beneficiaries.create_beneficiary(beneficiary=wanted, actor=actor(request))
            return Response(BeneficiaryOut(made).data, status=201)

        return once(request, create)


class BeneficiaryDetail(RetrieveAPIView[Beneficiary]):
    """Show or change one beneficiary."""

    serializer_class = BeneficiaryOut
    permission_classes = [HasRole]
    roles_for_writing = beneficiaries.KEEPERS

    def get_object(self) -> Beneficiary:
        """Return it, or refuse with 404."""
        return reads.beneficiary(self.kwargs["beneficiary_id"])

    @extend_schema(request=BeneficiaryIn, responses=BeneficiaryOut, parameters=[IDEMPOTENCY_KEY])
    def put(self, request: Request, beneficiary_id: UUID) -> Response:
        """Replace what is known; the verification ends and the cool-off begins."""
        given = BeneficiaryIn(data=request.data)
        given.is_valid(raise_exception=True)
        wanted = beneficiaries.BeneficiaryIn(**given.validated_data)

        def change() -> Response:
            changed = beneficiaries.change_beneficiary(
                beneficiary_id=beneficiary_id, beneficiary=wanted, actor=actor(request)
            )
            return Response(BeneficiaryOut(changed).data)

        return once(request, change)


class BeneficiaryVerify(APIView):
    """Verify a beneficiary."""

    permission_classes = [HasRole]
    roles_for_writing = beneficiaries.VERIFIERS

    @extend_schema(request=None, responses=BeneficiaryOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, beneficiary_id: UUID) -> Response:
        """Record that the caller, another person than who wrote it, confirmed the account."""

        def verify() -> Response:
            done = beneficiaries.verify_beneficiary(
                beneficiary_id=beneficiary_id, actor=actor(request)
            )
            return Response(BeneficiaryOut(done).data)

        return once(request, verify)


class BeneficiaryBlock(APIView):
    """Block a beneficiary."""

    permission_classes = [HasRole]
    roles_for_writing = beneficiaries.BLOCKERS

    @extend_schema(request=None, responses=BeneficiaryOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, beneficiary_id: UUID) -> Response:
        """Stop all payments to it at once."""

        def block() -> Response:
            done = beneficiaries.block_beneficiary(
                beneficiary_id=beneficiary_id, actor=actor(request)
            )
            return Response(BeneficiaryOut(done).data)

        return once(request, block)


class BeneficiaryUnblock(APIView):
    """Let a blocked beneficiary be paid again."""

    permission_classes = [HasRole]
    roles_for_writing = beneficiaries.KEEPERS

    @extend_schema(request=None, responses=BeneficiaryOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, beneficiary_id: UUID) -> Response:
        """Treat it like a new one: verification and cool-off start anew."""

        def unblock() -> Response:
            done = beneficiaries.unblock_beneficiary(
                beneficiary_id=beneficiary_id, actor=actor(request)
            )
            return Response(BeneficiaryOut(done).data)

        return once(request, unblock)


class BeneficiaryReadiness(APIView):
    """Say how many beneficiaries could be paid today."""

    @extend_schema(
        responses=ReadinessOut,
        parameters=[
            OpenApiParameter("state", enum=STATES),
            OpenApiParameter("rule"),
            OpenApiParameter("country"),
        ],
    )
    def get(self, request: Request) -> Response:
        """Return score, broken rules, and the beneficiaries that fit the filters."""
        found = readiness()
        wanted = {name: request.query_params.get(name, "") for name in ("state", "rule", "country")}
        rows = [row for row in found.chosen(**wanted) if wanted["state"] or row.findings]
        answer = {
            "total": found.total,
            "payable": found.payable,
            "percent": found.percent,
            "counts": found.counts,
            "rules": found.rules,
            "rows": rows[:READINESS_ROWS_MAX],
        }
        return Response(ReadinessOut(answer).data)
