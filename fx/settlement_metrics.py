"""Settlement as figures for `/metrics`: over all tenants, without naming any."""

from collections import Counter
from collections.abc import Iterator

from django.db import DatabaseError
from django.db.models import Count
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core.tenancy import bound, tenant_ids
from fx.models import STANDING, DealLeg, SettlementAlarm


class Settlement(Collector):
    """Legs by state, and deals of which one leg only is settled; read when somebody asks."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        legs, gaps = _families()
        try:
            counts, risks = legs_by_state()
        except DatabaseError:
            return
        for state in STANDING:
            legs.add_metric([state], counts[state])
        gaps.add_metric([], risks)
        yield legs
        yield gaps


def legs_by_state() -> tuple[Counter[str], int]:
    """Return how many legs stand in each state, and how many deals are one-sided."""
    counts: Counter[str] = Counter()
    risks = 0
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            rows = DealLeg.objects.filter(state__in=STANDING).order_by().values_list("state")
            counts.update(dict(rows.annotate(number=Count("pk"))))
            risks += SettlementAlarm.objects.filter(closed_at=None).count()
    return counts, risks


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("fx_legs", "Legs of deals that stand, by state.", labels=["state"]),
        GaugeMetricFamily(
            "fx_settlement_risk_open", "Deals of which one leg only is settled.", labels=[]
        ),
    )


def register() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(Settlement())
