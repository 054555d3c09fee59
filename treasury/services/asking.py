"""Where a line of files cannot be asked about a payment, the bank is asked for the day's report."""

from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock, policies
from integrations.codecs.inquiries import ReportRequest
from integrations.errors import ConnectionUnknown
from integrations.services.asking import (
    latest_report_request,
    queue_report_request,
    takes_report_requests,
)
from treasury.models import BankAccount, ProposalState, Transfer
from treasury.policies import REPORT_REQUEST_MINUTES
from treasury.services import orders

# Enough of an account's id to tell it from all others, and short enough for a reference.
_ID_DIGITS: Final = 20
_WANTED: Final = "camt.052"


@transaction.atomic
def ask_for_reports(*, now: datetime) -> list[UUID]:
    """Ask for a report of each account from which a payment's outcome is unknown.

    At most once per account and policy interval, and only banks whose profile takes it. Return the
    messages that were queued.
    """
    unknown = Transfer.objects.filter(
        proposal__state=ProposalState.EXECUTING, outcome_unknown_since__isnull=False
    )
    ids = set(unknown.values_list("proposal__debit_account_id", flat=True))
    waiting = BankAccount.objects.select_for_update(of=("self",)).filter(pk__in=ids)
    asked = (
        _ask(account, now) for account in waiting.select_related("bank", "entity").order_by("pk")
    )
    return [message for message in asked if message is not None]


def _ask(account: BankAccount, now: datetime) -> UUID | None:
    try:
        if not takes_report_requests(account.bank.connection):
            return None
    except ConnectionUnknown:
        return None
    prefix = f"ASK-{account.pk.hex[-_ID_DIGITS:]}-"
    last = latest_report_request(prefix)
    interval = timedelta(minutes=policies.get(REPORT_REQUEST_MINUTES))
    if last is not None and last.created_at > now - interval:
        return None
    number = int(last.reference.removeprefix(prefix)) + 1 if last else 1
    today = clock.today(account.timezone)
    request = ReportRequest(
        message_id=f"{prefix}{number}",
        created_at=now.replace(microsecond=0),
        report=_WANTED,
        account=orders.party_of(account),
        bank=orders.agent_of_account(account),
        first_day=today,
        last_day=today,
    )
    message = queue_report_request(request=request, connection_code=account.bank.connection)
    return message.pk
