"""Inputs of a decision that the tests vary: a Tuesday window, an excess, three products."""

from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from typing import Any, Final

from treasury.engine.sweep_windows import ClosedDays, ProductKind, ProductTerms, Window
from treasury.engine.sweeps import Inputs, Money, Policy, Product, Risk, RiskState

NEW_YORK: Final = "America/New_York"
WINDOW: Final = datetime(2026, 11, 17, 15, 30, tzinfo=UTC)
NOW: Final = WINDOW - timedelta(minutes=15)
# Closed days of the Federal Reserve around these windows (Federal Reserve Board, holiday schedule).
HOLIDAYS: Final = frozenset(
    {date(2026, 11, 11), date(2026, 11, 26), date(2026, 12, 25), date(2027, 1, 1)}
)
START, END = date(2026, 11, 1), date(2027, 1, 31)


def fed() -> ClosedDays:
    """Return the Federal Reserve's days from November 2026 to January 2027."""
    days = (START + timedelta(days=step) for step in range((END - START).days + 1))
    closed = tuple(day for day in days if day.weekday() > 4 or day in HOLIDAYS)
    return ClosedDays(code="FED", start=START, end=END, closed=closed)


def product(code: str, kind: ProductKind, **more: Any) -> Product:
    """Return a product; the overnight one deals until 13:15 New York."""
    cutoff, lag, tenor = {
        ProductKind.OVERNIGHT: (time(13, 15), 0, 1),
        ProductKind.BILL: (time(14, 0), 1, 28),
        ProductKind.NOTE: (time(12, 0), 2, 28),
    }[kind]
    facts: dict[str, Any] = {
        "code": code,
        "kind": kind,
        "is_green": kind is ProductKind.NOTE,
        "is_open_to_us": True,
        "terms": ProductTerms(
            kind=kind, cutoff=cutoff, timezone=NEW_YORK, lag_days=lag, tenor_days=tenor
        ),
        "calendar": "FED",
        "increment": Decimal("0.01"),
        "minimum": Decimal(0),
        "cap": None,
        "held": Decimal(0),
        "rate": Decimal("0.0350") if kind is ProductKind.OVERNIGHT else Decimal("0.0385"),
        **more,
    }
    return Product(**facts)


OVERNIGHT: Final = product("FED_RRP", ProductKind.OVERNIGHT)
BILL: Final = product("TBILL_4W", ProductKind.BILL)
NOTE: Final = product("CARBON_NOTE", ProductKind.NOTE)


def given(
    *,
    excess: str = "1000000",
    outflows: str = "800000",
    var_bps: str | None = "8",
    observations: int = 250,
    **more: Any,
) -> Inputs:
    """Return inputs whose whole available balance is the excess; `more` replaces fields."""
    inputs = Inputs(
        account="Dollars",
        decided_at=NOW,
        window=Window(cutoff=WINDOW, day=date(2026, 11, 17), closure=""),
        money=Money(available=Decimal(excess), as_of=NOW, outflows=Decimal(outflows)),
        risk=Risk(
            state=RiskState.FRESH,
            var_bps=None if var_bps is None else Decimal(var_bps),
            observations=observations,
        ),
        policy=Policy(),
        products=(OVERNIGHT, BILL, NOTE),
        calendars=(fed(),),
    )
    return replace(inputs, **more)
