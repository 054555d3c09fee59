"""What the readers hand out: frozen records without behaviour.

Amounts are exact decimals, signed from the account's point of view (a debit is negative).
Dates are bank-local: taken from a date-time together with its own offset. A `datetime` without
offset in the file stays without zone here; the caller knows the account's zone.
"""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum


class MessageKind(StrEnum):
    CAMT052 = "camt.052"
    CAMT053 = "camt.053"
    CAMT054 = "camt.054"
    MT940 = "mt940"
    MT942 = "mt942"
    PAIN002 = "pain.002"
    BAI2 = "bai2"
    BAI2_INTRADAY = "bai2-intraday"
    SHEET = "sheet"
    PACS002 = "pacs.002"
    CAMT029 = "camt.029"


class EntryStatus(StrEnum):
    BOOK = "BOOK"
    PDNG = "PDNG"
    INFO = "INFO"
    FUTR = "FUTR"


class Severity(StrEnum):
    WARNING = "warning"
    ERROR = "error"


class Carried(StrEnum):
    """Whether a page-break balance comes from the page before or goes on to the next."""

    FROM = "from"
    TO = "to"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """A problem that did not stop the reading or writing, in words a treasurer understands."""

    code: str
    message: str
    locator: str = ""
    severity: Severity = Severity.WARNING


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountRef:
    iban: str | None = None
    number: str | None = None
    currency: str | None = None
    bic: str | None = None
    name: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedBalance:
    """A balance as the bank states it; page breaks have code ITBD and `carried`."""

    code: str
    amount: Decimal
    currency: str
    on: date
    at: datetime | None = None
    credit_line_included: Decimal | None = None
    carried: Carried | None = None
    locator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """A charge or fee: positive costs the account, negative is a refund."""

    amount: Decimal
    currency: str
    included: bool | None = None
    bearer: str | None = None
    kind: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ExchangeInfo:
    """The conversion behind an entry; `rate` counts quoted currency per one `unit_currency`."""

    source_currency: str | None
    target_currency: str | None
    unit_currency: str | None
    rate: Decimal | None
    contract: str | None = None
    instructed_amount: Decimal | None = None
    instructed_currency: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedDetail:
    """One transaction inside an entry; its amount may be absent or in another currency."""

    amount: Decimal | None
    currency: str | None
    bank_reference: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    uetr: str | None = None
    payment_information_id: str | None = None
    message_id: str | None = None
    mandate_id: str | None = None
    clearing_reference: str | None = None
    transaction_code: str | None = None
    counterparty_name: str = ""
    counterparty_account: str = ""
    counterparty_bic: str | None = None
    remittance: str = ""
    structured_references: tuple[str, ...] = ()
    purpose: str | None = None
    return_reason: str | None = None
    return_text: str = ""
    original_transaction_code: str | None = None
    charges: tuple[Charge, ...] = ()
    exchange: ExchangeInfo | None = None
    additional_info: str = ""
    locator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedEntry:
    """One movement on the account.

    An entry with a single transaction carries that transaction's references; a batch (several
    transactions, or a stated count above one) carries only its own, its parts are in `details`.
    `value_date` falls back to the booking date; both are None only if the bank gave neither,
    which is also a finding of the message.
    """

    amount: Decimal
    currency: str
    status: EntryStatus
    is_reversal: bool = False
    booking_date: date | None = None
    value_date: date | None = None
    entry_reference: str | None = None
    bank_reference: str | None = None
    transaction_code: str | None = None
    end_to_end_id: str | None = None
    instruction_id: str | None = None
    transaction_id: str | None = None
    uetr: str | None = None
    payment_information_id: str | None = None
    message_id: str | None = None
    mandate_id: str | None = None
    batch_count: int | None = None
    batch_total: Decimal | None = None
    details: tuple[ParsedDetail, ...] = ()
    counterparty_name: str = ""
    counterparty_account: str = ""
    counterparty_bic: str | None = None
    remittance: str = ""
    structured_references: tuple[str, ...] = ()
    return_reason: str | None = None
    original_transaction_code: str | None = None
    charges: tuple[Charge, ...] = ()
    exchange: ExchangeInfo | None = None
    additional_info: str = ""
    locator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedStatement:
    """A statement, intraday report or notification of one account, or one page of it.

    `kind` is set where a file's statements are of several kinds; else it is the message's.
    `contradiction` says what in the file itself shows that the statement is not whole.
    """

    statement_id: str
    account: AccountRef
    currency: str
    electronic_sequence: int | None = None
    legal_sequence: int | None = None
    page_number: int | None = None
    last_page: bool | None = None
    copy_duplicate: str | None = None
    from_at: datetime | None = None
    to_at: datetime | None = None
    created_at: datetime | None = None
    balances: tuple[ParsedBalance, ...] = ()
    entries: tuple[ParsedEntry, ...] = ()
    additional_info: str = ""
    kind: MessageKind | None = None
    contradiction: str = ""
    locator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedMessage:
    kind: MessageKind
    version: str
    message_id: str
    created_at: datetime | None
    statements: tuple[ParsedStatement, ...]
    findings: tuple[Finding, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReason:
    code: str
    text: str = ""


class StatusScope(StrEnum):
    """What a reported status speaks about: one payment, or a payment information block."""

    BATCH = "batch"
    TRANSACTION = "transaction"


@dataclass(frozen=True, slots=True, kw_only=True)
class PaymentStatus:
    status: str
    scope: StatusScope = StatusScope.TRANSACTION
    original_payment_information_id: str | None = None
    original_instruction_id: str | None = None
    original_end_to_end_id: str | None = None
    original_uetr: str | None = None
    reason_code: str | None = None
    reason_text: str = ""
    bank_reference: str | None = None
    clearing_reference: str | None = None
    original_message_id: str | None = None
    said_at: datetime | None = None
    said_by: str | None = None
    charges: tuple[Charge, ...] = ()
    locator: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusReport:
    """A pain.002 or pacs.002: what a bank says about one of our payment files, or payments.

    A group status without transactions (typically RJCT) speaks about every payment in the file.
    """

    message_id: str
    created_at: datetime | None
    original_message_id: str
    original_message_name: str
    group_status: str | None
    transactions: tuple[PaymentStatus, ...] = ()
    reasons: tuple[StatusReason, ...] = ()
    version: str = ""
    kind: MessageKind = MessageKind.PAIN002
    findings: tuple[Finding, ...] = ()
