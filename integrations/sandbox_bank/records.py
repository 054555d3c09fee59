"""The nouns that every part of the bank shares: accounts, entries, statements, payment orders."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Any


class BankError(Exception):
    """A refusal with a stable code and the HTTP status that fits it."""

    def __init__(self, code: str, message: str, *, status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account as the bank keeps it; money in minor units of `currency`."""

    id: int = 0
    bank_bic: str
    bank_name: str
    iban: str
    number: str
    clearing_system: str
    clearing_code: str
    currency: str
    owner_name: str
    timezone: str
    channel: str
    statement_format: str
    credit_line: int
    opening: int
    balance: int
    bank_date: date | None
    statement_seq: int
    closed_balance: int
    profile: dict[str, Any] = field(default_factory=dict)

    @property
    def name(self) -> str:
        """The number by which people know the account."""
        return self.iban or self.number


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One booked line; `amount` is signed minor units, negative when the account pays."""

    reference: str
    amount: int
    booking_date: date
    value_date: date
    code: tuple[str, str, str]
    end_to_end_id: str = ""
    uetr: str = ""
    message_id: str = ""
    payment_information_id: str = ""
    instruction_id: str = ""
    counterparty_name: str = ""
    counterparty_account: str = ""
    counterparty_bic: str = ""
    remittance: str = ""
    is_reversal: bool = False
    return_code: str = ""
    batch_count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Statement:
    """An account's report: a day's statement, an interim report or a notification."""

    account: Account
    message_id: str
    statement_id: str
    sequence: int
    created_at: datetime
    bank_date: date
    opening: int
    closing: int
    available: int
    entries: tuple[Entry, ...]
    page: int = 1
    is_last_page: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Why something is refused: an ISO 20022 reason code and a sentence."""

    code: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentOrder:
    """One credit transfer as the customer wrote it, nothing checked yet."""

    payment_information_id: str
    instruction_id: str
    end_to_end_id: str
    uetr: str
    amount_text: str
    currency: str
    execution_date: str
    method: str
    service_level: str
    instrument: str
    charge_bearer: str
    debtor_account: str
    debtor_currency: str
    debtor_bic: str
    debtor_name: str
    creditor_name: str
    creditor_account: str
    creditor_account_is_iban: bool
    debtor_account_is_iban: bool
    creditor_bic: str
    creditor_clearing: tuple[str, str]
    creditor_address: dict[str, list[str]] | None
    remittance: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentFile:
    """A readable pain.001 with what is wrong with it as a whole."""

    message_id: str
    initiator: str
    transactions_text: str
    control_sum_text: str
    orders: tuple[PaymentOrder, ...]
    findings: tuple[Finding, ...]
