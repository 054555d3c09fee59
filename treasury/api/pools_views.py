"""Cash pools over the API: pools with their members, runs with their moves, loans, the benefit."""

from datetime import timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from calendars.constants import HOUSE_ZONE
from core import clock
from core.api.fields import AmountField, DayField
from core.errors import Invalid
from treasury.models import (
    CashPool,
    CashPoolMember,
    IntercompanyEntry,
    PoolKind,
    PoolMove,
    PoolRun,
)
from treasury.selectors import lending
from treasury.selectors import notional as notional_reads
from treasury.selectors import pools as reads

DAYS_SHOWN = 31


class PoolMemberOut(serializers.ModelSerializer[CashPoolMember]):
    """An account of a pool, and how it is kept."""

    target = AmountField()
    minimum = AmountField()
    multiple = AmountField()
    lower = AmountField(allow_null=True)
    upper = AmountField(allow_null=True)

    class Meta:
        model = CashPoolMember
        fields = [
            "account", "target", "minimum", "multiple", "lower", "upper", "is_one_way", "priority",
            "is_poolable", "reason", "credit_rate", "debit_rate",
        ]  # fmt: skip


class PoolOut(serializers.ModelSerializer[CashPool]):
    """A pool with its members; rates are yearly shares."""

    header_floor = AmountField()
    members = PoolMemberOut(many=True)

    class Meta:
        model = CashPool
        fields = [
            "id", "code", "name", "kind", "currency", "header", "header_floor", "shortfall_rule",
            "is_bank_run", "lead_minutes", "intercompany_rate", "day_count", "credit_rate",
            "debit_rate", "is_active", "members",
        ]  # fmt: skip


class PoolMoveOut(serializers.ModelSerializer[PoolMove]):
    """What a run made of one account; `proposal` is what people approve."""

    before = AmountField()
    target = AmountField()
    wanted = AmountField()
    amount = AmountField()
    after = AmountField()

    class Meta:
        model = PoolMove
        fields = [
            "account", "direction", "reason", "before", "target", "wanted", "amount", "after",
            "proposal", "problem",
        ]  # fmt: skip


class PoolRunOut(serializers.ModelSerializer[PoolRun]):
    """A run; its record holds every input and replays to the same bytes."""

    header_before = AmountField()
    header_after = AmountField()
    swept = AmountField()
    funded = AmountField()
    short = AmountField()
    moves = PoolMoveOut(many=True)

    class Meta:
        model = PoolRun
        fields = [
            "id", "pool", "day", "decided_at", "header_before", "header_after", "swept", "funded",
            "short", "rate", "day_count", "record", "record_sha256", "moves",
        ]  # fmt: skip


class IntercompanyOut(serializers.ModelSerializer[IntercompanyEntry]):
    """What one company lent another; `reverses` names the loan that it undoes."""

    amount = AmountField()

    class Meta:
        model = IntercompanyEntry
        fields = [
            "id", "kind", "lender", "borrower", "currency", "amount", "value_date", "rate",
            "day_count", "transfer", "pair", "reverses", "booked_at",
        ]  # fmt: skip


class LoanBalanceOut(serializers.Serializer[Any]):
    """Who owes whom how much, with the interest up to and including a day."""

    lender = serializers.UUIDField(source="lender.pk")
    borrower = serializers.UUIDField(source="borrower.pk")
    currency = serializers.CharField()
    balance = AmountField()
    interest = AmountField()
    rate = serializers.DecimalField(max_digits=12, decimal_places=8)
    day_count = serializers.CharField()
    since = serializers.DateField()
    until = serializers.DateField()


class NotionalDayOut(serializers.Serializer[Any]):
    """One day of a notional pool; interest is positive when it is earned."""

    day = serializers.DateField()
    balance = AmountField()
    pooled = AmountField()
    alone = AmountField()
    advantage = AmountField()


class PeriodIn(serializers.Serializer[Any]):
    """The days asked for; by itself the last month."""

    start = DayField(required=False, allow_null=True, default=None)
    until = DayField(required=False, allow_null=True, default=None)


class PoolList(ListAPIView[CashPool]):
    """List pools with their members."""

    serializer_class = PoolOut
    filterset_fields = {"kind": ["exact", "in"], "currency": ["exact"], "is_active": ["exact"]}

    def get_queryset(self) -> QuerySet[CashPool]:
        """Return the tenant's pools."""
        return reads.pools().prefetch_related("members")


class PoolRunList(ListAPIView[PoolRun]):
    """List a pool's runs, newest first."""

    serializer_class = PoolRunOut
    filterset_fields = {"day": ["exact", "gte", "lte"]}

    def get_queryset(self) -> QuerySet[PoolRun]:
        """Return the runs of one pool."""
        if getattr(self, "swagger_fake_view", False):
            return reads.runs().none()
        held = reads.pool(self.kwargs["pool_id"])
        return reads.runs().filter(pool=held).prefetch_related("moves")


class PoolNotional(APIView):
    """The interest of a notional pool."""

    @extend_schema(
        parameters=[
            OpenApiParameter("start", OpenApiTypes.DATE, description="First day."),
            OpenApiParameter("until", OpenApiTypes.DATE, description="Last day, by itself today."),
        ],
        responses=NotionalDayOut(many=True),
    )
    def get(self, request: Request, pool_id: UUID) -> Response:
        """Return day by day what the pool earns and what its accounts would have earned alone."""
        held = reads.pool(pool_id)
        if held.kind != PoolKind.NOTIONAL:
            raise Invalid("Only a notional pool earns interest by itself.", field="pool")
        asked = PeriodIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        until = asked.validated_data["until"] or clock.today(HOUSE_ZONE)
        start = asked.validated_data["start"] or until - timedelta(days=DAYS_SHOWN - 1)
        if start > until:
            raise Invalid("The first day comes after the last.", field="start")
        found = notional_reads.benefit(held, start=start, until=until)
        return Response(NotionalDayOut(found.days, many=True).data)


class IntercompanyList(ListAPIView[IntercompanyEntry]):
    """List what companies lent each other, newest first."""

    serializer_class = IntercompanyOut
    filterset_fields = {
        "lender": ["exact"],
        "borrower": ["exact"],
        "currency": ["exact"],
        "kind": ["exact"],
        "value_date": ["exact", "gte", "lte"],
    }

    def get_queryset(self) -> QuerySet[IntercompanyEntry]:
        """Return the tenant's entries."""
        return lending.entries()


class IntercompanyBalances(APIView):
    """Who owes whom."""

    @extend_schema(
        parameters=[
            OpenApiParameter("until", OpenApiTypes.DATE, description="At the end of which day.")
        ],
        responses=LoanBalanceOut(many=True),
    )
    def get(self, request: Request) -> Response:
        """Return every pair and currency with its balance and interest."""
        asked = PeriodIn(data=request.query_params)
        asked.is_valid(raise_exception=True)
        until = asked.validated_data["until"] or clock.today(HOUSE_ZONE)
        return Response(LoanBalanceOut(lending.balances(until=until), many=True).data)
