"""Valuations, points and interest on the wire."""

import re
from decimal import Decimal
from typing import Any, Final

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import AmountField, DayField
from fx.api.fields import PairField, RateField
from fx.models import DealValuation, RevaluationRun

_SIGNED: Final = re.compile(r"-?[0-9]{1,7}(\.[0-9]{1,8})?", re.ASCII)
_TENOR: Final = r"^(ON|TN|SN|[1-9][0-9]{0,2}[DWMY])$"


@extend_schema_field({"type": "string", "pattern": r"^-?\d{1,7}(\.\d{1,8})?$", "example": "-12.5"})
class SignedField(serializers.Field[Decimal, Any, str, Any]):
    """A signed decimal string of at most eight places; a number or an exponent is refused."""

    def to_internal_value(self, data: object) -> Decimal:
        """Read strictly."""
        if not isinstance(data, str) or not _SIGNED.fullmatch(data):
            raise serializers.ValidationError('Write the number as a string, like "-12.5".')
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        """Write plainly."""
        return f"{value.normalize():f}"


class PointIn(serializers.Serializer[Any]):
    """Points of a tenor in pips, signed."""

    pair = PairField()
    tenor = serializers.RegexField(_TENOR)
    bid = SignedField()
    ask = SignedField()
    as_of = serializers.DateTimeField()


class InterestIn(serializers.Serializer[Any]):
    """A currency's simple yearly interest as a share: 0.04 is four percent."""

    currency = serializers.RegexField("^[A-Z]{3}$")
    tenor = serializers.RegexField(_TENOR)
    rate = SignedField()
    as_of = serializers.DateTimeField()


class CurvesIn(serializers.Serializer[Any]):
    """A push of points, of interest, or both: all of it is recorded, or nothing."""

    name = serializers.CharField(max_length=120, required=False, default="push")
    points = PointIn(many=True, required=False, default=list)
    interest = InterestIn(many=True, required=False, default=list)


class CurvesFileIn(serializers.Serializer[Any]):
    """A CSV file of points or of interest."""

    file = serializers.FileField(max_length=200, allow_empty_file=True)


class PillarOut(serializers.Serializer[Any]):
    """A date of a curve: points from spot in pips, and the outright."""

    tenor = serializers.CharField()
    day = serializers.DateField()
    points_bid = SignedField(source="points.bid")
    points_ask = SignedField(source="points.ask")
    bid = RateField(source="outright.bid")
    ask = RateField(source="outright.ask")


class CurveOut(serializers.Serializer[Any]):
    """A pair's forward curve; between its dates points are linear in days."""

    pair = PairField()
    source_code = serializers.CharField(source="source")
    as_of = serializers.DateTimeField()
    fresh = serializers.BooleanField()
    pillars = PillarOut(many=True)


class ForwardAsked(serializers.Serializer[Any]):
    """A pair and a date."""

    pair = PairField()
    day = serializers.DateField()


class ForwardOut(serializers.Serializer[Any]):
    """What a pair is dealt at for a date, and why: by points, interest, a cross, or spot itself."""

    pair = PairField()
    day = serializers.DateField()
    bid = RateField(source="outright.bid")
    ask = RateField(source="outright.ask")
    mid = RateField()
    spot_bid = RateField(source="spot.bid")
    spot_ask = RateField(source="spot.ask")
    rule = serializers.CharField()
    tenors = serializers.ListField(child=serializers.CharField())
    sources = serializers.ListField(child=serializers.CharField())
    as_of = serializers.DateTimeField(source="at")
    stale = serializers.BooleanField(source="is_stale")


class RevaluationOut(serializers.ModelSerializer[RevaluationRun]):
    """A day's valuation of all open deals."""

    unrealised_usd = AmountField()

    class Meta:
        model = RevaluationRun
        fields = [
            "id", "day", "version", "marked_at", "made_at", "reason", "deals_count",
            "missing_count", "stale_count", "unrealised_usd",
        ]  # fmt: skip


class RevaluationIn(serializers.Serializer[Any]):
    """Value all open deals now; a reason restates a day that is valued already."""

    reason = serializers.CharField(max_length=300, required=False, default="", allow_blank=True)


class ValuationOut(serializers.ModelSerializer[DealValuation]):
    """What a deal was worth, by which market; `missing` says why it has no value."""

    day = serializers.DateField(source="run.day")
    version = serializers.IntegerField(source="run.version")
    reference = serializers.CharField(source="deal.reference")
    pair = serializers.CharField(source="deal.pair")
    rate = RateField(source="deal.rate")
    value_date = serializers.DateField(source="deal.value_date")
    spot = RateField(allow_null=True)
    forward = RateField(allow_null=True)
    pnl_quote = AmountField(allow_null=True)
    pnl_usd = AmountField(allow_null=True)
    stale = serializers.BooleanField(source="is_stale")
    missing = serializers.CharField(source="gap")

    class Meta:
        model = DealValuation
        fields = [
            "id", "day", "version", "deal", "reference", "pair", "rate", "value_date", "spot",
            "forward", "discount", "usd_rate", "market_at", "sources", "stale", "missing",
            "pnl_quote", "pnl_usd",
        ]  # fmt: skip


class ExplainAsked(serializers.Serializer[Any]):
    """Two days; without a word the newest valued one and the one before it."""

    since = DayField(required=False, allow_null=True, default=None)
    until = DayField(required=False, allow_null=True, default=None)


class ExplainedOut(serializers.Serializer[Any]):
    """Why a pair's unrealised result changed, in dollars; the parts add up to the change."""

    pair = serializers.CharField()
    before = AmountField()
    rate = AmountField()
    carry = AmountField()
    new = AmountField()
    closed = AmountField()
    gaps = AmountField()
    residual = AmountField()
    after = AmountField()
    change = AmountField()


class ExplanationOut(serializers.Serializer[Any]):
    """Why the result changed between two days, by pair and together; `realised` stands beside.

    `differences` is what of it came by receipts of another amount than agreed.
    """

    since = serializers.DateField(allow_null=True)
    until = serializers.DateField()
    realised = AmountField()
    differences = AmountField()
    total = ExplainedOut()
    pairs = ExplainedOut(many=True)
