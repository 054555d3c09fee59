"""Valuations over the API, and the points and interest they are made with."""

import json
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework.generics import ListAPIView
from rest_framework.parsers import MultiPartParser
from rest_framework.permissions import IsAuthenticated
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from core import clock
from core.api.actor import HasRole, actor
from core.errors import DomainError, Invalid
from core.idempotency import once
from fx.api import valuation_serializers as wire
from fx.api.rates_serializers import TakenOut
from fx.api.rates_views import IDEMPOTENCY_KEY
from fx.constants import FILE_BYTES_MAX
from fx.errors import NothingToValue
from fx.models import DealValuation, RevaluationRun
from fx.selectors import curves as curve_reads
from fx.selectors import valuation as reads
from fx.services.curves import InterestIn, PointIn, record_interest, record_points, upload_curves
from fx.services.rates import KEEPERS, Origin
from fx.services.sources import API
from fx.services.valuing import VALUERS, revalue


class CurveBoard(APIView):
    """Forward curves, and the push of points and interest."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = KEEPERS

    @extend_schema(responses=wire.CurveOut(many=True), operation_id="fx_curves")
    def get(self, _request: Request) -> Response:
        """Show the curve of every pair that has points; one that cannot be dated is left out."""
        market = curve_reads.Market(at=clock.now())
        found = []
        for pair, kept in sorted(market.points.items()):
            try:
                pillars = curve_reads.shown_curve(pair, market)
            except DomainError:  # no spot for a week, or a calendar that ends
                continue
            found.append(
                {
                    "pair": pair,
                    "source": kept.source,
                    "as_of": kept.at,
                    "fresh": kept.is_fresh,
                    "pillars": pillars,
                }
            )
        return Response(wire.CurveOut(instance=found, many=True).data)

    @extend_schema(request=wire.CurvesIn, responses={201: TakenOut}, parameters=[IDEMPOTENCY_KEY])
    def post(self, request: Request) -> Response:
        """Record pushed points and interest, all or nothing, once per Idempotency-Key."""
        given = wire.CurvesIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._record(request, given.validated_data))

    @transaction.atomic
    def _record(self, request: Request, facts: dict[str, Any]) -> Response:
        origin = Origin(
            source=API,
            name=facts["name"],
            data=json.dumps(request.data, sort_keys=True).encode(),
            received_from=actor(request).display_name[:80],
        )
        if not (facts["points"] or facts["interest"]):
            raise Invalid("Send points, interest, or both.", field="points")
        new = known = 0
        if facts["points"]:
            rows = [PointIn(row=row, **one) for row, one in enumerate(facts["points"], start=1)]
            taken = record_points(origin=origin, points=rows)
            new, known = taken.new, taken.known
        if facts["interest"]:
            rates = [
                InterestIn(row=row, **one) for row, one in enumerate(facts["interest"], start=1)
            ]
            taken = record_interest(origin=origin, rates=rates)
            new, known = new + taken.new, known + taken.known
        return Response({"new": new, "known": known}, status=201)


class CurveFile(APIView):
    """Points or interest from a CSV file."""

    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = KEEPERS
    parser_classes = [MultiPartParser]

    @extend_schema(request={"multipart/form-data": wire.CurvesFileIn}, responses=TakenOut)
    def post(self, request: Request) -> Response:
        """Record the rows of a file, all or none; the same file again changes nothing."""
        given = wire.CurvesFileIn(data=request.data)
        given.is_valid(raise_exception=True)
        file = given.validated_data["file"]
        if file.size > FILE_BYTES_MAX:
            raise Invalid(f"A file has at most {FILE_BYTES_MAX:,} bytes.", field="file")
        taken = upload_curves(name=file.name, data=file.read(), actor=actor(request))
        return Response(TakenOut(taken).data)


class ForwardRate(APIView):
    """A forward rate for any date."""

    @extend_schema(parameters=[wire.ForwardAsked], responses=wire.ForwardOut)
    def get(self, request: Request) -> Response:
        """Return the outright of a date with what it was made from; or refuse."""
        asked = wire.ForwardAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        facts = asked.validated_data
        found = curve_reads.forward_rate(facts["pair"], facts["day"], at=clock.now())
        return Response(wire.ForwardOut(found).data)


class ValuationRuns(ListAPIView[RevaluationRun]):
    """Valuations of all open deals, newest first."""

    serializer_class = wire.RevaluationOut
    permission_classes = (IsAuthenticated, HasRole)
    roles_for_writing = VALUERS
    filterset_fields = {"day": ["exact", "gte", "lte"]}

    def get_queryset(self) -> QuerySet[RevaluationRun]:
        """Return the tenant's runs."""
        return reads.runs()

    @extend_schema(
        request=wire.RevaluationIn,
        responses={201: wire.RevaluationOut},
        parameters=[IDEMPOTENCY_KEY],
    )
    def post(self, request: Request) -> Response:
        """Value all open deals now, once per Idempotency-Key; a valued day needs a reason."""
        given = wire.RevaluationIn(data=request.data)
        given.is_valid(raise_exception=True)
        return once(request, lambda: self._revalue(given.validated_data["reason"]))

    def _revalue(self, reason: str) -> Response:
        done = revalue(at=clock.now(), reason=reason)
        return Response(wire.RevaluationOut(done.run).data, status=201 if done.is_new else 200)


class Valuations(ListAPIView[DealValuation]):
    """What deals were worth; without a filter in the newest run."""

    serializer_class = wire.ValuationOut
    filterset_fields = {
        "run": ["exact"],
        "run__day": ["exact", "gte", "lte"],
        "deal": ["exact"],
        "deal__base": ["exact"],
        "deal__quote": ["exact"],
        "gap": ["exact"],
        "is_stale": ["exact"],
    }

    def get_queryset(self) -> QuerySet[DealValuation]:
        """Return the newest run's values, or all where a run, day or deal is asked for."""
        found = reads.valuations()
        if getattr(self, "swagger_fake_view", False):
            return found.none()
        if any(name.startswith(("run", "deal")) for name in self.request.query_params):
            return found
        return found.filter(run=reads.newest_run())


class Explanation(APIView):
    """Why the result changed between two days."""

    @extend_schema(parameters=[wire.ExplainAsked], responses=wire.ExplanationOut)
    def get(self, request: Request) -> Response:
        """Return the parts of the change by pair and together; they add up exactly."""
        asked = wire.ExplainAsked(data=request.query_params)
        asked.is_valid(raise_exception=True)
        since, until = asked.validated_data["since"], asked.validated_data["until"]
        after = reads.newest_run(until=until)
        if after is None:
            raise NothingToValue("No day has been valued yet.", field="until")
        before = reads.newest_run(until=since) if since else reads.run_before(after)
        parts = reads.explained(before, after)
        answer = {
            "since": before.day if before else None,
            "until": after.day,
            "realised": reads.realised_between(before.day if before else None, after.day),
            "differences": reads.differences_between(before.day if before else None, after.day),
            "total": reads.together(parts),
            "pairs": parts,
        }
        return Response(wire.ExplanationOut(answer).data)
