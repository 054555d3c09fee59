"""What a forecast made now would say of a currency; nothing is stored or announced."""

from collections import defaultdict
from datetime import date, datetime
from decimal import Decimal

from fx.registry import Preview
from liquidity.constants import HORIZON_DAYS
from liquidity.engine.forecast import ZERO, make_forecast
from liquidity.engine.need import need_of
from liquidity.services.gathering import gather
from treasury.selectors import accounts


def preview_currency(*, currency: str, now: datetime) -> Preview:
    """Return outflow and need of a currency over its active accounts, as of now.

    Raises:
        CalendarUnknown: no calendar settles the currency.
        CalendarCoverageError: the calendar does not reach far enough.
    """
    days: dict[date, Decimal] = defaultdict(lambda: ZERO)
    outflow, required = ZERO, ZERO
    for account in accounts.accounts(currency):
        gathered = gather(account=account, now=now, horizon_days=HORIZON_DAYS)
        outcome = make_forecast(gathered.inputs)
        need = need_of(
            outcome,
            days=gathered.need_days,
            available=gathered.funds.amount,
            basis=gathered.basis,
        )
        required += need.required
        for line in outcome.lines:
            days[line.day] += line.outflow
        outflow += outcome.lines[0].outflow
    return Preview(
        outflow=outflow,
        required=required,
        days=tuple((day.isoformat(), days[day]) for day in sorted(days)),
    )
