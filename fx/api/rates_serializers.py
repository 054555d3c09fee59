"""Rates on the wire."""

from decimal import Decimal
from typing import Any

from rest_framework import serializers

from core.api.fields import AmountField
from fx.api.fields import PairField, RateField
from fx.engine.pairs import USD
from fx.models import Rate


class QuoteOut(serializers.Serializer[Any]):
    """A two-sided price, the instant of its oldest part, and whose it is."""

    pair = PairField()
    bid = RateField()
    ask = RateField()
    mid = RateField()
    as_of = serializers.DateTimeField(source="at")
    sources = serializers.ListField(child=serializers.CharField())


class BoardRowOut(serializers.Serializer[Any]):
    """A pair on the board; `quote` is null where no source has a fresh rate."""

    pair = PairField()
    quote = QuoteOut(allow_null=True)
    change_pct = serializers.DecimalField(max_digits=12, decimal_places=4, allow_null=True)
    others = QuoteOut(many=True)
    alarms = serializers.SerializerMethodField()

    def get_alarms(self, row: Any) -> list[str]:
        """Return what stands against the pair, in words."""
        return [alarm.words for alarm in row.alarms]


class RateOut(serializers.ModelSerializer[Rate]):
    """One rate as a source said it, with the delivery that brought it."""

    pair = serializers.SerializerMethodField()
    source_code = serializers.CharField(source="source.code")
    delivery = serializers.CharField(source="delivery.name")
    delivery_sha256 = serializers.CharField(source="delivery.sha256")
    received_at = serializers.DateTimeField(source="delivery.received_at")
    bid = RateField()
    ask = RateField()

    class Meta:
        model = Rate
        fields = [
            "id", "pair", "bid", "ask", "as_of", "source_code", "delivery", "delivery_sha256",
            "received_at",
        ]  # fmt: skip

    def get_pair(self, rate: Rate) -> str:
        """Return the pair as the source wrote it."""
        return f"{rate.base}/{rate.quote}"


class RateIn(serializers.Serializer[Any]):
    """A rate to record."""

    pair = PairField()
    bid = RateField()
    ask = RateField()
    as_of = serializers.DateTimeField()


class RatesIn(serializers.Serializer[Any]):
    """A push of rates: all are recorded, or none."""

    name = serializers.CharField(max_length=120, required=False, default="push")
    rates = RateIn(many=True, allow_empty=False)


class RatesFileIn(serializers.Serializer[Any]):
    """A CSV file of rates: pair, bid, ask, as_of."""

    file = serializers.FileField(max_length=200, allow_empty_file=True)


class TakenOut(serializers.Serializer[Any]):
    """What became of a delivery."""

    new = serializers.IntegerField()
    known = serializers.IntegerField()


class ConversionIn(serializers.Serializer[Any]):
    """What is to be converted; without a word it is a dollar."""

    amount = AmountField(default=Decimal(1))
    currency = serializers.RegexField("^[A-Z]{3}$", default=USD)
    target = serializers.RegexField("^[A-Z]{3}$", default=USD)


class ConversionOut(serializers.Serializer[Any]):
    """An amount in another currency, and the rate, instant and sources behind it."""

    amount = AmountField(source="given.amount")
    currency = serializers.CharField(source="given.currency")
    result = AmountField(source="result.amount")
    result_currency = serializers.CharField(source="result.currency")
    rate = RateField()
    as_of = serializers.DateTimeField(source="at")
    sources = serializers.ListField(child=serializers.CharField())
