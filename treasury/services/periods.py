"""A person decides what may still change in a closed period."""

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final
from uuid import UUID

from django.db import transaction

from core import clock
from core.errors import DomainError, Forbidden, Invalid, NotFound
from core.identity.models import User
from core.identity.roles import BACK_OFFICE, TREASURY_MANAGER
from treasury.errors import LateEntryDecided, LateEntryStale
from treasury.models import (
    BankAccount,
    BankEntry,
    EntryState,
    ExpectedFlow,
    LateChange,
    LateEntry,
    LateState,
)
from treasury.services import announcing, answers, flows, late
from treasury.services.settling import settle

DECIDERS: Final = (TREASURY_MANAGER, BACK_OFFICE)
REASON_CHARS_MAX: Final = 500
TOGETHER_MAX: Final = 200


@transaction.atomic
def accept_late(*, late_id: UUID, actor: User, reason: str) -> LateEntry:
    """Let one entry change its closed day, at once, with all that follows from it.

    Raises:
        Forbidden: this person has none of the roles.
        Invalid: no reason.
        NotFound: no such late entry.
        LateEntryDecided: somebody decided on it, or the bank took it back.
        LateEntryStale: the entry is not where it was any more.
    """
    held = _locked(late_id, actor, reason, states=late.STANDING)
    entry = BankEntry.objects.select_for_update(of=("self",)).get(pk=held.entry_id)
    if late.place(entry) != _before(held) or _is_gone(held.kept):
        raise LateEntryStale("The entry changed since; look at it again.", entry=str(entry.pk))
    _decide(held, LateState.ACCEPTED, actor, reason)
    _carry_out(held, entry)
    _follow_up(held, entry)
    note = "Decided under Closed periods."
    late.finish_task(statement_id=held.statement_id, note=note, actor=actor)
    return held


@transaction.atomic
def leave_late(*, late_id: UUID, actor: User, reason: str) -> LateEntry:
    """Leave the closed day as it is; the entry may still be accepted later.

    Raises:
        Forbidden: this person has none of the roles.
        Invalid: no reason.
        NotFound: no such late entry.
        LateEntryDecided: somebody decided on it, or the bank took it back.
    """
    held = _locked(late_id, actor, reason, states=(LateState.WAITING,))
    _decide(held, LateState.LEFT, actor, reason)
    note = "Decided under Closed periods."
    late.finish_task(statement_id=held.statement_id, note=note, actor=actor)
    return held


@dataclass(frozen=True, slots=True, kw_only=True)
class Decided:
    """What became of one of several late entries; `refusal` says why it was not decided."""

    late_id: UUID
    state: str = ""
    refusal: DomainError | None = None


@transaction.atomic
def decide_several(
    *, late_ids: Sequence[UUID], outcome: str, actor: User, reason: str
) -> list[Decided]:
    """Accept or leave several late entries for one reason; each is decided, or refused, by itself.

    Raises:
        Forbidden: this person has none of the roles.
        Invalid: none or too many are named, no reason, or the outcome is neither ACCEPT nor LEAVE.
    """
    _require(actor, reason)
    act = {"ACCEPT": accept_late, "LEAVE": leave_late}.get(outcome)
    if act is None:
        raise Invalid("Say ACCEPT or LEAVE.", field="outcome")
    wanted = list(dict.fromkeys(late_ids))
    if not 0 < len(wanted) <= TOGETHER_MAX:
        raise Invalid(f"Choose between 1 and {TOGETHER_MAX} late entries.", field="late_entries")
    # In one order, as two people may decide at once.
    ordered = LateEntry.objects.filter(pk__in=wanted).order_by("account", "id")
    known = list(ordered.values_list("pk", flat=True))
    found = []
    for late_id in [*known, *(one for one in wanted if one not in known)]:
        try:
            with transaction.atomic():
                held = act(late_id=late_id, actor=actor, reason=reason)
        except DomainError as refusal:
            found.append(Decided(late_id=late_id, refusal=refusal))
        else:
            found.append(Decided(late_id=late_id, state=held.state))
    return found


def _require(actor: User, reason: str) -> None:
    if actor.is_service or not actor.has_role(*DECIDERS):
        raise Forbidden("A treasury manager or the back office decides on closed periods.")
    if not reason.strip():
        raise Invalid("Say why.", field="reason")


def _locked(late_id: UUID, actor: User, reason: str, *, states: tuple[LateState, ...]) -> LateEntry:
    _require(actor, reason)
    found = LateEntry.objects.filter(pk=late_id).values_list("account_id", flat=True).first()
    if found is None:
        raise NotFound("There is no such late entry.", field="late_entry")
    # The account first, as those do who read statements.
    BankAccount.objects.select_for_update(of=("self",)).get(pk=found)
    held = LateEntry.objects.select_for_update(of=("self",)).get(pk=late_id)
    if held.state not in states:
        raise LateEntryDecided("It was decided on, or is asked for no longer.", state=held.state)
    return held


def _before(held: LateEntry) -> late.Days | None:
    if held.booking_before is None or held.value_before is None:
        return None
    return held.booking_before, held.value_before


def _is_gone(kept: BankEntry | None) -> bool:
    return kept is not None and kept.state == EntryState.MERGED


def _decide(held: LateEntry, state: LateState, actor: User, reason: str) -> None:
    held.state, held.decided_by, held.decided_at = state, actor, clock.now()
    held.reason = reason.strip()[:REASON_CHARS_MAX]
    held.save(update_fields=["state", "decided_by", "decided_at", "reason"])
    held.refresh_from_db(fields=["decided_at", "decided_in"])


def _carry_out(held: LateEntry, entry: BankEntry) -> None:
    """Do to the entry what was accepted, and nothing else: the database compares."""
    entry.state = held.settled
    if held.booking_after is not None and held.value_after is not None:
        entry.booking_date, entry.value_date = held.booking_after, held.value_after
    if held.kept is not None:
        entry.merged_into = held.kept
        entry.identity = sha256(f"MERGED|{entry.pk}".encode()).hexdigest()
        entry.identity_rule, entry.occurrence = "MERGED", 1
        ExpectedFlow.objects.filter(matched_entry=entry).update(matched_entry=held.kept)
    entry.save(
        update_fields=[
            "state", "booking_date", "value_date", "merged_into", "identity", "identity_rule",
            "occurrence",
        ]
    )  # fmt: skip
    if held.change == LateChange.DATES:
        _settle_again(held, entry)


def _settle_again(held: LateEntry, entry: BankEntry) -> None:
    """Ask anew whether a moved entry counts: its new day may be settled without it."""
    closing = late.closing_of(held.account)
    days, touched = (entry.booking_date, entry.booking_date), [entry.pk]
    settle(
        account_id=entry.account_id,
        start=days[0],
        end=days[1],
        touched=touched,
        closed=closing.until,
    )
    if closing.is_of_interest:
        late.keep(closing=closing, statement=held.statement, days=days, touched=touched)
    entry.refresh_from_db(fields=["state"])


def _follow_up(held: LateEntry, entry: BankEntry) -> None:
    """Tell those who waited for the entry, or relied on it, as at its first posting."""
    if late.place(entry) is not None:
        answers.apply_entries(entries=[entry])
        flows.match_entries(entries=[entry])
    else:
        flows.release_flows(entry_ids=[entry.pk])
        answers.question_withdrawn(entry_ids=[entry.pk])
    announcing.tell_balance(held.account)
