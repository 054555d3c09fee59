"""Which rail carries a transfer between own accounts, and what its payment order says. Pure."""

from dataclasses import dataclass
from typing import Final

from core.errors import Invalid

BOOK: Final = "BOOK"


@dataclass(frozen=True, slots=True, kw_only=True)
class RailProfile:
    """What a payment order says on a rail, and how long its confirmation may take.

    `sla_minutes` None means: until the end of the desk's day.
    """

    service_level: str
    charge_bearer: str
    sla_minutes: int | None
    local_instrument: str = ""


# Confirmation times: requirements S0-34..38. A book transfer at one bank is booked within minutes.
PROFILES: Final = {
    BOOK: RailProfile(service_level="SDVA", charge_bearer="SHAR", sla_minutes=30),
    "FEDWIRE": RailProfile(service_level="URGP", charge_bearer="DEBT", sla_minutes=30),
    "CHAPS": RailProfile(service_level="URGP", charge_bearer="DEBT", sla_minutes=120),
    "T2": RailProfile(service_level="URGP", charge_bearer="DEBT", sla_minutes=240),
    "SEPA_SCT": RailProfile(service_level="SEPA", charge_bearer="SLEV", sla_minutes=240),
    "SEPA_INST": RailProfile(
        service_level="SEPA", charge_bearer="SLEV", sla_minutes=240, local_instrument="INST"
    ),
    "SWIFT_GPI": RailProfile(service_level="G001", charge_bearer="DEBT", sla_minutes=480),
    "UAEFTS": RailProfile(service_level="URGP", charge_bearer="DEBT", sla_minutes=480),
    "RTGS_IN": RailProfile(service_level="URGP", charge_bearer="DEBT", sla_minutes=480),
    "INR_DESK": RailProfile(service_level="URGP", charge_bearer="DEBT", sla_minutes=None),
}
_RTGS: Final = {
    "USD": "FEDWIRE",
    "GBP": "CHAPS",
    "EUR": "T2",
    "AED": "UAEFTS",
    "INR": "RTGS_IN",
}


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
