"""What the arrival of a statement means to others: new balances, and what a person must look at."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from core import clock
from core.events import publish
from treasury.engine.positions import HEADLINE_ORDER
from treasury.events import NostroBalanceUpdate
from treasury.models import BankAccount, EntryState, Statement, StatementBalance, StatementState
from treasury.services.news import raise_alert
from treasury.services.posting import Posted, Sheet

_NAMED_MAX: Final = 5
# Older gaps stay flagged on their statements; a person is called only for what can still matter.
GAP_ALERT_DAYS_MAX: Final = 10


def announce(
    *, account: BankAccount, sheets: Sequence[Sheet], posted: Posted, gaps: Sequence[Statement]
) -> None:
    """Publish the account's newest balance and alerts about quarantine, gaps and lost entries."""
    first = sheets[0].row
    if first.state == StatementState.QUARANTINED:
        tell_quarantine(first)
    if first.state == StatementState.POSTED:
        tell_balance(account)
    today = clock.now().date()
    for row in gaps:
        if (today - row.statement_date).days > GAP_ALERT_DAYS_MAX:
            continue
        raise_alert(
            kind="statement_gap",
            severity="medium",
            subject_type="statement",
            subject_id=row.pk,
            title=f"{account.label}: a statement is missing before {row.statement_ref}",
            detail=f"It opens with {row.opening:,.2f}; the one before it does not lead there.",
        )
    _tell_lost_entries(account, first, posted)


def tell_quarantine(row: Statement) -> None:
    """Alert that a statement is kept aside."""
    raise_alert(
        kind="statement_quarantined",
        severity="high",
        subject_type="statement",
        subject_id=row.pk,
        title=f"{row.account.label}: statement {row.statement_ref} is kept aside",
        detail=row.reason,
    )


def tell_balance(account: BankAccount, *, brings_entries: bool = True) -> None:
    """Publish the newest balance a bank stated for an account.

    It may be another one than what has just arrived: whether entries came or went is said apart.
    """
    found = newest_balance(account, before=clock.now())
    if found is None:
        return
    publish(
        NostroBalanceUpdate(
            account_id=account.pk,
            currency=account.currency,
            balance_type=found.code,
            amount=found.amount,
            as_of=found.as_of,
            source=found.statement.source,
            statement_id=found.statement_id,
            brings_entries=brings_entries,
        )
    )


def newest_balance(account: BankAccount, *, before: datetime) -> StatementBalance | None:
    """Return the newest posted balance; of several at one instant, the one fit for use now."""
    recent = StatementBalance.objects.select_related("statement").filter(
        account=account,
        statement__state=StatementState.POSTED,
        code__in=HEADLINE_ORDER,
        as_of__lte=before,
    )
    newest = list(recent.order_by("-as_of", "-id")[: len(HEADLINE_ORDER)])
    same_time = [one for one in newest if one.as_of == newest[0].as_of]
    return min(same_time, key=lambda one: HEADLINE_ORDER.index(one.code), default=None)


def _tell_lost_entries(account: BankAccount, row: Statement, posted: Posted) -> None:
    for state, words in (
        (EntryState.NOT_IN_EOD, "announced, but absent from the day's statement"),
        (EntryState.WITHDRAWN, "no longer in what the bank says"),
    ):
        counted_once = [one for one in posted.changes if one.before != EntryState.HELD]
        lost = [change for change in counted_once if change.after == state]
        if lost:
            named = ", ".join(str(change.entry_id) for change in lost[:_NAMED_MAX])
            raise_alert(
                kind=f"entries_{state.lower()}",
                severity="high" if state == EntryState.NOT_IN_EOD else "medium",
                subject_type="statement",
                subject_id=row.pk,
                title=f"{account.label}: {len(lost)} entries {words}",
                detail=f"They are kept and do not count: {named}.",
            )
