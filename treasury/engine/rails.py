"""Which rail carries a transfer, and how soon it is confirmed there. Pure."""

from dataclasses import dataclass
from typing import Final

from core.errors import Invalid

BOOK: Final = "BOOK"


@dataclass(frozen=True, slots=True, kw_only=True)
class RailProfile:
    """How long a confirmation may take on a rail.

    `sla_minutes` None means: until the end of the desk's day.
    """

    sla_minutes: int | None


# Confirmation times: requirements S0-34..38. A book transfer at one bank is booked within minutes.
PROFILES: Final = {
    BOOK: RailProfile(sla_minutes=30),
    "FEDWIRE": RailProfile(sla_minutes=30),
    "CHAPS": RailProfile(sla_minutes=120),
    "T2": RailProfile(sla_minutes=240),
    "SEPA_SCT": RailProfile(sla_minutes=240),
    "SEPA_INST": RailProfile(sla_minutes=240),
    "SWIFT_GPI": RailProfile(sla_minutes=480),
    "UAEFTS": RailProfile(sla_minutes=480),
    "RTGS_IN": RailProfile(sla_minutes=480),
    "INR_DESK": RailProfile(sla_minutes=None),
}
_RTGS: Final = {
    "USD": "FEDWIRE",
    "GBP": "CHAPS",
    "EUR": "T2",
    "AED": "UAEFTS",
    "INR": "RTGS_IN",
}
# Where the bank that is paid must be for the currency's own rail to reach it.
_EURO_AREA: Final = frozenset({
    "AT", "BE", "BG", "CY", "DE", "EE", "ES", "FI", "FR", "GR", "HR",
    "IE", "IT", "LT", "LU", "LV", "MT", "NL", "PT", "SI", "SK",
})  # fmt: skip
_HOME: Final = {
    "USD": frozenset({"US"}),
    "GBP": frozenset({"GB"}),
    "EUR": _EURO_AREA,
    "AED": frozenset({"AE"}),
    "INR": frozenset({"IN"}),
}
_BANK_CHARS: Final = 8


def rail_to(*, currency: str, debit_bic: str, credit_bic: str) -> str:
    """Return the rail to somebody else's account: books, the currency's RTGS, or correspondents.

    Raises:
        Invalid: a currency that we have no rail for.
    """
    same_bank = debit_bic[:_BANK_CHARS] == credit_bic[:_BANK_CHARS]
    near = rail_for(currency=currency, same_bank=same_bank)
    is_reached = same_bank or credit_bic[4:6] in _HOME[currency]
    return near if is_reached else "SWIFT_GPI"


def rail_for(*, currency: str, same_bank: bool) -> str:
    """Return the rail of an own-account transfer: the bank's books, or the currency's RTGS.

    Raises:
        Invalid: a currency that we have no rail for.
    """
    if same_bank:
        return BOOK
    if currency not in _RTGS:
        raise Invalid(f"There is no rail for {currency}.", field="currency")
    return _RTGS[currency]


def profile(rail: str) -> RailProfile:
    """Return the rail's profile.

    Raises:
        Invalid: an unknown rail.
    """
    if rail not in PROFILES:
        raise Invalid(f"{rail} is not one of our rails.", field="rail")
    return PROFILES[rail]
