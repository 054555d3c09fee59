"""The desk's menu: which pages exist, under which heading, with which keys."""

from dataclasses import dataclass
from typing import Final

from django.urls import NoReverseMatch, reverse

from approvals.selectors.authority import READERS as AUTHORITY_READERS
from core.identity.roles import AUDIT_READERS
from integrations.downloads import ROLES_FOR_BYTES
from treasury.evidence import READERS as EVIDENCE_READERS


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One page of the menu. `keys` are pressed one after the other; no `roles` means everybody."""

    heading: str
    title: str
    url_name: str
    icon: str
    keys: str = ""
    badge: str = ""
    roles: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Link:
    """An entry as shown on one page."""

    entry: Entry
    url: str
    is_current: bool
    badge_url: str


ENTRIES: Final = (
    Entry(heading="Today", title="Desk", url_name="desk", icon="desk", keys="g h"),
    Entry(
        heading="Today",
        title="Approvals",
        url_name="approvals:inbox",
        icon="inbox",
        keys="g a",
        badge="approvals:waiting-count",
    ),
    Entry(
        heading="Today",
        title="Tasks",
        url_name="treasury:tasks",
        icon="check-circle",
        keys="g k",
        badge="treasury:tasks-count",
    ),
    Entry(heading="Today", title="Alerts", url_name="alerts", icon="bell", keys="g l"),
    Entry(
        heading="Cash",
        title="Position",
        url_name="treasury:position",
        icon="wallet",
        keys="g p",
    ),
    Entry(
        heading="Cash", title="Sweeps", url_name="treasury:sweeps", icon="arrow-right", keys="g w"
    ),
    Entry(heading="Cash", title="Pools", url_name="treasury:pools", icon="drop", keys="g z"),
    Entry(
        heading="Cash",
        title="Daily proof",
        url_name="treasury:proofs",
        icon="scale",
        keys="g d",
    ),
    Entry(
        heading="Cash",
        title="Closed periods",
        url_name="treasury:periods",
        icon="lock",
        keys="g c",
    ),
    Entry(
        heading="Cash",
        title="Statements",
        url_name="treasury:statements",
        icon="file",
        keys="g m",
    ),
    Entry(heading="Cash", title="Entries", url_name="treasury:entries", icon="list", keys="g j"),
    Entry(
        heading="Cash",
        title="Forecasts",
        url_name="liquidity:forecasts",
        icon="chart",
        keys="g f",
    ),
    Entry(
        heading="Cash",
        title="Shortfalls",
        url_name="liquidity:shortfalls",
        icon="drop",
        keys="g s",
    ),
    Entry(heading="Cash", title="Risk", url_name="risk:overview", icon="scale", keys="g i"),
    Entry(heading="FX", title="Exposure", url_name="fx:exposure", icon="scale", keys="g 3"),
    Entry(heading="FX", title="Deals", url_name="fx:deals", icon="list", keys="g 1"),
    Entry(heading="FX", title="Rates", url_name="fx:rates", icon="chart", keys="g 2"),
    Entry(heading="FX", title="Valuation", url_name="fx:valuation", icon="scale", keys="g 6"),
    Entry(
        heading="FX", title="Settlement", url_name="fx:settlements", icon="check-circle", keys="g 4"
    ),
    Entry(
        heading="FX",
        title="Suggestions",
        url_name="fx:suggestions",
        icon="bell",
        keys="g 5",
    ),
    Entry(
        heading="Payments",
        title="Prefunding",
        url_name="treasury:prefunding",
        icon="scale",
        keys="g e",
    ),
    Entry(
        heading="Payments",
        title="Proposals",
        url_name="treasury:proposals",
        icon="list",
        keys="g o",
    ),
    Entry(
        heading="Payments",
        title="Transfers",
        url_name="treasury:transfers",
        icon="send",
        keys="g t",
    ),
    Entry(
        heading="Payments",
        title="Beneficiaries",
        url_name="treasury:beneficiaries",
        icon="people",
        keys="g n",
    ),
    Entry(
        heading="Payments",
        title="Rails and holidays",
        url_name="calendars:rails",
        icon="rail",
        keys="g r",
    ),
    Entry(
        heading="Control",
        title="Bank connections",
        url_name="integrations:connections",
        icon="plug",
        keys="g b",
    ),
    Entry(
        heading="Control",
        title="Messages",
        url_name="integrations:messages",
        icon="file",
        keys="g x",
        roles=ROLES_FOR_BYTES,
    ),
    Entry(
        heading="Control",
        title="Quarantine",
        url_name="integrations:quarantine",
        icon="ban",
        keys="g q",
    ),
    Entry(
        heading="Control",
        title="Authority",
        url_name="approvals:authority",
        icon="people",
        keys="g y",
        badge="approvals:reviews-count",
        roles=AUTHORITY_READERS,
    ),
    Entry(heading="Control", title="Policies", url_name="policies", icon="gear", keys="g g"),
    Entry(
        heading="Control",
        title="Audit trail",
        url_name="audit-trail",
        icon="shield",
        keys="g u",
        roles=AUDIT_READERS,
    ),
    Entry(
        heading="Control",
        title="Evidence",
        url_name="treasury:evidence",
        icon="shield",
        keys="g v",
        roles=EVIDENCE_READERS,
    ),
)


def address(url_name: str) -> str | None:
    """Return the path of a page, or None when no room offers it in this installation."""
    try:
        return reverse(url_name)
    except NoReverseMatch:
        return None


def sections(path: str, roles: set[str]) -> dict[str, list[Link]]:
    """Return the menu's links by heading for somebody's roles, the page at `path` marked."""
    found: dict[str, list[Link]] = {}
    for entry in ENTRIES:
        url = address(entry.url_name)
        if url is None or (entry.roles and not roles.intersection(entry.roles)):
            continue
        is_current = path == url if url == "/" else path.startswith(url)
        badge = address(entry.badge) if entry.badge else None
        link = Link(entry=entry, url=url, is_current=is_current, badge_url=badge or "")
        found.setdefault(entry.heading, []).append(link)
    return found
