"""Proposals, transfers, prefunding: parse, call, present."""

from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView, RetrieveAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from approvals.services import BreakGlass, BreakGlassReason
from core.api.actor import HasRole, actor
from core.idempotency import once
from treasury.api.movement_serializers import (
    MovementReasonIn,
    NewProposalIn,
    PreflightOut,
    PrefundingOut,
    ProposalDetailOut,
    ProposalIn,
    ProposalOut,
    SubmissionIn,
    TransferDetailOut,
    TransferOut,
)
from treasury.models import PrefundingRequest, Proposal, Transfer
from treasury.selectors import movement as reads
from treasury.services import preflighting, prefunding, proposals, transfers
from treasury.services.beneficiaries import BeneficiaryIn

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)


def _draft(given: ProposalIn) -> proposals.ProposalIn:
    """Return the terms that were asked for."""
    beside = ("submit", "break_glass")
    terms = {name: value for name, value in given.validated_data.items() if name not in beside}
    typed_in = terms.pop("typed_in", None)
    # The currency is that of the account that pays.
    somebody = BeneficiaryIn(currency="", **typed_in) if typed_in else None
    return proposals.ProposalIn(typed_in=somebody, **terms)


def _break_glass(given: NewProposalIn | SubmissionIn) -> BreakGlass | None:
    """Return the emergency that was named, or None."""
    glass = given.validated_data.get("break_glass")
    return BreakGlass(**{**glass, "reason": BreakGlassReason(glass["reason"])}) if glass else None


class ProposalList(ListAPIView[Proposal]):
    """List proposals, newest first, or make one."""

    serializer_class = ProposalOut
    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS
    filterset_fields = {
        "state": ["exact", "in"],
        "currency": ["exact"],
        "purpose": ["exact"],
        "rail": ["exact"],
        "beneficiary": ["exact"],
        "value_date": ["exact", "gte", "lte"],
        "reference": ["exact"],
    }

    def get_queryset(self) -> QuerySet[Proposal]:
        """Return the tenant's proposals."""
        return reads.proposals()

    @extend_schema(
        request=NewProposalIn, responses={201: ProposalOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request) -> Response:
        """Make a proposal and submit it, once per Idempotency-Key."""
        given = NewProposalIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._create(request, given))

    def _create(self, request: Request, given: NewProposalIn) -> Response:
        submit = given.validated_data["submit"]
        maker = actor(request)
        made = proposals.create_proposal(draft=_draft(given), maker=maker)
        if submit:
            proposals.submit_proposal(
                proposal_id=made.pk, actor=maker, break_glass=_break_glass(given)
            )
        return Response(ProposalOut(reads.proposal(made.pk)).data, status=201)


class ProposalPreflight(APIView):
    """Check terms without proposing anything."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=ProposalIn, responses=PreflightOut)
    def post(self, request: Request) -> Response:
        """Say what the bank would refuse or change; nothing is stored."""
        given = ProposalIn(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(PreflightOut(preflighting.look_at(draft=_draft(given))).data)


class ProposalDetail(RetrieveAPIView[Proposal]):
    """Show one proposal with what its checkers should know."""

    serializer_class = ProposalDetailOut

    def get_object(self) -> Proposal:
        """Return it, or refuse with 404."""
        return reads.proposal(self.kwargs["proposal_id"])


class ProposalSubmit(APIView):
    """Submit a draft."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=SubmissionIn, responses=ProposalOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, proposal_id: UUID) -> Response:
        """Put the caller's draft before its checkers; in an emergency over broken glass."""
        given = SubmissionIn(data=request.data)
        given.is_valid(raise_exception=True)

        def submit() -> Response:
            proposals.submit_proposal(
                proposal_id=proposal_id, actor=actor(request), break_glass=_break_glass(given)
            )
            return Response(ProposalOut(reads.proposal(proposal_id)).data)

        return once(request, submit)


class ProposalWithdraw(APIView):
    """Withdraw a proposal."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=MovementReasonIn, responses=ProposalOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, proposal_id: UUID) -> Response:
        """Take the caller's proposal back before anything was sent."""
        given = MovementReasonIn(data=request.data)
        given.is_valid(raise_exception=True)

        def withdraw() -> Response:
            proposals.withdraw_proposal(
                proposal_id=proposal_id,
                actor=actor(request),
                reason=given.validated_data["reason"],
            )
            return Response(ProposalOut(reads.proposal(proposal_id)).data)

        return once(request, withdraw)


class ProposalAmend(APIView):
    """Amend a pending proposal."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=ProposalIn, responses=ProposalOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, proposal_id: UUID) -> Response:
        """Replace the terms: a new version, for which earlier decisions do not count."""
        given = ProposalIn(data=request.data)
        given.is_valid(raise_exception=True)

        def amend() -> Response:
            proposals.amend_proposal(
                proposal_id=proposal_id,
                draft=_draft(given),
                actor=actor(request),
            )
            return Response(ProposalOut(reads.proposal(proposal_id)).data)

        return once(request, amend)


class TransferList(ListAPIView[Transfer]):
    """List transfers, newest first."""

    serializer_class = TransferOut
    filterset_fields = {
        "proposal__state": ["exact", "in"],
        "proposal__currency": ["exact"],
        "proposal__rail": ["exact"],
        "proposal__beneficiary": ["exact"],
        "end_to_end_id": ["exact"],
        "uetr": ["exact"],
    }

    def get_queryset(self) -> QuerySet[Transfer]:
        """Return the tenant's transfers."""
        return reads.transfers()


class TransferDetail(RetrieveAPIView[Transfer]):
    """Show one transfer with everything its bank said."""

    serializer_class = TransferDetailOut

    def get_object(self) -> Transfer:
        """Return it, or refuse with 404."""
        return reads.transfer(self.kwargs["transfer_id"])


class TransferRetry(APIView):
    """Try a definitely failed transfer again."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=None, responses=TransferOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, transfer_id: UUID) -> Response:
        """Send it again with a new message id, while its cut-off has not passed."""

        def retry() -> Response:
            transfers.retry_transfer(transfer_id=transfer_id, actor=actor(request))
            return Response(TransferOut(reads.transfer(transfer_id)).data)

        return once(request, retry)


class PrefundingList(ListAPIView[PrefundingRequest]):
    """List prefunding requests, newest first, with the later shortfalls they suppressed."""

    serializer_class = PrefundingOut
    filterset_fields = {"currency": ["exact"], "local_date": ["exact", "gte", "lte"]}

    def get_queryset(self) -> QuerySet[PrefundingRequest]:
        """Return the tenant's prefunding."""
        return reads.prefunding_requests()


class PrefundingRearm(APIView):
    """Allow one more prefunding on the same day."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(
        request=MovementReasonIn, responses={201: PrefundingOut}, parameters=[IDEMPOTENCY_KEY]
    )
    def post(self, request: Request, request_id: UUID) -> Response:
        """Re-arm with a reason; the caller counts as the maker of what is proposed."""
        given = MovementReasonIn(data=request.data)
        given.is_valid(raise_exception=True)

        def rearm() -> Response:
            made = prefunding.rearm(
                request_id=request_id,
                actor=actor(request),
                reason=given.validated_data["reason"],
            )
            return Response(PrefundingOut(made).data, status=201)

        return once(request, rearm)


class TopUp(APIView):
    """Propose what a later shortfall of the day needs on top."""

    permission_classes = [HasRole]
    roles_for_writing = proposals.MAKERS

    @extend_schema(request=None, responses={201: PrefundingOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, suppressed_id: UUID) -> Response:
        """Make the top-up proposal; the caller is its maker."""

        def top_up() -> Response:
            made = prefunding.propose_top_up(suppressed_id=suppressed_id, actor=actor(request))
            return Response(PrefundingOut(made).data, status=201)

        return once(request, top_up)
