"""What stands on the front page: each room offers a panel, this list only arranges them."""

from dataclasses import dataclass
from typing import Final

from tms.desk.navigation import address

MAIN: Final = "main"
SIDE: Final = "side"


@dataclass(frozen=True, slots=True, kw_only=True)
class Panel:
    """A fragment of another room's page, refreshed when one of `topics` is heard.

    Wide screens show two columns, the main one wider; phones stack them.
    """

    title: str
    icon: str
    url_name: str
    page_url_name: str
    topics: str
    column: str = MAIN

    @property
    def url(self) -> str | None:
        """Return where the fragment is fetched, or None when no room offers it."""
        return address(self.url_name)

    @property
    def page_url(self) -> str | None:
        """Return the page that tells the whole story."""
        return address(self.page_url_name)


PANELS: Final = (
    Panel(
        title="Position",
        icon="wallet",
        url_name="treasury:position-panel",
        page_url_name="treasury:position",
        topics="ops.nostro.balance.update balance.updated cash_positions ops.fund.movement.status",
    ),
    Panel(
        title="Rails",
        icon="rail",
        url_name="calendars:rails-panel",
        page_url_name="calendars:rails",
        topics="ops.window.closing calendars.*",
        column=SIDE,
    ),
    Panel(
        title="Forecast",
        icon="chart",
        url_name="forecast-chart",
        page_url_name="liquidity:forecasts",
        topics="forecast.daily.ready cash_flow.created",
    ),
    Panel(
        title="Shortfalls",
        icon="drop",
        url_name="liquidity:shortfalls-panel",
        page_url_name="liquidity:shortfalls",
        topics="forecast.rda.shortfall forecast.daily.ready ops.fund.movement.status",
        column=SIDE,
    ),
    Panel(
        title="Proposals and transfers",
        icon="send",
        url_name="treasury:movements-panel",
        page_url_name="treasury:proposals",
        topics="maker_checker.* ops.fund.movement.status",
    ),
    Panel(
        title="Settlement of deals",
        icon="check-circle",
        url_name="fx:settlement-panel",
        page_url_name="fx:settlements",
        topics="fx.deal.instruction ops.fund.movement.status",
        column=SIDE,
    ),
    Panel(
        title="Alerts",
        icon="bell",
        url_name="alerts-panel",
        page_url_name="alerts",
        topics="risk.alert ops.* forecast.rda.shortfall maker_checker.proposal.escalated"
        " maker_checker.break_glass.opened",
        column=SIDE,
    ),
)


def offered(column: str) -> list[Panel]:
    """Return the panels of a column whose rooms offer them."""
    return [panel for panel in PANELS if panel.column == column and panel.url]
