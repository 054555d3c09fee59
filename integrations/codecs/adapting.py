"""Apply to what was read those rules of a dialect that hold for every format."""

from dataclasses import replace
from decimal import Decimal

from integrations.codecs.records import (
    AccountRef,
    ParsedBalance,
    ParsedMessage,
    ParsedStatement,
)
from integrations.codecs.values import iban_checksum_holds
from integrations.dialects.reading import Dialect

# Balances that say what can be spent: only these may have a credit line counted in.
_AVAILABLE = frozenset({"OPAV", "ITAV", "CLAV", "FWAV"})


def adapted(message: ParsedMessage, dialect: Dialect) -> ParsedMessage:
    """Return the message with accounts as we registered them and unspoken credit lines named."""
    if not dialect.accounts and not dialect.credit_lines:
        return message
    statements = tuple(_adapted(one, dialect) for one in message.statements)
    return replace(message, statements=statements)


def _adapted(statement: ParsedStatement, dialect: Dialect) -> ParsedStatement:
    return replace(
        statement,
        account=_account(statement.account, dialect),
        balances=tuple(_balance(one, dialect) for one in statement.balances),
    )


def _account(account: AccountRef, dialect: Dialect) -> AccountRef:
    written = account.iban or account.number or ""
    registered = dialect.accounts.get(written)
    if registered is None:
        return account
    if iban_checksum_holds(registered):
        return replace(account, iban=registered, number=None)
    return replace(account, iban=None, number=registered)


def _balance(balance: ParsedBalance, dialect: Dialect) -> ParsedBalance:
    line: Decimal | None = dialect.credit_lines.get(balance.currency)
    if line is None or balance.code not in _AVAILABLE or balance.credit_line_included is not None:
        return balance
    return replace(balance, credit_line_included=line)
