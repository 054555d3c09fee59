"""Approval requests: read, approve, reject."""

from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from approvals import selectors, services
from approvals.api.serializers import (
    ApproveSeveralIn,
    ApproveSeveralOut,
    DecisionIn,
    DecisionResultOut,
    RequestDetailOut,
    RequestOut,
)
from approvals.evidence import NOTHING_SHOWN, Shown, evidence_of
from approvals.models import ApprovalRequest, Outcome
from core.api.actor import actor
from core.audit.refusals import refuse
from core.idempotency import once
from core.identity.passkeys import begin_passkey

IDEMPOTENCY_KEY = OpenApiParameter(
    "Idempotency-Key",
    OpenApiTypes.STR,
    OpenApiParameter.HEADER,
    required=True,
    description="The same key and body again return the first answer.",
)
WAITING_FOR_ME = OpenApiParameter(
    "waiting_for_me",
    OpenApiTypes.BOOL,
    description="With `true`: only requests that the caller may decide now.",
)


@extend_schema(parameters=[WAITING_FOR_ME])
class RequestList(ListAPIView[ApprovalRequest]):
    """Approval requests, newest first."""

    serializer_class = RequestOut
    filterset_fields = {
        "state": ["exact", "in"],
        "action": ["exact"],
        "subject_type": ["exact"],
        "subject_id": ["exact"],
        "currency": ["exact"],
        "rail": ["exact"],
    }

    def get_queryset(self) -> QuerySet[ApprovalRequest]:
        """Return the tenant's requests, or those of them that wait for the caller."""
        if self.request.query_params.get("waiting_for_me") != "true":
            return selectors.all_requests()
        waiting = selectors.inbox(user=actor(self.request)).order_by().values("pk")
        return selectors.all_requests().filter(pk__in=waiting)


class RequestDetail(APIView):
    """One request with its content and decisions."""

    @extend_schema(responses=RequestDetailOut)
    def get(self, request: Request, request_id: UUID) -> Response:
        """Return everything a checker needs to see."""
        viewer = actor(request)
        services.record_viewing(request=selectors.require_request(request_id), viewer=viewer)
        detail = selectors.request_detail(request_id=request_id, user=viewer)
        return Response(RequestDetailOut(detail).data)


class _Decide(APIView):
    """Record the caller's decision on exactly the content they name by its hash.

    There is no role list here: the service refuses everybody who may not check, with the reason.
    """

    outcome: Outcome

    @extend_schema(request=DecisionIn, responses=DecisionResultOut, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request, request_id: UUID) -> Response:
        """Decide, once per Idempotency-Key."""
        given = DecisionIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._decide(request, request_id, given))

    def _decide(self, request: Request, request_id: UUID, given: DecisionIn) -> Response:
        facts = dict(given.validated_data)
        shown = Shown(code=facts["code"], passkey=facts["passkey"])
        result = services.decide(
            request_id=request_id,
            checker=actor(request),
            outcome=self.outcome,
            evidence=evidence_of(
                request,
                content_hash=facts["content_hash"],
                shown=shown if self.outcome == Outcome.APPROVE else NOTHING_SHOWN,
                acknowledged=facts["acknowledged"],
                delegation=facts["delegation"],
            ),
            content_hash=facts["content_hash"],
            version=facts["version"],
            reason=facts["reason"],
        )
        return Response(DecisionResultOut(result).data)


class ApproveSeveral(APIView):
    """Approve several requests in one call, each as if it were the only one.

    What needs a second factor is refused here and approved by itself, or on the desk as a list.
    """

    @extend_schema(
        operation_id="api_v1_approvals_approve_several",
        request=ApproveSeveralIn,
        responses=ApproveSeveralOut,
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Decide, once per Idempotency-Key; what was refused says why."""
        given = ApproveSeveralIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._approve(request, given.validated_data["items"]))

    def _approve(self, request: Request, items: list[dict[str, Any]]) -> Response:
        found = services.approve_each(
            items=[
                services.ListedItem(
                    request_id=item["request"],
                    version=item["version"],
                    content_hash=item["content_hash"],
                    acknowledged=tuple(item["acknowledged"]),
                )
                for item in items
            ],
            checker=actor(request),
            evidence=evidence_of(request, content_hash=""),
        )
        first = next((one.refusal for one in found if one.refusal is not None), None)
        if first is not None:
            refuse(request, first)
        return Response(ApproveSeveralOut({"results": found}).data)


class BeginPasskey(APIView):
    """Begin to approve with a passkey: the challenge is bound to this request's content."""

    @extend_schema(request=None, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, request_id: UUID) -> Response:
        """Return the options that the browser's passkey answers."""
        found = selectors.require_request(request_id)
        options = begin_passkey(user=actor(request), content_hash=found.content_hash)
        return Response(options)


class Approve(_Decide):
    """Approve."""

    outcome = Outcome.APPROVE


class RequestChanges(_Decide):
    """Send it back to its maker, with what to change."""

    outcome = Outcome.CHANGES


class Reject(_Decide):
    """Reject, with a reason."""

    outcome = Outcome.REJECT
