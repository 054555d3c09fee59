"""Writing a statement as CSV, the way a small bank's web banking exports it."""

import csv
import io

from integrations.sandbox_bank.currencies import to_text
from integrations.sandbox_bank.records import Statement

COLUMNS = (
    "Account", "Currency", "Booking date", "Value date", "Amount", "Balance after",
    "Bank reference", "End to end", "Counterparty", "Details",
)  # fmt: skip


def write_sheet(statement: Statement) -> bytes:
    """Return one row per entry: semicolons, decimal commas, days first."""
    account, balance = statement.account, statement.opening
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";", lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for entry in statement.entries:
        balance += entry.amount
        writer.writerow(
            (
                account.name,
                account.currency,
                f"{entry.booking_date:%d.%m.%Y}",
                f"{entry.value_date:%d.%m.%Y}",
                to_text(entry.amount, account.currency).replace(".", ","),
                to_text(balance, account.currency).replace(".", ","),
                entry.reference,
                entry.end_to_end_id,
                entry.counterparty_name,
                entry.remittance,
            )
        )
    return text.getvalue().encode("utf-8")
