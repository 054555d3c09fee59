"""What all accounts of a window share, gathered once: policies, products, their days and calendars.

A plan names the ground it was made from; the statement that uses it refuses an old one, so that it
may be kept from one batch to the next.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any, Final

from django.db import connection

from calendars import selectors as calendars
from calendars.engine.days import next_business_day
from core import policies
from core.errors import DomainError
from core.events.bus import consumers_of, jsonable
from treasury import policies as knobs
from treasury.constants import SWEEP_STALE_ANSWERED, SWEEP_STALE_TASK
from treasury.engine import sweeps as rule
from treasury.engine.identity import PENDING_DAYS_MAX
from treasury.engine.positions import AVAILABLE_CODES, BOOKED_ORDER, HEADLINE_ORDER
from treasury.engine.sweep_orders import SCHEMA_VERSION
from treasury.engine.sweep_records import canonical, plain
from treasury.engine.sweep_windows import ZONE, ProductKind, Window, days_of, rungs
from treasury.events import SweepOrderCreated
from treasury.models import SweepProduct
from treasury.selectors import sweeps as reads

# Beyond this a figure has so many digits that the rule's own arithmetic rounds on the way.
AMOUNT_MAX: Final = Decimal(10) ** 12
_KEYS: Final = (
    knobs.LIQ_BUFFER_PCT, knobs.VAR_LIMIT_BPS, knobs.MIN_SWEEP_USD, knobs.MAX_BALANCE_AGE_MINUTES,
    knobs.TARGET_LADDER_DAYS, knobs.VAR_OBSERVATIONS_MIN, knobs.SWEEP_ESG_PREFERENCE,
    knobs.FALLBACK_KEEPS_BUFFER, knobs.TERM_LIQUIDITY, knobs.VAR_READING_HOURS_MAX,
    knobs.VAR_AS_OF_DAYS_MAX, knobs.ALLOW_INCREMENTAL, knobs.SWEEP_CUTOFFS_UTC,
)  # fmt: skip
_FACTS: Final = (
    "id", "code", "kind", "green", "active", "all", "named", "increment", "minimum", "cap", "rate",
    "one", "two", "three", "settles", "matures", "rungs",
)  # fmt: skip
_HELD: Final = "held by a batch"
_OPEN: Final = "open to a company"


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One window's plan as the database reads it; `refusal` says why it has none."""

    window: Window
    text: str
    refusal: str = ""


def make_plan(*, window: Window) -> Plan:
    """Gather what all accounts of a window share.

    A setting that the set-based path does not know leaves everything to the services: negative
    rates, products whose order depends on the database's collation, calendars that do not reach.
    """
    try:
        return _made(window)
    except DomainError as refusal:
        return Plan(window=window, text="", refusal=refusal.code)


def _made(window: Window) -> Plan:
    # The ground is read first: what changes while the rest is read makes the plan an old one.
    rows = list(SweepProduct.objects.prefetch_related("eligibilities"))
    knob = reads.policy()
    codes = sorted({reads.HOUSE_CALENDAR, *(row.calendar for row in rows)})
    ahead = reads.days_ahead(rows, knob)
    first, last = window.day - timedelta(days=3), window.day + timedelta(days=ahead)
    keys = [one.key for one in _KEYS]
    ground = _ground(keys, codes, first, last)
    rows = list(SweepProduct.objects.prefetch_related("eligibilities"))
    knob = reads.policy()
    if reads.days_ahead(rows, knob) != ahead or {row.calendar for row in rows} - {*codes}:
        return Plan(window=window, text="", refusal="CHANGING")
    if refusal := unfit(rows):
        return Plan(window=window, text="", refusal=refusal)
    found = tuple(reads.closed_days(code, window.day, ahead) for code in codes)
    until = next_business_day(calendars.calendar_data(reads.HOUSE_CALENDAR), window.day)
    bills = [row.rate for row in rows if row.kind == ProductKind.BILL]
    facts: dict[str, Any] = {
        "keys": _array(keys),
        "codes": _array(codes),
        "ground_from": first,
        "ground_until": last,
        "ground": ground,
        "cutoff": window.cutoff.isoformat(),
        "cutoff_key": window.cutoff.isoformat(),
        "cutoff_event": window.cutoff,
        "day": window.day,
        "closure": window.closure,
        "until": until,
        "last_day": window.day + timedelta(days=knob.ladder_days),
        "headline": _array(HEADLINE_ORDER),
        "booked": _array(BOOKED_ORDER),
        "available": _array(sorted(AVAILABLE_CODES)),
        "agreed": _array(reads.COMMITTED),
        "forecast": _array(reads.FORECAST),
        "patience": PENDING_DAYS_MAX,
        "amount_max": AMOUNT_MAX,
        "bill_rate": max(bills, default=None),
        "zone": ZONE.key,
        "var_as_of_days_max": policies.get(knobs.VAR_AS_OF_DAYS_MAX),
        "var_reading_hours_max": policies.get(knobs.VAR_READING_HOURS_MAX),
        "allow_incremental": policies.get(knobs.ALLOW_INCREMENTAL),
        "text_window": canonical(plain(window)),
        "text_policy": canonical(plain(knob)),
        "text_calendars": canonical(plain(found)),
        "schema_version": SCHEMA_VERSION,
        "stale_task": SWEEP_STALE_TASK,
        "answered": SWEEP_STALE_ANSWERED,
        "consumers": _array(consumers_of(SweepOrderCreated.topic, {})),
        "is_capped": any(row.cap is not None and row.is_active for row in rows),
        "bills": _array(row.pk for row in rows if row.kind == ProductKind.BILL),
        **_columns([_product(row, window, knob, found) for row in rows]),
        **{name: getattr(knob, name) for name in rule.Policy.__slots__},
    }
    return Plan(window=window, text=json.dumps(jsonable(facts)))


def unfit(rows: Sequence[SweepProduct]) -> str:
    """Say why products, in the order the database gave them, are left to the services; or ''."""
    if any(row.rate < 0 for row in rows):
        return "NEGATIVE_RATE"
    codes = [row.code for row in rows]
    return "UNSORTED_PRODUCTS" if codes != sorted(codes) else ""


def _product(
    row: SweepProduct, window: Window, knob: rule.Policy, found: tuple[Any, ...]
) -> dict[str, Any]:
    """Return a product with the pieces of its text, between which what is held and open stands."""
    one = reads.product_facts(row, held=Decimal(0), is_open=True)
    shape = plain(one) | {"held": _HELD, "is_open_to_us": _OPEN}
    start, rest = canonical(shape).split(_HELD)
    middle, end = rest.split(f'"{_OPEN}"')
    calendar = next(each for each in found if each.code == row.calendar)
    dated: dict[str, Any] = {"settles": None, "matures": None, "rungs": "{}"}
    try:
        days = days_of(window.cutoff, one.terms, calendar)
        dated["settles"], dated["matures"] = days.settles_on, days.matures_on
        if one.kind is ProductKind.BILL:
            dates = rungs(days.settles_on, knob.ladder_days, calendar)
            dated["rungs"] = "{" + ",".join(map(str, dates)) + "}"
    except DomainError:
        # The services say it by name when this product is chosen.
        dated = {"settles": None, "matures": None, "rungs": "{}"}
    return {
        "id": row.pk,
        "code": row.code,
        "kind": row.kind,
        "green": row.is_green,
        "active": row.is_active,
        "all": row.for_all_companies,
        "named": ",".join(str(each.entity_id) for each in row.eligibilities.all()),
        "increment": row.increment,
        "minimum": row.minimum,
        "cap": row.cap,
        "rate": row.rate,
        "one": start,
        "two": middle,
        "three": end,
        **dated,
    }


def _columns(products: Sequence[dict[str, Any]]) -> dict[str, str]:
    """Return what is known of all products, one array for each fact, as the database reads it."""
    return {f"p_{name}": _array(one[name] for one in products) for name in _FACTS}


def _array(values: Iterable[object]) -> str:
    """Return PostgreSQL's text of an array: read without a query, unlike one of JSON."""
    return "{" + ",".join(map(_element, values)) + "}"


def _element(value: object) -> str:
    if value is None:
        return "NULL"
    text = str(jsonable(value)).replace("\\", "\\\\").replace('"', '\\"')
    return f'"{text}"'


def _ground(keys: list[str], codes: list[str], first: Any, last: Any) -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT treasury_sweep_ground(%s, %s, %s, %s)", [keys, codes, first, last])
        return str(cursor.fetchone()[0])
