"""References of our own, numbered without gaps or twins."""

from datetime import date

from core.errors import Invalid
from treasury.engine.sweep_orders import order_id
from treasury.models import ReferenceCounter

_KINDS = {
    "FMP": "fund-movement proposals",
    "RCL": "recalls",
    "FXD": "foreign-exchange deals",
    "FXN": "nets of deals",
}


def next_reference(*, kind: str) -> str:
    """Return the next reference of `kind`, like FMP-000017; at most 35 characters (Max35Text).

    The counter's row stays locked until the transaction ends, so numbers come in commit order.

    Raises:
        Invalid: an unknown kind.
    """
    (reference,) = next_references(kind=kind, count=1)
    return reference


def next_references(*, kind: str, count: int) -> list[str]:
    """Return the next `count` references of `kind`, in their order, for one wait at the counter.

    Raises:
        Invalid: an unknown kind.
    """
    if kind not in _KINDS:
        raise Invalid(f"{kind} is not a kind of reference.", field="kind")
    last = _next(kind, count=count)
    return [f"{kind}-{number:06d}" for number in range(last - count + 1, last + 1)]


def next_order_id(*, day: date) -> str:
    """Return the next name of a sweep order of a UTC day, like SWP-2026-11-17-0001."""
    return order_id(day, _next(f"SWP-{day:%Y%m%d}"))


def _next(kind: str, *, count: int = 1) -> int:
    ReferenceCounter.objects.bulk_create([ReferenceCounter(kind=kind)], ignore_conflicts=True)
    counter = ReferenceCounter.objects.select_for_update().get(kind=kind)
    counter.last += count
    counter.save(update_fields=["last"])
    return int(counter.last)
