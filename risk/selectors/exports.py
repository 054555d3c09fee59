"""What the CSV of readings holds."""

from collections.abc import Callable, Mapping
from typing import Final

from risk.models import AccountRisk, Backtest


def _tested(name: str) -> Callable[[AccountRisk], object]:
    def read(row: AccountRisk) -> object:
        found: Backtest | None = getattr(row, "backtest", None)
        return None if found is None else getattr(found, name)

    return read


COLUMNS: Final[Mapping[str, Callable[[AccountRisk], object]]] = {
    "account": lambda row: row.account.label,
    "currency": lambda row: row.currency,
    "day": lambda row: row.day,
    "observed_at": lambda row: row.observed_at,
    "quantile": lambda row: row.quantile,
    "confidence": lambda row: row.confidence,
    "observations": lambda row: row.observations,
    "window_days": lambda row: row.window_days,
    "first_day": lambda row: row.first_day,
    "last_day": lambda row: row.last_day,
    "var_amount": lambda row: row.var_amount,
    "expected_shortfall": lambda row: row.expected_shortfall,
    "base_kind": lambda row: row.base_kind,
    "base_amount": lambda row: row.base_amount,
    "var_bps": lambda row: row.var_bps,
    "limit_bps": lambda row: row.limit_bps,
    "missing": lambda row: row.missing,
    "tested_day": lambda row: row.tested_day,
    "tested_flow": lambda row: row.tested_flow,
    "tested_var": lambda row: row.tested_var,
    "is_exceeded": lambda row: row.is_exceeded,
    "backtest_days": _tested("days"),
    "backtest_exceedances": _tested("exceedances"),
    "backtest_expected": _tested("expected"),
    "kupiec_p": _tested("kupiec_p"),
    "christoffersen_p": _tested("christoffersen_p"),
    "zone": _tested("zone"),
}
