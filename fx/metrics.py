"""What is suggested and what asked for new forecasts, for `/metrics`: over all tenants."""

from collections import Counter
from collections.abc import Iterator
from decimal import Decimal

from django.db import DatabaseError
from django.db.models import Count, Sum
from prometheus_client.core import REGISTRY, CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.tenancy import bound, tenant_ids
from fx.models import DealSuggestion, ReforecastTrigger, SuggestionState

ACTOR = "system:metrics"


class Suggestions(Collector):
    """Open suggestions by currency with their worth, and fired triggers by reason."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        count, worth, fired = _families()
        try:
            counts, worths, reasons = _read()
        except DatabaseError:
            return
        for currency in sorted(counts):
            count.add_metric([currency], counts[currency])
            worth.add_metric([currency], float(worths[currency]))
        for reason in sorted(reasons):
            fired.add_metric([reason], reasons[reason])
        yield count
        yield worth
        yield fired


def _read() -> tuple[Counter[str], dict[str, Decimal], Counter[str]]:
    counts: Counter[str] = Counter()
    worths: dict[str, Decimal] = {}
    reasons: Counter[str] = Counter()
    for tenant in tenant_ids():
        with bound(tenant, actor=ACTOR):
            opened = DealSuggestion.objects.filter(state=SuggestionState.OPEN).order_by()
            for row in opened.values("currency").annotate(
                count=Count("pk"), usd=Sum("usd_equivalent")
            ):
                currency = row["currency"]
                counts[currency] += row["count"]
                worths[currency] = worths.get(currency, Decimal(0)) + row["usd"]
            fired = ReforecastTrigger.objects.filter(fired_at__isnull=False).order_by()
            for found in fired.values("reason").annotate(count=Count("pk")):
                reasons[found["reason"]] += found["count"]
    return counts, worths, reasons


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, CounterMetricFamily]:
    return (
        GaugeMetricFamily(
            "fx_open_suggestions", "Deals that are suggested and wait.", labels=["currency"]
        ),
        GaugeMetricFamily(
            "fx_suggested_usd", "What open suggestions are worth in dollars.", labels=["currency"]
        ),
        CounterMetricFamily(
            "fx_reforecasts", "Forecasts that were asked for anew.", labels=["reason"]
        ),
    )


def register_metrics() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(Suggestions())
