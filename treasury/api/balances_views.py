"""API of balances: what there is, where it comes from, and the webhook banks report to."""

from uuid import UUID

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole, actor
from core.api.pagination import NewestFirst
from core.errors import NotFound
from treasury.api import webhook
from treasury.api.balances_serializers import (
    BalanceOut,
    BalancePageOut,
    BalanceQuery,
    EntryDetailOut,
    EntryOut,
    EntryPageOut,
    EntryQuery,
    LadderQuery,
    PositionDayOut,
    ReadAgainOut,
    RecordedOut,
    ReportedBalanceIn,
)
from treasury.selectors import accounts, positions, statements
from treasury.services import reported
from treasury.services.ingest import read_again


class BalanceList(APIView):
    """Balances per account, and the webhook for new ones."""

    permission_classes = [HasRole]
    roles_for_writing = ("integration",)

    @extend_schema(parameters=[BalanceQuery], responses=BalancePageOut)
    def get(self, request: Request) -> Response:
        """List balances with age, source and the way down to the bytes they were read from."""
        asked = BalanceQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        found = accounts.accounts(wanted.get("currency"))
        if "entity" in wanted:
            found = found.filter(entity=wanted["entity"])
        if "account" in wanted:
            found = found.filter(pk=wanted["account"])
        pages = NewestFirst()
        page = pages.paginate_queryset(found, request, view=self) or []
        now = clock.now()
        on = wanted.get("on") or now.date()
        rows = positions.positions(on=on, accounts=page)
        context = {"available": positions.available_many(page, on=on, now=now)}
        return pages.get_paginated_response(BalanceOut(rows, many=True, context=context).data)

    @extend_schema(
        request=ReportedBalanceIn,
        responses={
            201: RecordedOut,
            200: OpenApiResponse(RecordedOut, description="Recorded before."),
        },
        parameters=[
            OpenApiParameter(webhook.TIMESTAMP_HEADER, str, OpenApiParameter.HEADER, required=True),
            OpenApiParameter(
                webhook.SIGNATURE_HEADER,
                str,
                OpenApiParameter.HEADER,
                required=True,
                description="v1= and the hex HMAC-SHA256 of timestamp, a point and the body.",
            ),
        ],
    )
    def post(self, request: Request) -> Response:
        """Record a reported balance, once per event_id."""
        webhook.verify(request)
        given = ReportedBalanceIn(data=request.data)
        given.is_valid(raise_exception=True)
        balance = reported.ReportedBalance(**given.validated_data)
        recorded = reported.report_balance(balance=balance)
        code = status.HTTP_201_CREATED if recorded.is_new else status.HTTP_200_OK
        return Response(RecordedOut(recorded).data, status=code)


class StatementAgain(APIView):
    """Read a statement that was kept aside again."""

    @extend_schema(operation_id="statements_again", request=None, responses=ReadAgainOut)
    def post(self, request: Request, statement_id: UUID) -> Response:
        """Read its bytes with the bank's present profile; a new version comes of a difference."""
        result = read_again(statement_id=statement_id, actor=actor(request))
        return Response(ReadAgainOut(result).data)


class AccountLadder(APIView):
    """The position of one account, day by day."""

    @extend_schema(parameters=[LadderQuery], responses=PositionDayOut(many=True))
    def get(self, request: Request, account_id: UUID) -> Response:
        """List days by value date."""
        asked = LadderQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        start = asked.validated_data.get("start")
        if start is None:
            start = clock.today(accounts.account(account_id).timezone)
        days = positions.position_ladder(
            account_id=account_id, start=start, days=asked.validated_data["days"]
        )
        return Response(PositionDayOut(days, many=True).data)


class AccountEntries(APIView):
    """The entries of one account, newest first."""

    @extend_schema(
        operation_id="account_entries_list", parameters=[EntryQuery], responses=EntryPageOut
    )
    def get(self, request: Request, account_id: UUID) -> Response:
        """List entries with the message they were read from."""
        asked = EntryQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = dict(asked.validated_data)
        found = statements.entries_of(accounts.account(account_id).pk)
        if "start" in wanted:
            found = found.filter(value_date__gte=wanted.pop("start"))
        if "end" in wanted:
            found = found.filter(value_date__lte=wanted.pop("end"))
        pages = NewestFirst()
        page = pages.paginate_queryset(found.filter(**wanted), request, view=self) or []
        return pages.get_paginated_response(EntryOut(page, many=True).data)


class EntryDetail(APIView):
    """One entry with every sighting of it."""

    @extend_schema(operation_id="account_entry", responses=EntryDetailOut)
    def get(self, _request: Request, account_id: UUID, entry_id: UUID) -> Response:
        """Show in which messages it was seen, and where in them."""
        found = statements.entries_of(account_id).filter(pk=entry_id).first()
        if found is None:
            raise NotFound("There is no such entry.", id=str(entry_id))
        context = {"observations": statements.observations_of(found.pk)}
        return Response(EntryDetailOut(found, context=context).data)
