"""How open deals stand, for `/metrics`: over all tenants, without naming any."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import DatabaseError
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core import clock
from core.tenancy import bound, tenant_ids
from fx.selectors import valuation


@dataclass(frozen=True, slots=True, kw_only=True)
class Newest:
    """The newest valuations of all tenants together; `made_at` is of the oldest of them."""

    deals: int
    missing: int
    stale: int
    unrealised_usd: Decimal
    made_at: datetime | None


class Standing(Collector):
    """Deals of the newest valuations, what they are worth, and how old the oldest one is."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        deals, unrealised, age = _families()
        try:
            found = newest()
        except DatabaseError:
            return
        deals.add_metric(["valued"], found.deals - found.missing)
        deals.add_metric(["missing"], found.missing)
        deals.add_metric(["stale"], found.stale)
        unrealised.add_metric([], float(found.unrealised_usd))
        if found.made_at is not None:
            age.add_metric([], (clock.now() - found.made_at).total_seconds())
        yield deals
        yield unrealised
        yield age


def newest() -> Newest:
    """Return the newest valuation of every tenant, added up."""
    runs = []
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            run = valuation.newest_run()
            if run is not None:
                runs.append(run)
    return Newest(
        deals=sum(one.deals_count for one in runs),
        missing=sum(one.missing_count for one in runs),
        stale=sum(one.stale_count for one in runs),
        unrealised_usd=sum((one.unrealised_usd for one in runs), Decimal(0)),
        made_at=min((one.made_at for one in runs), default=None),
    )


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily(
            "fx_valued_deals",
            "Deals of the newest valuations: with a value, without a market, by an old market.",
            labels=["how"],
        ),
        GaugeMetricFamily("fx_unrealised_usd", "What open deals are worth, in dollars."),
        GaugeMetricFamily(
            "fx_valuation_age_seconds", "Since the oldest of the newest valuations was made."
        ),
    )


def register_metrics() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(Standing())
