"""How orders name our companies, beneficiaries and their banks."""

from typing import Final

from integrations.codecs.instructions import Agent, PostalAddress
from treasury.models import Beneficiary, LegalEntity

_CLEARING_SYSTEMS: Final = {"US": "USABA", "GB": "GBDSC", "IN": "INFSC"}


def address_of(owner: LegalEntity | Beneficiary) -> PostalAddress:
    """Return an address as orders carry it."""
    return PostalAddress(
        street=owner.street,
        building_number=owner.building_number,
        post_code=owner.post_code,
        town=owner.town,
        country=owner.country,
    )


def agent_of(bic: str, country: str, clearing_code: str) -> Agent:
    """Return a bank by BIC, and by clearing code where its country has one."""
    system = _CLEARING_SYSTEMS.get(country) if clearing_code else None
    return Agent(
        bic=bic,
        clearing_system=system,
        clearing_member=clearing_code or None if system else None,
    )
