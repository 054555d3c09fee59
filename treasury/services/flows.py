"""Expected flows: written by those who know of them, matched by the bank's entries, never both."""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.errors import Invalid
from core.money import smallest_unit
from treasury.models import (
    BankAccount,
    BankEntry,
    EntryState,
    ExpectedFlow,
    FlowSource,
    FlowState,
)
from treasury.selectors import accounts as account_selectors
from treasury.services.matching import match_by_amount, match_by_parts, match_by_reference
from treasury.services.news import raise_alert

AMOUNT_MAX: Final = Decimal(10) ** 16
STALE_AFTER_DAYS: Final = 3
_OWN_PAYMENTS: Final = (FlowSource.TRANSFER, FlowSource.SWEEP, FlowSource.DEAL)
_WRITTEN: Final = ("amount", "value_date", "description", "end_to_end_id", "expires_on", "state")


@dataclass(frozen=True, slots=True, kw_only=True)
class FlowIn:
    """An expected movement; `amount` is signed, `source_ref` names it within its source."""

    account_id: UUID
    source: str
    source_ref: str
    amount: Decimal
    value_date: date
    description: str
    end_to_end_id: str = ""
    expires_on: date | None = None


@transaction.atomic
def put_expected_flow(*, flow: FlowIn) -> ExpectedFlow:
    """Record an expected flow, or bring it up to date; a matched one stays as it was.

    Raises:
        AccountUnknown: there is no such account.
        Invalid: zero, not finite, more decimals than the currency has, or manual without expiry.
    """
    account = account_selectors.account(flow.account_id)
    put_flow(account=account, flow=flow)
    return ExpectedFlow.objects.get(account=account, source=flow.source, source_ref=flow.source_ref)


def put_flow(*, account: BankAccount, flow: FlowIn) -> None:
    """Record an expected flow as `put_expected_flow` does, in the caller's transaction.

    Raises:
        Invalid: zero, not finite, more decimals than the currency has, or manual without expiry.
    """
    _write(account, [flow], now=clock.now())


@transaction.atomic
def replace_flows(
    *, account_id: UUID, source: str, flows: Sequence[FlowIn], start: date, end: date
) -> int:
    """Make `flows` all that `source` expects on an account from `start` to `end`.

    What it expected there before and does not any more is cancelled. Return how many now stand.

    Raises:
        AccountUnknown: there is no such account.
        Invalid: a flow cannot be right, or is of another account, source or period.
    """
    account = account_selectors.account(account_id)
    BankAccount.objects.select_for_update().get(pk=account_id)
    for flow in flows:
        fits = (flow.account_id, flow.source) == (account_id, source)
        if not fits or not start <= flow.value_date <= end:
            raise Invalid(f"{flow.source_ref} is not part of what is replaced.", field="flows")
    gone = ExpectedFlow.objects.filter(
        account=account, source=source, state=FlowState.EXPECTED, value_date__range=(start, end)
    ).exclude(source_ref__in=[flow.source_ref for flow in flows])
    gone.update(state=FlowState.CANCELLED)
    _write(account, flows, now=clock.now())
    return len(flows)


@transaction.atomic
def cancel_flow(*, account_id: UUID, source: str, source_ref: str) -> ExpectedFlow | None:
    """Cancel a flow that still stands; one that was matched, or is unknown, is left alone."""
    found = (
        ExpectedFlow.objects.select_for_update()
        .filter(account_id=account_id, source=source, source_ref=source_ref)
        .first()
    )
    if found is not None and found.state in (FlowState.EXPECTED, FlowState.STALE):
        found.state = FlowState.CANCELLED
        found.save(update_fields=["state"])
    return found


def _write(account: BankAccount, flows: Sequence[FlowIn], *, now: datetime) -> None:
    """Insert new flows and update known ones: two statements, however many flows."""
    for flow in flows:
        _check(flow, account)
    known = {
        (row.source, row.source_ref): row
        for row in ExpectedFlow.objects.select_for_update().filter(
            account=account,
            source__in={flow.source for flow in flows},
            source_ref__in=[flow.source_ref for flow in flows],
        )
    }
    new, changed = [], []
    for flow in flows:
        row = known.get((flow.source, flow.source_ref))
        if row is None:
            row = ExpectedFlow(
                account=account, source=flow.source, source_ref=flow.source_ref, created_at=now
            )
            new.append(row)
        elif row.state == FlowState.MATCHED:
            continue
        else:
            changed.append(row)
        row.amount, row.value_date = flow.amount, flow.value_date
        row.description, row.end_to_end_id = flow.description[:140], flow.end_to_end_id
        row.expires_on, row.state = flow.expires_on, FlowState.EXPECTED
    if new:
        ExpectedFlow.objects.bulk_create(new, batch_size=1_000)
    if changed:
        ExpectedFlow.objects.bulk_update(changed, _WRITTEN, batch_size=1_000)


def _check(flow: FlowIn, account: BankAccount) -> None:
    if flow.source not in FlowSource.values:
        raise Invalid(f"{flow.source} is no source of flows.", field="source")
    if not flow.amount.is_finite() or not 0 < abs(flow.amount) < AMOUNT_MAX:
        raise Invalid(f"{flow.amount} is no amount of a flow.", field="amount")
    if flow.amount != flow.amount.quantize(smallest_unit(account.currency)):
        raise Invalid(f"{flow.amount} has too many decimals.", field="amount")
    if flow.source == FlowSource.MANUAL and flow.expires_on is None:
        raise Invalid("A flow entered by a person needs an expiry.", field="expires_on")


@transaction.atomic
def match_entries(*, entries: Sequence[BankEntry]) -> int:
    """Match booked entries to expected flows. Return how many flows were matched.

    By end-to-end id, that of a payment inside a batch too, or for payouts by amount and date where
    only one flow and one entry fit.
    """
    by_account: dict[UUID, list[BankEntry]] = defaultdict(list)
    for entry in entries:
        if entry.state == EntryState.COUNTED:
            by_account[entry.account_id].append(entry)
    matched = 0
    for account_id, ours in by_account.items():
        standing = ExpectedFlow.objects.select_for_update().filter(
            account_id=account_id, state__in=(FlowState.EXPECTED, FlowState.STALE)
        )
        found = match_by_reference(standing, ours)
        found.update(match_by_amount(standing, [one for one in ours if one.pk not in found]))
        inside = match_by_parts(standing, [one for one in ours if one.pk not in found])
        changed = [*found.values(), *inside]
        ExpectedFlow.objects.bulk_update(changed, ["state", "matched_entry"], batch_size=1_000)
        matched += len(changed)
    return matched


@transaction.atomic
def fulfil(
    *,
    entry: BankEntry,
    end_to_end_id: str,
    amount: Decimal | None = None,
    source_ref: str = "",
) -> bool:
    """Match a booked entry that names its payment otherwise, as by UETR; say whether one waited.

    Only to the very amount: no reference that a bank repeats to the letter vouches for less.
    `amount` is that of one part where the entry books several payments; `source_ref` names the very
    flow where several may expect it.
    """
    named = {"source_ref": source_ref} if source_ref else {}
    flow = (
        ExpectedFlow.objects.select_for_update()
        .filter(
            account_id=entry.account_id,
            end_to_end_id=end_to_end_id,
            amount=entry.amount if amount is None else amount,
            state__in=(FlowState.EXPECTED, FlowState.STALE),
            **named,
        )
        .order_by("value_date", "id")
        .first()
    )
    if flow is None or entry.state != EntryState.COUNTED:
        return False
    flow.state, flow.matched_entry = FlowState.MATCHED, entry
    flow.save(update_fields=["state", "matched_entry"])
    return True


def match_entry(entry: BankEntry) -> bool:
    """Match one booked entry; say whether a flow was waiting for it."""
    return match_entries(entries=[entry]) == 1


@transaction.atomic
def release_flows(*, entry_ids: Iterable[UUID]) -> int:
    """Expect again what was matched to entries that do not count any more."""
    ids = list(entry_ids)
    if not ids:
        return 0
    return ExpectedFlow.objects.filter(matched_entry__in=ids, state=FlowState.MATCHED).update(
        state=FlowState.EXPECTED, matched_entry=None
    )


def release_flow(*, entry: BankEntry, source: str, source_ref: str) -> int:
    """Expect one flow again that an entry does not fulfil after all; return how many it was."""
    return ExpectedFlow.objects.filter(
        matched_entry=entry, source=source, source_ref=source_ref, state=FlowState.MATCHED
    ).update(state=FlowState.EXPECTED, matched_entry=None)


@transaction.atomic
def mark_stale(*, now: datetime) -> list[ExpectedFlow]:
    """Stop counting flows that are overdue, and alert; a payment that may have left stays reserved.

    A flow is overdue some days after its value date in the account's zone; a manual one also when
    its own expiry has passed.
    """
    overdue: list[ExpectedFlow] = []
    waiting = (
        ExpectedFlow.objects.select_for_update(of=("self",))
        .select_related("account")
        .filter(state=FlowState.EXPECTED, value_date__lte=now.date() + timedelta(days=1))
    )
    for flow in waiting:
        today = clock.today(flow.account.timezone)
        expired = flow.expires_on is not None and flow.expires_on < today
        late = (today - flow.value_date).days > STALE_AFTER_DAYS
        own_payment = flow.source in _OWN_PAYMENTS and flow.amount < 0
        if expired or (late and not own_payment):
            flow.state = FlowState.STALE
            overdue.append(flow)
    ExpectedFlow.objects.bulk_update(overdue, ["state"], batch_size=1_000)
    _tell_stale(overdue)
    return overdue


def _tell_stale(flows: Sequence[ExpectedFlow]) -> None:
    by_account: dict[UUID, list[ExpectedFlow]] = defaultdict(list)
    for flow in flows:
        by_account[flow.account_id].append(flow)
    for account_id, ours in by_account.items():
        named = "; ".join(f"{one.value_date} {one.amount:f} {one.description}" for one in ours[:5])
        raise_alert(
            kind="flows_stale",
            severity="medium",
            subject_type="account",
            subject_id=account_id,
            title=f"{ours[0].account.label}: {len(ours)} expected flows did not come",
            detail=named,
        )
