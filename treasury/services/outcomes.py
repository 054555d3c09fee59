"""Bring a transfer to where everything the bank said puts it, in the caller's transaction.

Whatever moves with the outcome moves here: proposal, reservation on both accounts, clocks, tasks
for people and the news to the screens.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Final
from uuid import UUID

from core import clock
from integrations import services as lines
from treasury.engine.statuses import (
    CONFIRMING,
    Facts,
    Heard,
    Outcome,
    Standing,
    reason_in_words,
    standing,
)
from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryState,
    Proposal,
    ProposalState,
    Task,
    Transfer,
    TransferStatus,
)
from treasury.services import flows, tasks, transfers
from treasury.services.news import tell_status
from treasury.services.pools.lending import book_loan, reverse_loan

QUESTION: Final = "transfer_question"
RETURNED: Final = "transfer_returned"
SLA: Final = "sla_breached"
UNKNOWN: Final = "outcome_unknown"
_S = ProposalState
_STANDING: Final = ("bank_status", "bank_status_rank", "reason_code", "disputed_since")
_CLOSED: Final = ["state", "closed_at", "closing_reason"]
REFUSED_BY_LINE: Final = "REFUSED"
# What the system's own words begin with; entries ask under keys of their own.
_DERIVED: Final = ("status:", "contradiction", "return", "earlier-attempt")


Status = tuple[str, str, int]  # status, reason, attempt


@dataclass(frozen=True, slots=True, kw_only=True)
class HeardBefore:
    """What the bank said about a transfer, and kind and key of each open task about it."""

    said: Sequence[Status] = ()
    asked: Sequence[tuple[str, str]] = ()


def heard_of(held: Iterable[Transfer]) -> dict[UUID, HeardBefore]:
    """Return what was heard and is asked of each of these transfers, by id, in two reads."""
    ids = [one.pk for one in held]
    said: dict[UUID, list[Status]] = {one: [] for one in ids}
    asked: dict[UUID, list[tuple[str, str]]] = {one: [] for one in ids}
    if not ids:
        return {}
    rows = TransferStatus.objects.filter(transfer__in=ids).order_by("id")
    told = rows.values_list("transfer_id", "status", "reason_code", "attempt")
    for one, status, reason, attempt in told:
        said[one].append((status, reason, attempt))
    waiting = Task.objects.open().filter(transfer__in=ids)
    for found, kind, key in waiting.values_list("transfer_id", "kind", "key"):
        if found is not None:
            asked[found].append((kind, key))
    return {one: HeardBefore(said=said[one], asked=asked[one]) for one in ids}


def facts_of(*, held: Transfer, proposal: Proposal, said: Sequence[Status]) -> Facts:
    """Return everything known about a transfer, given what the bank said of it."""
    # Rows of the time before attempts were noted carry 0.
    present = {held.attempt, 0} if held.attempt <= 1 else {held.attempt}
    return Facts(
        heard=frozenset(
            Heard(status=status, reason=reason)
            for status, reason, attempt in said
            if attempt in present
        ),
        is_debited=held.debit_entry_id is not None,
        is_credited=held.credit_entry_id is not None,
        came_back=held.return_entry_id is not None,
        pays_somebody_else=proposal.beneficiary_id is not None,
        done_before=any(
            attempt not in present and status in CONFIRMING for status, _, attempt in said
        ),
        refused_by_line=held.reason_code == REFUSED_BY_LINE,
    )


def standing_with(facts: Facts, *, status: str, reason: str) -> Standing:
    """Return where a transfer would stand with one more status."""
    return standing(replace(facts, heard=facts.heard | {Heard(status=status, reason=reason)}))


def bring_to(
    *,
    held: Transfer,
    proposal: Proposal,
    evidence: str,
    before: HeardBefore | None = None,
) -> Standing:
    """Bring a locked transfer and its proposal to where the facts put them.

    Both rows are as they were read under the lock, and so is `before`, if it was read already.
    """
    before = before or heard_of([held])[held.pk]
    found = standing(facts_of(held=held, proposal=proposal, said=before.said))
    if proposal.state == _S.EXECUTING and (found.rank or found.outcome is not Outcome.OPEN):
        bank_has_it(held, evidence=evidence)
        proposal.refresh_from_db()
        held.refresh_from_db()
    _note_standing(held, found)
    _move(held, proposal, found, is_asked=bool(before.asked))
    _ask_people(held, found, before.asked)
    return found


def _note_standing(held: Transfer, found: Standing) -> None:
    """Write down where a transfer stands, unless it stands there already."""
    before = [getattr(held, name) for name in _STANDING]
    held.bank_status, held.bank_status_rank = found.status, max(held.bank_status_rank, found.rank)
    if found.reason and held.reason_code != REFUSED_BY_LINE:
        held.reason_code = found.reason[:10]
    is_disputed = any(one.key == "contradiction" for one in found.questions)
    held.disputed_since = (held.disputed_since or clock.now()) if is_disputed else None
    if before != [getattr(held, name) for name in _STANDING]:
        held.save(update_fields=_STANDING)


def bank_has_it(held: Transfer, *, evidence: str) -> None:
    """End the uncertainty: what the bank reports on, the bank has."""
    lines.confirm_sent(reference=held.end_to_end_id, evidence=evidence)
    transfers.mark_sent(reference=held.end_to_end_id, bank_reference="")
    held.refresh_from_db()


def ask_a_person(held: Transfer, *, key: str, words: str) -> None:
    """Open a task about something that the bank says of this transfer."""
    tasks.open_task(
        task=tasks.TaskIn(
            kind=QUESTION,
            key=f"{held.end_to_end_id}:{key}",
            title=f"{held.end_to_end_id} needs a person",
            detail=f"The bank says: {words}.",
            transfer=held,
        )
    )


def _move(held: Transfer, proposal: Proposal, found: Standing, *, is_asked: bool) -> None:
    match found.outcome:
        case Outcome.FAILED:
            _fail(held, found)
            proposal.refresh_from_db()
        case Outcome.CONFIRMED:
            _confirm(held, proposal)
        case Outcome.SETTLED:
            _confirm(held, proposal)
            _settle(held, proposal)
        case Outcome.RETURNED:
            _confirm(held, proposal)
            _bounce(held, proposal)
        case _:
            return
    if is_asked:
        note = f"The bank answered: {proposal.get_state_display()}."
        tasks.settle_tasks(transfer=held, kinds=(SLA, UNKNOWN), note=note)


def _fail(held: Transfer, found: Standing) -> None:
    if found.rank == 0:
        return
    words = _last_words(held, found.status) or reason_in_words(found.reason)
    reason = f"The bank answered {found.status} {found.reason}".strip()
    transfers.mark_failed(
        reference=held.end_to_end_id,
        reason=f"{reason}: {words}." if words else f"{reason}.",
        reason_code=found.reason,
    )
    held.refresh_from_db()


def _last_words(held: Transfer, status: str) -> str:
    words = held.statuses.filter(status=status).order_by("-id").values_list("words", flat=True)
    return (words.first() or "").rstrip(".")


def _confirm(held: Transfer, proposal: Proposal) -> None:
    if proposal.state not in (_S.SENT, _S.FAILED):
        return
    before = proposal.state
    proposal.confirm()
    proposal.save(update_fields=_CLOSED)
    held.confirmed_at = clock.now()
    held.save(update_fields=["confirmed_at"])
    if before == _S.FAILED:
        _expect_again(held, proposal)
    tell_status(proposal=proposal, from_state=before, held=held)


def _expect_again(held: Transfer, proposal: Proposal) -> None:
    """Reserve the money again, but for what entries under its reference proved meanwhile."""
    transfers.expect_our_sides(held)
    ours = (proposal.debit_account_id, proposal.credit_account_id)
    seen = BankEntry.objects.filter(end_to_end_id=held.end_to_end_id, account__in=ours)
    booked = seen.filter(status=BookingStatus.BOOK, state=EntryState.COUNTED)
    flows.match_entries(entries=list(booked))


def _settle(held: Transfer, proposal: Proposal) -> None:
    if proposal.state != _S.CONFIRMED:
        return
    now = clock.now()
    proposal.settle(at=now)
    proposal.save(update_fields=_CLOSED)
    held.settled_at = now
    held.save(update_fields=["settled_at"])
    book_loan(held=held, proposal=proposal)
    tell_status(proposal=proposal, from_state=_S.CONFIRMED, held=held)


def _bounce(held: Transfer, proposal: Proposal) -> None:
    """The money came back: nothing is expected any more, and a person decides what to do."""
    entry = held.return_part or held.return_entry
    if entry is None or proposal.state not in (_S.CONFIRMED, _S.SETTLED):
        return
    before = proposal.state
    code = entry.return_reason or "no reason given"
    words = reason_in_words(entry.return_reason)
    reason = f"Returned by the bank ({code}{': ' + words if words else ''})."
    kept = proposal.amount - entry.amount
    if kept > 0:
        reason += f" {kept:,.2f} {proposal.currency} were kept as charges."
    proposal.bounce(at=clock.now(), reason=reason)
    proposal.save(update_fields=_CLOSED)
    transfers.cancel_flows(proposal)
    reverse_loan(held=held, proposal=proposal)
    tell_status(proposal=proposal, from_state=before, reason=reason, held=held)
    tasks.open_task(
        task=tasks.TaskIn(
            kind=RETURNED,
            key=held.end_to_end_id,
            title=f"{held.end_to_end_id} came back",
            detail=reason,
            transfer=held,
        )
    )


def _ask_people(held: Transfer, found: Standing, open_tasks: Sequence[tuple[str, str]]) -> None:
    """Keep one open task per question that stands, and close those that an answer settled.

    `open_tasks` are kind and key of those that were open before.
    """
    for question in found.questions:
        key = f"{held.end_to_end_id}:{question.key}"
        known = held.tasks.filter(kind=QUESTION, key=key).exists()
        if not known:
            ask_a_person(held, key=question.key, words=question.words)
    asked = [key for kind, key in open_tasks if kind == QUESTION]
    if not asked:
        return
    standing_keys = {f"{held.end_to_end_id}:{one.key}" for one in found.questions}
    derived = [key for key in asked if not key.partition(":")[2].startswith(_DERIVED)]
    tasks.settle_tasks(
        transfer=held,
        kinds=(QUESTION,),
        note="A later answer of the bank settled it.",
        keep=(*standing_keys, *derived),
    )
