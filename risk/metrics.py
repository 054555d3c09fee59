"""How well the figures hold, for `/metrics`: over all tenants, without naming any.

The figure itself, `treasury_var_bps`, is told by the treasury, which keeps every reading.
"""

from collections import Counter
from collections.abc import Iterator

from django.db import DatabaseError
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.tenancy import bound, tenant_ids
from risk.engine.backtest import Zone
from risk.selectors import readings


class Standing(Collector):
    """Accounts by the zone of their newest backtest, and accounts whose reading has no figure."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        zones, missing = _families()
        try:
            by_zone, without = newest_by_zone()
        except DatabaseError:
            return
        for zone in Zone:
            zones.add_metric([zone.value.lower()], by_zone[zone])
        missing.add_metric([], without)
        yield zones
        yield missing


def newest_by_zone() -> tuple[Counter[Zone], int]:
    """Return how many accounts stand in each zone, and how many have no figure."""
    by_zone: Counter[Zone] = Counter()
    without = 0
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            for row in readings.newest():
                without += row.var_bps is None
                if tested := getattr(row, "backtest", None):
                    by_zone[Zone(tested.zone)] += 1
    return by_zone, without


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "risk_backtest_accounts",
            "Accounts by the traffic light of their newest backtest.",
            labels=["zone"],
        ),
        GaugeMetricFamily(
            "risk_var_missing_accounts", "Accounts whose newest reading has no figure."
        ),
    )


def register_metrics() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(Standing())
