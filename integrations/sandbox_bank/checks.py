"""What a bank refuses, with its ISO 20022 reason code. Pure: order and account in, finding out."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from integrations.sandbox_bank import currencies, identifiers
from integrations.sandbox_bank.rails import RAILS
from integrations.sandbox_bank.records import Account, Finding, PaymentFile, PaymentOrder

EXECUTION_DAYS_AHEAD_MAX = 365
ADDRESS_LINES_MAX = 2
ADDRESS_LINE_CHARACTERS_MAX = 70
_REFERENCE = re.compile(r"[A-Za-z0-9/\-?:().,'+ ]{1,35}", re.ASCII)
_BEARERS = frozenset({"", "DEBT", "CRED", "SHAR", "SLEV"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """An order beside what the bank knows about it."""

    order: PaymentOrder
    debtor: Account | None
    creditor: Account | None
    creditor_is_ours: bool
    today: date
    rail: str


def examine_file(file: PaymentFile) -> Finding | None:
    """Return the first thing wrong with the file as a whole."""
    if file.findings:
        return file.findings[0]
    if not _REFERENCE.fullmatch(file.message_id):
        return Finding(code="FF01", text="MsgId has characters outside the agreed set")
    if file.transactions_text != str(len(file.orders)):
        return Finding(
            code="AM18",
            text=f"NbOfTxs says {file.transactions_text}, counted {len(file.orders)}",
        )
    return _control_sum_fault(file.control_sum_text, file.orders)


def _control_sum_fault(stated: str, orders: Sequence[PaymentOrder]) -> Finding | None:
    if not stated:
        return None
    try:
        counted = sum((Decimal(order.amount_text) for order in orders), Decimal(0))
        if Decimal(stated) == counted:
            return None
    except ArithmeticError:
        return Finding(code="AM10", text="CtrlSum or an amount is not a number")
    return Finding(code="AM10", text=f"CtrlSum says {stated}, the amounts add up to {counted}")


def examine_order(subject: Subject) -> Finding | None:
    """Return the first reason to refuse one order, in the order a bank looks."""
    for check in _CHECKS:
        if finding := check(subject):
            return finding
    return None


def _references(subject: Subject) -> Finding | None:
    order = subject.order
    if not _REFERENCE.fullmatch(order.end_to_end_id):
        return Finding(
            code="FF01", text="EndToEndId is empty, too long or has characters outside the set"
        )
    others = (order.payment_information_id, order.instruction_id or "none")
    if not all(_REFERENCE.fullmatch(reference) for reference in others):
        return Finding(code="FF01", text="PmtInfId or InstrId is too long or malformed")
    if order.uetr and not identifiers.uuid4_is_valid(order.uetr):
        return Finding(code="FF01", text="UETR is not a version 4 UUID in lower case")
    if order.method != "TRF" or order.charge_bearer not in _BEARERS:
        return Finding(
            code="FF01", text="PmtMtd must be TRF and ChrgBr one of DEBT, CRED, SHAR, SLEV"
        )
    return None


def _debtor(subject: Subject) -> Finding | None:
    order, account = subject.order, subject.debtor
    if order.debtor_account_is_iban and not identifiers.iban_is_valid(order.debtor_account):
        return Finding(code="AC01", text="the debtor's IBAN has wrong check digits")
    if account is None:
        return Finding(code="AC01", text="the debtor's account is not kept here")
    if order.debtor_bic and not identifiers.same_bank(order.debtor_bic, account.bank_bic):
        return Finding(code="AGNT", text="the debtor's agent does not keep this account")
    if order.debtor_currency and order.debtor_currency != account.currency:
        return Finding(code="AC09", text=f"the debtor's account is kept in {account.currency}")
    return None


def _amount(subject: Subject) -> Finding | None:
    order, account = subject.order, subject.debtor
    if account is None or order.currency != account.currency:
        return Finding(
            code="AM03", text="the amount is not in the currency of the debtor's account"
        )
    try:
        minor = currencies.to_minor(order.amount_text, order.currency)
    except ValueError as error:
        return Finding(code="AM12", text=f"the amount is {error}")
    if minor == 0:
        return Finding(code="AM01", text="the amount is zero")
    ceiling = RAILS[subject.rail].amount_minor_max
    if ceiling is not None and minor > ceiling:
        return Finding(code="AM02", text=f"the amount is above the limit of {subject.rail}")
    return None


def _creditor(subject: Subject) -> Finding | None:
    order = subject.order
    if not order.creditor_account:
        return Finding(code="AC03", text="the creditor's account is missing")
    if order.creditor_account_is_iban and not identifiers.iban_is_valid(order.creditor_account):
        return Finding(code="AC01", text="the creditor's IBAN has wrong check digits")
    if not order.creditor_name:
        return Finding(code="BE22", text="the creditor's name is missing")
    return _creditor_account(subject)


def _creditor_account(subject: Subject) -> Finding | None:
    account = subject.creditor
    if account is None:
        if subject.creditor_is_ours:
            return Finding(code="AC03", text="the creditor's bank keeps no such account")
        return None
    if subject.debtor is not None and account.id == subject.debtor.id:
        return Finding(code="AC03", text="debtor and creditor are the same account")
    if account.currency != subject.order.currency:
        return Finding(code="AC09", text=f"the creditor's account is kept in {account.currency}")
    return None


def _creditor_agent(subject: Subject) -> Finding | None:
    order = subject.order
    system, code = order.creditor_clearing
    if order.creditor_bic and not identifiers.bic_is_valid(order.creditor_bic):
        return Finding(code="RC01", text="the creditor agent's BIC is malformed")
    if code and not identifiers.clearing_code_is_valid(system, code):
        return Finding(
            code="RC01", text=f"the creditor agent's {system or 'clearing'} code is wrong"
        )
    if not order.creditor_bic and not code and not order.creditor_account_is_iban:
        return Finding(code="RC01", text="the creditor's agent is missing")
    return None


def _creditor_address(subject: Subject) -> Finding | None:
    address = subject.order.creditor_address
    if address is None:
        return None
    if not any(address.get("TwnNm", [])) or not any(address.get("Ctry", [])):
        return Finding(
            code="BE04",
            text="unstructured creditor addresses are refused: TwnNm and Ctry are needed",
        )
    lines = address.get("AdrLine", [])
    if len(lines) > ADDRESS_LINES_MAX or any(
        len(line) > ADDRESS_LINE_CHARACTERS_MAX for line in lines
    ):
        return Finding(code="BE04", text="a hybrid address has at most two lines of 70 characters")
    return None


def _execution_date(subject: Subject) -> Finding | None:
    try:
        wanted = date.fromisoformat(subject.order.execution_date)
    except ValueError:
        return Finding(code="DT01", text="ReqdExctnDt is not a date")
    if wanted < subject.today:
        return Finding(
            code="DT01", text=f"ReqdExctnDt {wanted} is in the past, here it is {subject.today}"
        )
    if wanted > subject.today + timedelta(days=EXECUTION_DAYS_AHEAD_MAX):
        return Finding(code="DT01", text="ReqdExctnDt is more than a year ahead")
    return None


_CHECKS: tuple[Callable[[Subject], Finding | None], ...] = (
    _references,
    _debtor,
    _amount,
    _creditor,
    _creditor_agent,
    _creditor_address,
    _execution_date,
)
