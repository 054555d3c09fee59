"""The accounts that pay, as the lines to the banks need to know them."""

from collections.abc import Iterator

from integrations.engine.routes import Sender
from treasury.selectors.accounts import accounts


def senders() -> Iterator[Sender]:
    """Yield the active accounts of the bound tenant."""
    for account in accounts().select_related("bank"):
        yield Sender(
            label=account.label,
            number_end=account.number_hint,
            connection=account.bank.connection,
            currency=account.currency,
        )
