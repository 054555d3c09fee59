"""Readings and backtests on the wire: amounts as decimal strings, times in UTC."""

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from core.api.fields import AmountField
from risk.models import AccountRisk, Backtest
from risk.selectors import backtests


class BacktestOut(serializers.ModelSerializer[Backtest]):
    """How a reading's figure would have held on the days before it, and what that says."""

    in_words = serializers.SerializerMethodField()

    class Meta:
        model = Backtest
        fields = [
            "first_day", "last_day", "days", "exceedances", "expected", "kupiec_statistic",
            "kupiec_p", "first_failure", "tuff_statistic", "tuff_p", "christoffersen_statistic",
            "christoffersen_p", "conditional_statistic", "conditional_p", "zone", "plus",
            "in_words",
        ]  # fmt: skip

    def get_in_words(self, backtest: Backtest) -> str:
        """Return the judgement as a sentence."""
        return f"{backtests.in_words(backtest)} {backtests.runs_in_words(backtest)}"


class ReadingOut(serializers.ModelSerializer[AccountRisk]):
    """What an account may lose on one day; losses are positive, null where there is no figure."""

    account_label = serializers.CharField(source="account.label")
    var_amount = AmountField(read_only=True, allow_null=True)
    expected_shortfall = AmountField(read_only=True, allow_null=True)
    normal_var = AmountField(read_only=True, allow_null=True)
    cornish_fisher_var = AmountField(read_only=True, allow_null=True)
    base_amount = AmountField(read_only=True, allow_null=True)
    tested_var = AmountField(read_only=True, allow_null=True)
    tested_flow = AmountField(read_only=True, allow_null=True)
    is_short = serializers.BooleanField()
    is_over_limit = serializers.BooleanField()
    why_missing = serializers.CharField()

    class Meta:
        model = AccountRisk
        fields = [
            "id", "account", "account_label", "currency", "day", "observed_at", "quantile",
            "confidence", "window_days", "observations", "is_short", "first_day", "last_day",
            "var_amount", "expected_shortfall", "normal_var", "cornish_fisher_var", "base_kind",
            "base_amount", "var_bps", "limit_bps", "is_over_limit", "missing", "why_missing",
            "inputs_sha256", "tested_day", "tested_var", "tested_flow", "is_exceeded",
        ]  # fmt: skip


class ReadingDetailOut(ReadingOut):
    """A reading with its backtest; null where its account has too few days for one."""

    backtest = serializers.SerializerMethodField()

    class Meta(ReadingOut.Meta):
        fields = [*ReadingOut.Meta.fields, "backtest"]

    @extend_schema_field(BacktestOut(allow_null=True))
    def get_backtest(self, reading: AccountRisk) -> Any:
        """Return the backtest, if there is one."""
        found = getattr(reading, "backtest", None)
        return None if found is None else BacktestOut(found).data


class TestedDayOut(serializers.Serializer[Any]):
    """One day of a backtest: its signed flow, and the loss that the days before it foretold."""

    day = serializers.DateField()
    flow = AmountField()
    var = AmountField()
    is_exceeded = serializers.BooleanField()


class MeasureIn(serializers.Serializer[Any]):
    """Measure one account, or all of them."""

    account = serializers.UUIDField(required=False)


class MeasuredOut(serializers.Serializer[Any]):
    """The readings that are now the newest, and how many of them are new."""

    readings = ReadingOut(many=True)
    new = serializers.IntegerField()
