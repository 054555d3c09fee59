"""Forecasts, plans and patterns on the wire: amounts as decimal strings, times in UTC."""

from typing import Any

from rest_framework import serializers

from core.api.fields import AmountField, DayField
from liquidity.constants import (
    DESCRIPTION_CHARS_MAX,
    HORIZON_DAYS,
    HORIZON_DAYS_MAX,
    PLANS_BATCH_MAX,
    REFERENCE_CHARS_MAX,
)
from liquidity.engine.occurrences import Adjust, RuleKind
from liquidity.models import Forecast, ForecastLine, PayoutPlan, PlanKind, RecurringPattern


class ForecastOut(serializers.ModelSerializer[Forecast]):
    """One account's forecast: need, money and what is missing."""

    account_label = serializers.CharField(source="account.label")
    opening = AmountField(read_only=True)
    floor = AmountField(read_only=True)
    required = AmountField(read_only=True)  # type: ignore[assignment]
    available = AmountField(read_only=True)
    shortfall = AmountField(read_only=True)

    class Meta:
        model = Forecast
        fields = [
            "id", "account", "account_label", "currency", "as_of", "day", "horizon_days", "model",
            "model_version", "history_days", "inputs_digest", "opening", "floor", "balance_as_of",
            "is_stale_input", "need_basis", "need_days", "need_until", "required", "available",
            "shortfall", "scaled_error", "coverage",
        ]  # fmt: skip


class ForecastLineOut(serializers.ModelSerializer[ForecastLine]):
    """One day; bounds are null where the account's past is too short for them."""

    known_in = AmountField(read_only=True)
    known_out = AmountField(read_only=True)
    expected_in = AmountField(read_only=True)
    expected_out = AmountField(read_only=True)
    net = AmountField(read_only=True)
    p10 = AmountField(read_only=True, allow_null=True)
    p90 = AmountField(read_only=True, allow_null=True)
    closing = AmountField(read_only=True)
    closing_p10 = AmountField(read_only=True, allow_null=True)
    closing_p90 = AmountField(read_only=True, allow_null=True)

    class Meta:
        model = ForecastLine
        fields = [
            "day", "known_in", "known_out", "expected_in", "expected_out", "net", "p10", "p90",
            "closing", "closing_p10", "closing_p90",
        ]  # fmt: skip


class RunIn(serializers.Serializer[Any]):
    """Forecast one account, or all of them."""

    account = serializers.UUIDField(required=False)
    horizon_days = serializers.IntegerField(
        min_value=1, max_value=HORIZON_DAYS_MAX, default=HORIZON_DAYS
    )


class RunOut(serializers.Serializer[Any]):
    """The forecasts that are now the newest, and the accounts that have none."""

    forecasts = ForecastOut(many=True)
    refusals = serializers.ListField(child=serializers.DictField(child=serializers.CharField()))


class PayoutPlanIn(serializers.Serializer[Any]):
    """A payout to plan; the amount is positive."""

    account = serializers.UUIDField(source="account_id")
    currency = serializers.RegexField(r"\A[A-Z]{3}\Z")
    value_date = DayField()
    amount = AmountField()
    description = serializers.CharField(max_length=DESCRIPTION_CHARS_MAX)
    source_ref = serializers.CharField(max_length=REFERENCE_CHARS_MAX)
    kind = serializers.ChoiceField(choices=PlanKind.choices, default=PlanKind.REGULAR.value)


class PayoutPlansIn(serializers.Serializer[Any]):
    """A batch: all of it is recorded, or nothing."""

    # DRF hands these options to the list; its stubs know those of one element only.
    plans = PayoutPlanIn(many=True, max_length=PLANS_BATCH_MAX)  # type: ignore[call-arg]


class PayoutPlanOut(serializers.ModelSerializer[PayoutPlan]):
    """A payout plan."""

    amount = AmountField(read_only=True)

    class Meta:
        model = PayoutPlan
        fields = [
            "id", "account", "currency", "value_date", "amount", "kind", "description",
            "source_ref", "state", "created_at", "closed_at", "closing_reason",
        ]  # fmt: skip


class PlannedOut(serializers.Serializer[Any]):
    """What the batch came to."""

    created = PayoutPlanOut(many=True)
    known = PayoutPlanOut(many=True)


class ReasonIn(serializers.Serializer[Any]):
    """Why."""

    reason = serializers.CharField(max_length=DESCRIPTION_CHARS_MAX)


class PatternIn(serializers.Serializer[Any]):
    """A flow that comes back; the amount is signed, inflows are positive."""

    account = serializers.UUIDField(source="account_id")
    name = serializers.CharField(max_length=70)
    amount = AmountField()
    rule = serializers.ChoiceField(choices=[kind.value for kind in RuleKind])
    weekday_mask = serializers.IntegerField(default=0, min_value=0, max_value=127)
    month_day = serializers.IntegerField(default=0, min_value=0, max_value=31)
    adjust = serializers.ChoiceField(
        choices=[kind.value for kind in Adjust], default=Adjust.FOLLOWING.value
    )
    valid_from = DayField()
    valid_to = DayField(required=False, allow_null=True, default=None)


class PatternOut(serializers.ModelSerializer[RecurringPattern]):
    """A recurring pattern."""

    amount = AmountField(read_only=True)

    class Meta:
        model = RecurringPattern
        fields = [
            "id", "account", "name", "amount", "rule", "weekday_mask", "month_day", "adjust",
            "valid_from", "valid_to", "is_active", "created_at",
        ]  # fmt: skip
