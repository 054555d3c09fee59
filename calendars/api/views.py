"""Read-only API of windows and holidays."""

from datetime import date, timedelta

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calendars import selectors
from calendars.api.serializers import HolidayOut, HolidayQuery, WindowOut, WindowQuery
from calendars.constants import HOLIDAYS_LISTED_MAX, HOUSE_ZONE
from core import clock

YEAR = timedelta(days=366)


class WindowsView(APIView):
    """The cut-off windows of all rails, with a countdown."""

    @extend_schema(parameters=[WindowQuery], responses=WindowOut(many=True))
    def get(self, request: Request) -> Response:
        """List the rails at this instant."""
        asked = WindowQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        statuses = [
            status
            for status in selectors.all_rail_statuses(clock.now(), bank=wanted.get("bank"))
            if wanted.get("rail", status.rail) == status.rail
            and wanted.get("currency", status.currency) == status.currency
        ]
        return Response(WindowOut(statuses, many=True).data)


class HolidaysView(APIView):
    """Holidays of all calendars, soonest first."""

    @extend_schema(
        parameters=[
            OpenApiParameter("calendar", str, description="Calendar code, like FED."),
            OpenApiParameter(
                "from", OpenApiTypes.DATE, description="First day; today when left out."
            ),
            OpenApiParameter(
                "to", OpenApiTypes.DATE, description="Last day; a year on when left out."
            ),
            OpenApiParameter("status", str, enum=["PROVISIONAL", "CONFIRMED", "CANCELLED"]),
        ],
        responses=HolidayOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """List holidays between two dates."""
        asked = HolidayQuery(data=request.query_params)
        asked.is_valid(raise_exception=True)
        wanted = asked.validated_data
        start: date = wanted.get("start") or clock.today(HOUSE_ZONE)
        found = selectors.holidays_between(
            start=start,
            end=wanted.get("end") or start + YEAR,
            calendar=wanted.get("calendar"),
            status=wanted.get("status"),
        )
        return Response(HolidayOut(found[:HOLIDAYS_LISTED_MAX], many=True).data)
