"""Deals on the wire."""

from typing import Any

from rest_framework import serializers

from core.api.fields import AmountField, DayField
from fx.api.fields import PairField, RateField
from fx.engine.dates import Short
from fx.models import Deal, DealConfirmation, DealKind, DealSide


class DealOut(serializers.ModelSerializer[Deal]):
    """A deal: amounts are at `limit_rate` until it is executed, at `rate` afterwards."""

    pair = serializers.CharField()
    base_amount = AmountField()
    quote_amount = AmountField()
    limit_rate = RateField()
    rate = RateField(allow_null=True)
    usd_equivalent = AmountField(allow_null=True)
    mid_rate = RateField(allow_null=True)
    counterparty_code = serializers.CharField(source="counterparty.code")

    class Meta:
        model = Deal
        fields = [
            "id", "reference", "version", "state", "kind", "pair", "side", "dealt_currency",
            "base_amount", "quote_amount", "limit_rate", "rate", "trade_date", "value_date",
            "period", "fixing_date", "counterparty", "counterparty_code", "pay_account",
            "receive_account", "usd_equivalent", "mid_rate", "mid_at", "mid_source", "maker", "why",
            "content_hash", "created_at", "submitted_at", "expires_at", "executed_at",
            "executed_by", "counterparty_reference", "confirmed_at", "confirmed_by", "closed_at",
            "closing_reason", "closes",
        ]  # fmt: skip


class DealIn(serializers.Serializer[Any]):
    """A deal to capture: one amount is exact, the other one follows from the rate."""

    pair = PairField()
    side = serializers.ChoiceField(choices=DealSide.choices)
    amount = AmountField()
    dealt_currency = serializers.RegexField("^[A-Z]{3}$")
    limit_rate = RateField()
    counterparty = serializers.UUIDField()
    pay_account = serializers.UUIDField()
    receive_account = serializers.UUIDField()
    why = serializers.CharField(max_length=500)
    tenor = serializers.CharField(max_length=5, required=False, default=str(Short.SPOT))
    value_date = DayField(required=False, allow_null=True, default=None)
    kind = serializers.ChoiceField(
        choices=DealKind.choices, required=False, default=str(DealKind.DELIVERABLE)
    )
    submit = serializers.BooleanField(required=False, default=True)


class DealReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=500)


class ExecutionIn(serializers.Serializer[Any]):
    """At which all-in rate it was dealt, and what the counterparty calls it."""

    rate = RateField()
    counterparty_reference = serializers.CharField(max_length=35)


class ConfirmationIn(serializers.Serializer[Any]):
    """What the counterparty confirmed, seen from us."""

    pair = serializers.CharField(max_length=7)
    side = serializers.ChoiceField(choices=DealSide.choices)
    base_amount = AmountField()
    quote_amount = AmountField()
    rate = RateField()
    value_date = DayField()
    counterparty_reference = serializers.CharField(max_length=35)


class ConfirmationOut(serializers.ModelSerializer[DealConfirmation]):
    """A confirmation as kept: whether it matches, and every difference in words."""

    base_amount = AmountField()
    quote_amount = AmountField()
    rate = RateField()
    differences = serializers.ListField(child=serializers.CharField())

    class Meta:
        model = DealConfirmation
        fields = [
            "id", "deal", "pair", "side", "base_amount", "quote_amount", "rate", "value_date",
            "counterparty_reference", "matches", "differences", "entered_by", "entered_at",
        ]  # fmt: skip
