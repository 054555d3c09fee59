"""Suggestions and reforecasts on the wire."""

from typing import Any

from rest_framework import serializers

from core.api.fields import AmountField
from fx.api.fields import RateField
from fx.models import DealSuggestion, ReforecastTrigger


class RejectedOut(serializers.Serializer[Any]):
    """A value date that was not taken, and why."""

    period = serializers.CharField()
    value_date = serializers.DateField()
    why = serializers.CharField()


class SuggestionOut(serializers.ModelSerializer[DealSuggestion]):
    """A deal that would close a part of a need, with what it was reckoned from."""

    cause = serializers.CharField(source="need.cause")
    need_amount = AmountField(source="need.amount")
    needed_on = serializers.DateField(source="need.needed_on")
    pair = serializers.CharField()
    dealt_amount = AmountField()
    buys = AmountField()
    rate = RateField()
    usd_equivalent = AmountField()
    headroom_usd = AmountField(allow_null=True)
    counterparty_code = serializers.SerializerMethodField()
    rejected = RejectedOut(many=True)
    inputs = serializers.JSONField(source="need.inputs")

    class Meta:
        model = DealSuggestion
        fields = [
            "id", "currency", "day", "state", "cause", "need_amount", "needed_on", "part", "parts",
            "pair", "side", "dealt_currency", "dealt_amount", "buys", "rate", "usd_equivalent",
            "trade_date", "value_date", "period", "dealt_until", "is_late", "counterparty",
            "counterparty_code", "headroom_usd", "pay_account", "receive_account", "reason",
            "rejected", "inputs", "created_at", "expires_at", "closed_at", "closed_by",
            "closing_reason", "deal",
        ]  # fmt: skip

    def get_counterparty_code(self, row: DealSuggestion) -> str:
        """Return with whom, empty where nobody has room."""
        return row.counterparty.code if row.counterparty else ""


class DismissIn(serializers.Serializer[Any]):
    """Why it is left open."""

    reason = serializers.CharField(max_length=500)


class ReforecastIn(serializers.Serializer[Any]):
    """Which currency is to be forecast anew, and why."""

    currency = serializers.RegexField("^[A-Z]{3}$")
    reason = serializers.CharField(max_length=300)


class ReforecastOut(serializers.ModelSerializer[ReforecastTrigger]):
    """A trigger: noticed, and fired once its cool-down was over."""

    class Meta:
        model = ReforecastTrigger
        fields = [
            "id", "currency", "local_date", "reason", "old", "new", "words", "noticed_at",
            "due_at", "fired_at", "asked_by",
        ]  # fmt: skip


class ReforecastLookOut(serializers.Serializer[Any]):
    """A currency as it was forecast, as it stands, and as a forecast made now would say."""

    currency = serializers.CharField()
    forecast_as_of = serializers.DateTimeField(source="basis.as_of", default=None)
    forecast_outflow = AmountField(source="expected")
    booked = AmountField()
    deviation = serializers.CharField(allow_null=True)
    forecast_rate = RateField(source="basis.rate", default=None, allow_null=True)
    rate = RateField(allow_null=True)
    moved = serializers.CharField(allow_null=True)
    required = AmountField(source="board.exposure.required")  # type: ignore[assignment]
    open = AmountField(source="board.exposure.open")
    required_after = AmountField(source="after.required", default=None)
    open_after = AmountField()
    free_at = serializers.DateTimeField()
    days_after = serializers.SerializerMethodField()

    def get_days_after(self, look: Any) -> list[dict[str, str]]:
        """Return what a forecast made now would say of the days ahead."""
        days = look.after.days if look.after else ()
        return [{"date": day, "outflow": f"{amount:.4f}"} for day, amount in days]
