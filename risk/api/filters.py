"""Ways to narrow the list of readings."""

from typing import Any

import django_filters  # type: ignore[import-untyped, unused-ignore]
from django.db.models import F, QuerySet

from risk.models import ZONES, AccountRisk, Missing
from risk.selectors import readings


class ReadingFilter(django_filters.FilterSet):
    """By account, currency, day, zone, limit; `latest=true` keeps each account's newest only."""

    since = django_filters.DateFilter(field_name="day", lookup_expr="gte")
    until = django_filters.DateFilter(field_name="day", lookup_expr="lte")
    zone = django_filters.ChoiceFilter(field_name="backtest__zone", choices=ZONES)
    missing = django_filters.ChoiceFilter(choices=Missing.choices)
    over_limit = django_filters.BooleanFilter(method="by_limit")
    latest = django_filters.BooleanFilter(method="only_newest")

    class Meta:
        model = AccountRisk
        fields = ("account", "currency", "day", "quantile", "is_exceeded")

    def by_limit(
        self, found: QuerySet[AccountRisk], _name: str, value: Any
    ) -> QuerySet[AccountRisk]:
        """Keep the readings above their limit, or the others."""
        above = found.filter(var_bps__gt=F("limit_bps"))
        return above if value else found.exclude(pk__in=above.values("pk"))

    def only_newest(
        self, found: QuerySet[AccountRisk], _name: str, value: Any
    ) -> QuerySet[AccountRisk]:
        """Keep each active account's newest reading."""
        if not value:
            return found
        return found.filter(pk__in=readings.newest().order_by().values("pk"))
