"""What each payment rail allows in an order, as data.

Cut-offs and calendars live elsewhere; these are the limits on the content of a message.
"""

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Final

_ANY_BEARER: Final = frozenset({"DEBT", "SHAR", "CRED"})
_SEPA_CAP: Final = Decimal("999999999.99")


# From these days on an address needs its town and country apart.
_CORRESPONDENTS_STRUCTURED: Final = date(2026, 11, 14)
_SEPA_STRUCTURED: Final = date(2026, 11, 15)
_FEDWIRE_STRUCTURED: Final = date(2026, 11, 16)


@dataclass(frozen=True, slots=True, kw_only=True)
class RailRule:
    """What a rail allows; `unstructured_until` is the first day without free-form addresses."""

    zone: str
    currency: str | None = None
    amount_min: Decimal | None = None
    amount_max: Decimal | None = None
    charge_bearers: frozenset[str] = _ANY_BEARER
    name_chars_max: int = 140
    service_level: str | None = None
    local_instrument: str | None = None
    needs_ibans: bool = False
    needs_creditor_town: bool = False
    is_sepa: bool = False
    unstructured_until: date | None = None


def _sepa(*, zone: str, local_instrument: str | None) -> RailRule:
    return RailRule(
        zone=zone,
        currency="EUR",
        amount_min=Decimal("0.01"),
        amount_max=_SEPA_CAP,
        charge_bearers=frozenset({"SLEV"}),
        name_chars_max=70,
        service_level="SEPA",
        local_instrument=local_instrument,
        needs_ibans=True,
        is_sepa=True,
        unstructured_until=_SEPA_STRUCTURED,
    )


RAILS: Final[dict[str, RailRule]] = {
    # Inside one bank the date is the account's own; the westernmost centre is the latest to turn.
    "BOOK": RailRule(zone="America/New_York"),
    "FEDWIRE": RailRule(
        zone="America/New_York",
        currency="USD",
        amount_max=Decimal("9999999999.99"),
        unstructured_until=_FEDWIRE_STRUCTURED,
    ),
    "CHAPS": RailRule(
        zone="Europe/London",
        currency="GBP",
        needs_creditor_town=True,
        unstructured_until=_CORRESPONDENTS_STRUCTURED,
    ),
    "T2": RailRule(
        zone="Europe/Berlin",
        currency="EUR",
        needs_creditor_town=True,
        unstructured_until=_CORRESPONDENTS_STRUCTURED,
    ),
    "SEPA_SCT": _sepa(zone="Europe/Berlin", local_instrument=None),
    "SEPA_INST": _sepa(zone="UTC", local_instrument="INST"),
    "SWIFT_GPI": RailRule(
        zone="UTC", needs_creditor_town=True, unstructured_until=_CORRESPONDENTS_STRUCTURED
    ),
    "UAEFTS": RailRule(zone="Asia/Dubai", currency="AED"),
    "RTGS_IN": RailRule(zone="Asia/Kolkata", currency="INR", amount_min=Decimal(200_000)),
    "NEFT": RailRule(zone="Asia/Kolkata", currency="INR"),
    "INR_DESK": RailRule(zone="Asia/Kolkata", currency="INR"),
}

# A euro transfer needs the payee's address only where the payee's bank is outside the EEA.
EEA_COUNTRIES: Final = frozenset(
    {
        "AT", "BE", "BG", "CY", "CZ", "DE", "DK", "EE", "ES", "FI", "FR", "GR", "HR", "HU",
        "IE", "IS", "IT", "LI", "LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE",
        "SI", "SK",
    }
)  # fmt: skip

# Banks of the first country also serve accounts numbered in the others.
SHARED_COUNTRIES: Final = (
    frozenset({"GB", "JE", "GG", "IM"}),
    frozenset({"FR", "MC", "GP", "GF", "MQ", "RE", "YT", "PM", "BL", "MF", "PF", "NC", "WF"}),
    frozenset({"FI", "AX"}),
    frozenset({"IT", "SM", "VA"}),
)
