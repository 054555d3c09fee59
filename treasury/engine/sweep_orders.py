"""What a sweep order says to who executes it: exact bytes, after a published schema. Pure.

Amounts are JSON numbers with two to four decimals, written from decimals and never through a
binary float; instants are UTC with milliseconds. The same order always gives the same bytes.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Final

SCHEMA_VERSION: Final = "1.0.0"
ORDER_ID: Final = re.compile(r"SWP-[0-9]{4}-[0-9]{2}-[0-9]{2}-[0-9]{4,6}", re.ASCII)
CENT: Final = Decimal("0.01")
UNIT: Final = Decimal("0.0001")


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderFacts:
    """The content of one order; `observed_var_bps` is None where no value at risk could be used."""

    order_id: str
    source_account: str
    target_product: str
    amount_usd: Decimal
    cutoff: datetime
    settles_on: date
    matures_on: date
    var_limit_bps: Decimal
    observed_var_bps: Decimal | None
    created_at: datetime


def order_bytes(facts: OrderFacts) -> str:
    """Return the order as it is signed: one JSON object, ASCII, keys in the schema's order."""
    texts = {
        "schema_version": SCHEMA_VERSION,
        "order_id": facts.order_id,
        "source_account": facts.source_account,
        "target_product": facts.target_product,
    }
    parts = [f"{json.dumps(key)}:{json.dumps(value)}" for key, value in texts.items()]
    parts.append(f'"amount_usd":{_number(facts.amount_usd)}')
    parts.append(f'"cutoff_utc":"{instant(facts.cutoff)}"')
    parts.append(f'"settlement_date":"{facts.settles_on.isoformat()}"')
    parts.append(f'"maturity_date":"{facts.matures_on.isoformat()}"')
    observed = "null" if facts.observed_var_bps is None else _plain(facts.observed_var_bps)
    limit = _plain(facts.var_limit_bps)
    parts.append(f'"risk_checks":{{"var_limit_bps":{limit},"observed_var_bps":{observed}}}')
    parts.append(f'"created_ts":"{instant(facts.created_at)}"')
    return "{" + ",".join(parts) + "}"


def instant(at: datetime) -> str:
    """Return an instant as UTC with milliseconds, like 2026-11-17T15:30:00.000Z."""
    return at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def order_id(day: date, number: int) -> str:
    """Return the name of the n-th order of a UTC day, like SWP-2026-11-17-0001."""
    return f"SWP-{day.isoformat()}-{number:04d}"


def _number(amount: Decimal) -> str:
    """Write an amount with two decimals, or four where it has them."""
    fine = amount.quantize(UNIT)
    return f"{amount.quantize(CENT):f}" if fine == amount.quantize(CENT) else f"{fine:f}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"
