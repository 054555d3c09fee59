"""What waits for a person, as figures for `/metrics`: over all tenants, without naming any."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime

from django.db import DatabaseError
from django.db.models import Count, Min
from prometheus_client.core import REGISTRY, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from core import clock
from core.tenancy import bound, tenant_ids
from treasury.models import Task


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


def register_metrics() -> None:
    """Tell these figures with all others of this process."""
    REGISTRY.register(OpenTasks())
