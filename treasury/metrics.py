"""What waits for a person, as figures for `/metrics`: over all tenants, without naming any."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal

from django.db import DatabaseError
from django.db.models import Count, Min, Sum
from prometheus_client import Histogram
from prometheus_client.core import (
    REGISTRY,
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from core import clock
from core.tenancy import bound, tenant_ids
from treasury.models import (
    PoolMove,
    PoolRun,
    ProposalState,
    RiskReading,
    SweepOrder,
    SweepState,
    Task,
)
from treasury.services.sweeps.watching import observe


class OpenTasks(Collector):
    """Open tasks by kind, and the age of the oldest of each; read when somebody asks."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        counts, oldest = _families()
        now = clock.now()
        try:
            waiting, since = open_by_kind()
        except DatabaseError:
            return
        for kind in sorted(waiting):
            counts.add_metric([kind], waiting[kind])
            oldest.add_metric([kind], max((now - since[kind]).total_seconds(), 0.0))
        yield counts
        yield oldest


def open_by_kind() -> tuple[Counter[str], dict[str, datetime]]:
    """Return how many tasks of each kind are open, and since when the oldest of each is."""
    waiting: Counter[str] = Counter()
    since: dict[str, datetime] = {}
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            rows = Task.objects.filter(done_at__isnull=True).order_by().values("kind")
            for row in rows.annotate(count=Count("pk"), first=Min("opened_at")):
                kind = row["kind"]
                waiting[kind] += row["count"]
                since[kind] = min(since.get(kind, row["first"]), row["first"])
    return waiting, since


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("tms_open_tasks", "Tasks that wait for a person.", labels=["kind"]),
        GaugeMetricFamily(
            "tms_open_task_oldest_seconds",
            "Age of the oldest task that waits for a person.",
            labels=["kind"],
        ),
    )


class Sweeps(Collector):
    """Dollars that banks took into each product, and the largest of the newest values at risk."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _sweep_families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        swept, worst = _sweep_families()
        try:
            totals, var_bps = swept_by_product(), largest_var_bps()
        except DatabaseError:
            return
        for product in sorted(totals):
            swept.add_metric([product], float(totals[product]))
        if var_bps is not None:
            worst.add_metric([], float(var_bps))
        yield swept
        yield worst


def swept_by_product() -> dict[str, Decimal]:
    """Return what banks have acknowledged, by product."""
    totals: dict[str, Decimal] = {}
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            rows = SweepOrder.objects.filter(state=SweepState.ACK).order_by()
            for row in rows.values("product__code").annotate(total=Sum("amount")):
                code = row["product__code"]
                totals[code] = totals.get(code, Decimal(0)) + row["total"]
    return totals


def largest_var_bps() -> Decimal | None:
    """Return the largest value at risk among the newest reading of every account."""
    found: list[Decimal] = []
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            newest = RiskReading.objects.order_by("account_id", "-observed_at", "-id")
            rows = newest.distinct("account_id").values_list("var_bps", flat=True)
            found += [value for value in rows if value is not None]
    return max(found, default=None)


class Pools(Collector):
    """What pools moved between own accounts, and what their newest runs could not fund."""

    def describe(self) -> Iterator[Metric]:
        """Yield the names alone: nothing is read while the process starts."""
        yield from _pool_families()

    def collect(self) -> Iterator[Metric]:
        """Yield the figures; without a database the other metrics are still told."""
        moved, short = _pool_families()
        try:
            totals, lacking = pooled_by_currency(), short_by_currency()
        except DatabaseError:
            return
        for currency, direction in sorted(totals):
            moved.add_metric([currency, direction], float(totals[currency, direction]))
        for currency in sorted(lacking):
            short.add_metric([currency], float(lacking[currency]))
        yield moved
        yield short


def pooled_by_currency() -> dict[tuple[str, str], Decimal]:
    """Return what has settled of pools' moves, by currency and direction."""
    totals: dict[tuple[str, str], Decimal] = {}
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            rows = PoolMove.objects.filter(proposal__state=ProposalState.SETTLED).order_by()
            for row in rows.values("proposal__currency", "direction").annotate(total=Sum("amount")):
                key = row["proposal__currency"], row["direction"]
                totals[key] = totals.get(key, Decimal(0)) + row["total"]
    return totals


def short_by_currency() -> dict[str, Decimal]:
    """Return what the newest run of each active pool could not fund, by currency."""
    lacking: dict[str, Decimal] = {}
    for tenant in tenant_ids():
        with bound(tenant, actor="system:metrics"):
            newest = PoolRun.objects.filter(pool__is_active=True).order_by("pool_id", "-day")
            rows = newest.distinct("pool_id").values_list("pool__currency", "short")
            for currency, short in rows:
                lacking[currency] = lacking.get(currency, Decimal(0)) + short
    return lacking


def _pool_families() -> tuple[CounterMetricFamily, GaugeMetricFamily]:
    return (
        CounterMetricFamily(
            "treasury_pooled",
            "Money of settled moves of pools, in units of its currency.",
            labels=["currency", "direction"],
        ),
        GaugeMetricFamily(
            "treasury_pool_short",
            "What newest runs could not fund, in units of its currency.",
            labels=["currency"],
        ),
    )


def _sweep_families() -> tuple[CounterMetricFamily, GaugeMetricFamily]:
    return (
        CounterMetricFamily(
            "treasury_swept_usd", "Dollars that banks took into a product.", labels=["product"]
        ),
        GaugeMetricFamily("treasury_var_bps", "Largest newest value at risk of an account."),
    )


DECISION_SECONDS = Histogram(
    "sweep_decision_latency_seconds",
    "From the beginning of a decision to its record and order.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0),
)


def register_metrics() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(OpenTasks())
    REGISTRY.register(Sweeps())
    REGISTRY.register(Pools())
    observe(DECISION_SECONDS.observe)
