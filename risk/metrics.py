"""How much is at risk, as figures for `/metrics`: over all tenants, without naming any."""

from collections.abc import Iterator
from decimal import Decimal

from django.db import DatabaseError
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.tenancy import bound, tenant_ids
from risk.selectors import readings


class ValueAtRisk(Collector):
    """The highest newest reading of each currency, and how many accounts have no figure."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        highest, missing = _families()
        try:
            by_currency, without = newest_by_currency()
        except DatabaseError:
            return
        for currency in sorted(by_currency):
            highest.add_metric([currency], float(by_currency[currency]))
        missing.add_metric([], without)
        yield highest
        yield missing


def newest_by_currency() -> tuple[dict[str, Decimal], int]:
    """Return the highest newest figure of each currency, and how many accounts have none."""
    highest: dict[str, Decimal] = {}
    without = 0
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            for row in readings.newest():
                if row.var_bps is None:
                    without += 1
                else:
                    highest[row.currency] = max(highest.get(row.currency, row.var_bps), row.var_bps)
    return highest, without


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "treasury_var_bps",
            "Highest one-day value at risk of an account, in basis points of its balance.",
            labels=["currency"],
        ),
        GaugeMetricFamily(
            "treasury_var_missing_accounts", "Accounts whose newest reading has no figure."
        ),
    )


def register_metrics() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(ValueAtRisk())
