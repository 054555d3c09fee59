"""Ways to narrow the lists of the liquidity room."""

from typing import Any

import django_filters  # type: ignore[import-untyped, unused-ignore]
from django.db.models import QuerySet

from liquidity.models import Forecast, PayoutPlan, PlanState


class ForecastFilter(django_filters.FilterSet):
    """By account, currency, day, shortage; `latest=true` keeps each account's newest only."""

    short = django_filters.BooleanFilter(method="by_shortage")
    latest = django_filters.BooleanFilter(method="only_newest")

    class Meta:
        model = Forecast
        fields = ("account", "currency", "day", "is_stale_input")

    def by_shortage(self, found: QuerySet[Forecast], _name: str, value: Any) -> QuerySet[Forecast]:
        """Keep the forecasts with, or without, a shortfall."""
        return found.filter(shortfall__gt=0) if value else found.filter(shortfall=0)

    def only_newest(self, found: QuerySet[Forecast], _name: str, value: Any) -> QuerySet[Forecast]:
        """Keep each account's newest forecast."""
        if not value:
            return found
        newest = Forecast.objects.order_by("account_id", "-id").distinct("account_id")
        return found.filter(pk__in=newest.values("pk"))


class PlanFilter(django_filters.FilterSet):
    """By account, state, kind and period."""

    state = django_filters.ChoiceFilter(choices=PlanState.choices)
    since = django_filters.DateFilter(field_name="value_date", lookup_expr="gte")
    until = django_filters.DateFilter(field_name="value_date", lookup_expr="lte")

    class Meta:
        model = PayoutPlan
        fields = ("account", "currency", "state", "kind", "value_date", "source_ref")
