"""Between which places money may be pooled. Pure."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Final

# India's exchange control (Foreign Exchange Management Act, 1999) allows no cross-border pooling,
# physical or notional: neither with accounts nor with companies abroad.
NO_CROSS_BORDER: Final = frozenset({"IN"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where an account is kept and where its company is."""

    bank_country: str
    entity_country: str

    @property
    def countries(self) -> frozenset[str]:
        """Return both."""
        return frozenset({self.bank_country, self.entity_country})


def forbidden(places: Collection[Place]) -> str:
    """Return why accounts of these places may not be pooled; empty where they may.

    Accounts that are kept in one country, of companies in one country, cross no border.
    """
    countries = frozenset().union(*(one.countries for one in places))
    closed = sorted(countries & NO_CROSS_BORDER)
    if not closed or len(set(places)) == 1:
        return ""
    others = ", ".join(sorted(countries - {closed[0]}))
    return (
        f"{closed[0]} allows no cross-border pooling, and this would pool it with {others}:"
        " list the account as not poolable, with the reason."
    )


def crosses(one: Place, other: Place) -> str:
    """Return a warning where two companies' money would cross a border; empty where it does not."""
    if one.entity_country == other.entity_country and one.bank_country == other.bank_country:
        return ""
    ways = sorted(
        f"{here} to {there}"
        for here, there in (
            (one.entity_country, other.entity_country),
            (one.bank_country, other.bank_country),
        )
        if here != there
    )
    return (
        f"Crosses a border ({', '.join(dict.fromkeys(ways))}): transfer pricing, withholding tax"
        " and thin capitalisation are the companies' to check."
    )
