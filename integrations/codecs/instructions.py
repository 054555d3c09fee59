"""A credit transfer as we order it: checked by `preflight`, written by `orders`."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PostalAddress:
    """A structured address, or a hybrid one: town and country plus at most two free lines."""

    town: str = ""
    country: str = ""
    department: str = ""
    sub_department: str = ""
    street: str = ""
    building_number: str = ""
    building_name: str = ""
    floor: str = ""
    post_box: str = ""
    room: str = ""
    post_code: str = ""
    town_location: str = ""
    district: str = ""
    country_subdivision: str = ""
    lines: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Party:
    """A debtor or creditor with its account: an IBAN, or the bank's own number."""

    name: str
    address: PostalAddress | None = None
    iban: str | None = None
    number: str | None = None
    account_currency: str | None = None
    lei: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Agent:
    """A bank: a BIC, or a member of a clearing system (USABA, GBDSC, INFSC), or both."""

    bic: str | None = None
    clearing_system: str | None = None
    clearing_member: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class RegulatoryReport:
    """What an order tells an authority; `code` is usually the purpose in the authority's list."""

    indicator: str = "DEBT"
    authority_name: str = ""
    authority_country: str = ""
    type: str = ""
    country: str = ""
    code: str = ""
    information: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentInstruction:
    """One credit transfer; those of one `payment_information_id` share the debit side.

    `purpose_is_reported` says that the purpose stands in a regulatory report and nowhere else.
    """

    message_id: str
    payment_information_id: str
    end_to_end_id: str
    amount: Decimal
    currency: str
    execution_date: date
    created_at: datetime
    initiating_party_name: str
    debtor: Party
    debtor_agent: Agent
    creditor: Party
    creditor_agent: Agent
    charge_bearer: str = "SHAR"
    instruction_id: str | None = None
    uetr: str | None = None
    initiating_party_lei: str | None = None
    service_level: str | None = None
    local_instrument: str | None = None
    category_purpose: str | None = None
    purpose: str | None = None
    remittance: str | None = None
    creditor_reference: str | None = None
    purpose_is_reported: bool = False
    regulatory: tuple[RegulatoryReport, ...] = ()
    note_to_bank: str | None = None
    execution_zone: str = "UTC"
