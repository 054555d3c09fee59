"""Say on a message's page what this room made of it: statements, answers, the payment itself."""

from collections.abc import Iterator
from typing import Final
from uuid import UUID

from django.urls import reverse

from integrations.registry import Use, register_reader
from treasury.models import Statement, Transfer, TransferStatus

USES_MAX: Final = 100


def uses_of(message_id: UUID, reference: str) -> Iterator[Use]:
    """Yield the statements read from it, what it said about transfers, and the transfer it pays."""
    read = Statement.objects.filter(message_id=message_id).select_related("account")
    for statement in read[:USES_MAX]:
        yield Use(
            title=f"{statement.get_source_display()} {statement.statement_ref}",
            words=f"{statement.account.label}, {statement.get_state_display()}",
            url=reverse("treasury:statement", args=[statement.pk]),
        )
    said = TransferStatus.objects.filter(message_id=message_id).select_related("transfer")
    for status in said[:USES_MAX]:
        yield _about(status.transfer, f"said {status.status} {status.reason_code}".strip())
    if reference:
        for transfer in Transfer.objects.filter(end_to_end_id=reference):
            yield _about(transfer, "is ordered by it")


def _about(transfer: Transfer, words: str) -> Use:
    address = reverse("treasury:proposal", args=[transfer.proposal_id])
    return Use(title=transfer.end_to_end_id, words=words, url=address)


register_reader(uses_of)
