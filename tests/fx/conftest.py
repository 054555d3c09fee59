"""A house that deals: calendars, the usual sources of rates, fresh prices, on a Friday morning."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from calendars import services as calendars
from core import clock
from core.tenancy import Tenant
from fx.engine.pairs import parse_pair
from fx.services.rates import Origin, RateIn, Taken, record_rates
from fx.services.sources import FEED, install_usual_sources
from tests.fx.dealing import Desk, build_desk
from tests.fx.settling import Settling, build_settling, line_to
from tests.scenes import scene

# Friday 20 November 2026, 10:00 in London, 15:30 in Mumbai.
NOW = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
Quoted = Callable[..., Taken]


@pytest.fixture(autouse=True)
def now() -> Iterator[datetime]:
    with clock.frozen(NOW):
        yield NOW


@scene
def house(tenant: Tenant) -> Tenant:
    """A tenant with calendars and sources, but no rates."""
    calendars.install_reference_calendars(years=range(2024, 2029))
    install_usual_sources()
    return tenant


@scene
def quoted(house: Tenant) -> Quoted:
    """Record a price as a source says it, so many minutes ago."""

    def record(
        pair: str, bid: str, ask: str = "", *, source: str = FEED, minutes_old: float = 1
    ) -> Taken:
        rate = RateIn(
            row=1,
            pair=parse_pair(pair),
            bid=Decimal(bid),
            ask=Decimal(ask or bid),
            as_of=clock.now() - timedelta(minutes=minutes_old),
        )
        origin = Origin(source=source, name="test", data=repr(rate).encode(), received_from="test")
        return record_rates(origin=origin, rates=[rate])

    return record


@scene
def prices(quoted: Quoted) -> None:
    """Fresh prices of every pair of the board."""
    quoted("EUR/USD", "1.0869", "1.0871")
    quoted("GBP/USD", "1.2649", "1.2651")
    quoted("USD/AED", "3.6724", "3.6726")
    quoted("USD/INR", "84.9950", "85.0050")


@scene
def desk(house: Tenant, prices: None) -> Desk:
    """A dealer, a checker, a back office, a bank, accounts, and fresh prices."""
    return build_desk(house)


@scene
def settles(house: Tenant, prices: None, tmp_path: Path) -> Settling:
    """The desk with a back office that settles: rails, a bank that takes payments, and money."""
    return build_settling(house, line_to(tmp_path))
