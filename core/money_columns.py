"""Constraints for money columns: PostgreSQL counts NaN as greater than every number."""

from decimal import Decimal
from typing import Final

from django.db.models import CheckConstraint, Q

BOUND: Final = Decimal(10) ** 16
# Sums of many amounts.
SUMS_BOUND: Final = Decimal(10) ** 20


def finite(name: str, *columns: str, bound: Decimal = BOUND) -> CheckConstraint:
    """Return a check that every column is finite (or NULL): no NaN, no Infinity."""
    condition = Q()
    for column in columns:
        condition &= Q(**{f"{column}__gt": -bound, f"{column}__lt": bound})
    return CheckConstraint(name=name, condition=condition)


def not_negative(name: str, *columns: str) -> CheckConstraint:
    """Return a check that every column is finite and at least zero (or NULL)."""
    condition = Q()
    for column in columns:
        condition &= Q(**{f"{column}__gte": 0, f"{column}__lt": BOUND})
    return CheckConstraint(name=name, condition=condition)
