"""What banks say about our transfers: status reports, trackers and booked entries.

Every answer is kept; where the transfer stands follows from all of them together (`outcomes`).
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from typing import Final
from uuid import UUID

from django.db import transaction
from django.db.models import Q

from core import clock
from integrations import selectors as bank_lines
from integrations.codecs.records import PaymentStatus, StatusReport, StatusScope
from integrations.constants import FILE_PREFIX
from treasury.engine.statuses import FAILING, meaning_of, reason_in_words, standing
from treasury.models import (
    BankEntry,
    BookingStatus,
    EntryState,
    ExpectedFlow,
    FlowState,
    Proposal,
    Purpose,
    Transfer,
    TransferStatus,
)
from treasury.services import flows, outcomes, tasks, transfers
from treasury.services.matching import FEE_SHARE_MAX
from treasury.services.parts import Proof, proofs_in

_WORDS_CHARS_MAX: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One thing a bank said about one transfer; `attempt` 0 when it named none."""

    status: str
    source: str
    attempt: int = 0
    reason: str = ""
    words: str = ""
    bank_reference: str = ""
    message_id: UUID | None = None
    said_at: datetime | None = None
    held_by: str = ""
    charge: Decimal | None = None
    charge_currency: str = ""
    event_id: str = ""


@transaction.atomic
def apply_status_report(*, report: StatusReport, message_id: UUID) -> int:
    """Apply every payment status of a pain.002 or pacs.002. Return how many were ours.

    A group or batch status speaks about those payments of the file that have no status of their
    own in the report. All transfers are held before the first is moved, in one order for everybody.
    """
    known = _known(_each_by_itself(report), line=bank_lines.line_of(message_id))
    applied: set[UUID] = set()
    meant: list[tuple[Transfer, Said]] = []
    for status in known.statuses:
        found = _transfer_of(status, message_id, known)
        if found is None or _is_from_another_bank(found[0], status, known):
            continue
        held, attempt = found
        if held.pk in applied and status.scope is StatusScope.BATCH:
            continue
        applied.add(held.pk)
        attempt = attempt or _attempt_in(_file_of(status, report), held)
        meant.append((held, _said(status, report, attempt=attempt, message_id=message_id)))
    rows = transfers.lock_several([held.proposal_id for held, _ in meant])
    heard = outcomes.heard_of([held for held, _ in meant])
    for held, said in meant:
        before = heard.pop(held.pk, None)
        record(transfer=held, said=said, rows=rows[held.proposal_id], before=before)
    return len(meant)


def _said(status: PaymentStatus, report: StatusReport, *, attempt: int, message_id: UUID) -> Said:
    charge = status.charges[0] if status.charges else None
    return Said(
        status=status.status,
        source=str(report.kind),
        attempt=attempt,
        reason=status.reason_code or "",
        words=status.reason_text,
        bank_reference=status.bank_reference or "",
        message_id=message_id,
        said_at=_aware(status.said_at) or _aware(report.created_at),
        held_by=status.said_by or "",
        charge=charge.amount if charge else None,
        charge_currency=charge.currency if charge else "",
    )


def _file_of(status: PaymentStatus, report: StatusReport) -> str:
    return status.original_message_id or report.original_message_id


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What a report's statuses may speak about, read together.

    `by_key` holds transfers by end-to-end id and UETR, `lines` the lines that may speak about a
    payment, `files` the attempts that went in each file by end-to-end id.
    """

    statuses: tuple[PaymentStatus, ...]
    line: str
    by_key: Mapping[str, Transfer]
    lines: Mapping[str, set[str]]
    files: Mapping[str, Mapping[str, str]]


def _known(statuses: Iterable[PaymentStatus], *, line: str) -> _Known:
    given = tuple(statuses)
    keys = {key for one in given for key in _keys_of(one)}
    rows = Transfer.objects.select_related("proposal__debit_account__bank")
    found = list(rows.filter(Q(end_to_end_id__in=keys) | Q(uetr__in=keys)) if keys else ())
    homes = {one.end_to_end_id: one.proposal.debit_account.bank.connection for one in found}
    files = {_named(one) for one in given if _named(one).startswith(FILE_PREFIX)}
    return _Known(
        statuses=given,
        line=line,
        by_key={key: one for one in found for key in (one.end_to_end_id, one.uetr)},
        lines=bank_lines.lines_of_payments(homes) if line else {},
        files={file: dict(bank_lines.references_in_file(file)) for file in files},
    )


def _named(status: PaymentStatus) -> str:
    return status.original_payment_information_id or status.original_instruction_id or ""


def _keys_of(status: PaymentStatus) -> set[str]:
    """Return the marks by which a status names its payment."""
    keys = {status.original_end_to_end_id or "", (status.original_uetr or "").lower()}
    if status.scope is StatusScope.BATCH:
        # The block of a sweep carries the order's own name, every other one names the attempt too.
        keys |= {_named(status), _named(status).rpartition("-")[0]}
    return keys - {""}


def _each_by_itself(report: StatusReport) -> Iterator[PaymentStatus]:
    """Yield the statuses; what is said of a file of ours is said of each order in it."""
    for status in _payments_last(report):
        named = status.original_payment_information_id or ""
        orders = bank_lines.references_in_file(named) if status.scope is StatusScope.BATCH else []
        if not orders:
            yield status
        for end_to_end_id, reference in orders:
            yield replace(
                status,
                original_end_to_end_id=end_to_end_id,
                original_payment_information_id=reference,
            )


def _payments_last(report: StatusReport) -> Iterator[PaymentStatus]:
    """Yield the payments' own statuses, then those of batches, then that of the whole file."""
    yield from (one for one in report.transactions if one.scope is StatusScope.TRANSACTION)
    yield from (one for one in report.transactions if one.scope is StatusScope.BATCH)
    if report.group_status:
        reason = report.reasons[0] if report.reasons else None
        yield PaymentStatus(
            status=report.group_status,
            scope=StatusScope.BATCH,
            original_payment_information_id=report.original_message_id,
            reason_code=reason.code if reason else None,
            reason_text=reason.text if reason else "",
        )


def _aware(moment: datetime | None) -> datetime | None:
    """Return an instant; a local time without a zone says nothing."""
    return moment if moment is not None and moment.tzinfo is not None else None


def _is_from_another_bank(held: Transfer, status: PaymentStatus, known: _Known) -> bool:
    """Say whether a line speaks about a payment that it never had; a person is told."""
    may_speak = known.lines.get(held.end_to_end_id, set())
    if not known.line or known.line in may_speak:
        return False
    tasks.open_task(
        task=tasks.TaskIn(
            kind="foreign_answer",
            key=f"{known.line}:{held.end_to_end_id}",
            title=f"Another bank speaks about {held.end_to_end_id}",
            detail=f"{known.line} says {status.status}; the payment was given to"
            f" {', '.join(sorted(may_speak))}. Nothing was changed.",
            transfer=held,
        )
    )
    return True


def _transfer_of(
    status: PaymentStatus, message_id: UUID, known: _Known
) -> tuple[Transfer, int] | None:
    """Return the transfer a status speaks about, and its attempt where the status names one.

    Marks that belong to different transfers are a task for a person.
    """
    named = _named(status)
    marked = {one.pk: one for key in _keys_of(status) if (one := known.by_key.get(key))}
    found = [marked[key] for key in sorted(marked)]
    if len(found) > 1:
        tasks.open_task(
            task=tasks.TaskIn(
                kind="ambiguous_answer",
                key=str(message_id),
                title=f"An answer names {found[0].end_to_end_id} and {found[1].end_to_end_id}",
                detail=f"It says {status.status}, with the marks of both. Nothing was changed.",
                transfer=found[0],
            )
        )
        return None
    if not found:
        return None
    own, held = status.original_instruction_id or "", found[0]
    in_file = known.files.get(named, {}).get(held.end_to_end_id, "")
    attempt = _attempt_in(named, held) or _attempt_in(own, held) or _attempt_in(in_file, held)
    return held, attempt


def _attempt_in(reference: str, held: Transfer) -> int:
    """Return the attempt that a message reference of ours names; 0 when it is none of ours."""
    start, _, number = reference.rpartition("-")
    known = {str(one): one for one in range(1, held.attempt + 1)}
    return known.get(number, 0) if start == held.end_to_end_id else 0


@transaction.atomic
def record(
    *,
    transfer: Transfer,
    said: Said,
    rows: transfers.Rows | None = None,
    before: outcomes.HeardBefore | None = None,
) -> TransferStatus:
    """Keep one thing a bank said and bring the transfer to where it stands now.

    `rows` are its rows as the caller holds them under their locks, `before` what was heard and is
    asked of it, read under them; both are read here otherwise.
    """
    said = _in_its_own_words(said)
    proposal, held = rows or transfers.lock_several([transfer.proposal_id])[transfer.proposal_id]
    before = before or outcomes.heard_of([held])[held.pk]
    heard = before.said
    facts = outcomes.facts_of(held=held, proposal=proposal, said=heard)
    stood = standing(facts)
    after = outcomes.standing_with(facts, status=said.status[:4], reason=said.reason[:10])
    attempt = said.attempt or _attempt_meant(said, held)
    moves = (stood.outcome, stood.status) != (after.outcome, after.status)
    row = TransferStatus.objects.create(
        transfer=held,
        attempt=attempt,
        status=said.status[:4],
        reason_code=said.reason[:10],
        words=_words(said, held)[:_WORDS_CHARS_MAX],
        source=said.source,
        message_id=said.message_id,
        changed_state=attempt == held.attempt
        and moves
        and len(after.questions) <= len(stood.questions),
        heard_at=clock.now(),
        said_at=said.said_at,
        held_by=said.held_by[:11],
        charge=said.charge,
        charge_currency=said.charge_currency,
        event_id=said.event_id,
    )
    if said.bank_reference[:70] not in ("", held.bank_reference):
        held.bank_reference = said.bank_reference[:70]
        held.save(update_fields=["bank_reference"])
    outcomes.bring_to(
        held=held,
        proposal=proposal,
        evidence=f"status {said.status}",
        before=replace(before, said=[*heard, (row.status, row.reason_code, row.attempt)]),
    )
    if attempt != (said.attempt or held.attempt):
        words = f"{said.status} without naming the attempt: it is not taken for the present one"
        outcomes.ask_a_person(held, key=f"unnamed:{said.status[:4]}", words=words)
    return row


def _attempt_meant(said: Said, held: Transfer) -> int:
    """Return the attempt that an answer means which names none.

    After a retry a rejection may be the first one coming late. Taken for the present attempt it
    would free money that is on its way, so it counts for the one before, and a person looks.
    """
    is_doubtful = held.attempt > 1 and said.status in FAILING
    return held.attempt - 1 if is_doubtful else held.attempt


def _in_its_own_words(said: Said) -> Said:
    """Return it without a reason that only our own line gives: no bank may speak as the line."""
    if said.reason.strip()[:10] != outcomes.REFUSED_BY_LINE:
        return said
    return replace(said, reason="NARR", words=f"{said.reason}. {said.words}".rstrip(" ."))


def _words(said: Said, held: Transfer) -> str:
    old = "" if said.attempt in (0, held.attempt) else f"about attempt {said.attempt}: "
    parts = (meaning_of(said.status).words, reason_in_words(said.reason), said.words)
    return old + "; ".join(part for part in parts if part)


@transaction.atomic
def apply_entries(*, entries: Sequence[BankEntry]) -> int:
    """Match booked entries, or what a batch holds, to transfers by end-to-end id or UETR.

    Return how many matched.
    """
    booked = proofs_in(
        entry
        for entry in entries
        if entry.status == BookingStatus.BOOK and entry.state == EntryState.COUNTED
    )
    if not booked:
        return 0
    found = Transfer.objects.select_related("proposal").filter(
        Q(end_to_end_id__in={one.end_to_end_id for one in booked if one.end_to_end_id})
        | Q(uetr__in={one.uetr for one in booked if one.uetr})
    )
    by_key = {key: one for one in found for key in (one.end_to_end_id, one.uetr)}
    pairs = [(by_key.get(one.end_to_end_id) or by_key.get(one.uetr), one) for one in booked]
    rows = transfers.lock_several([held.proposal_id for held, _ in pairs if held is not None])
    proving: dict[UUID, transfers.Rows] = {}
    proofs: list[tuple[Transfer, Proof]] = []
    for found_one, proof in pairs:
        if found_one is not None and _prove(rows[found_one.proposal_id], proof):
            proposal, held = proving[found_one.pk] = rows[found_one.proposal_id]
            # What comes back of a sweep was expected of its product, not of its payment.
            if held.return_entry_id != proof.entry.pk or proposal.purpose != Purpose.SWEEP:
                proofs.append((held, proof))
    _fulfil_all(proofs)
    heard = outcomes.heard_of([held for _, held in proving.values()])
    for proposal, held in proving.values():
        outcomes.bring_to(
            held=held, proposal=proposal, evidence="a booked entry", before=heard[held.pk]
        )
    return sum(held is not None for held, _ in pairs)


@transaction.atomic
def question_withdrawn(*, entry_ids: Iterable[UUID]) -> int:
    """Ask a person about transfers whose entry does not count any more. Return how many."""
    gone = list(entry_ids)
    if not gone:
        return 0
    proven = Q(debit_entry__in=gone) | Q(credit_entry__in=gone) | Q(return_entry__in=gone)
    found = list(Transfer.objects.filter(proven))
    for held in found:
        words = "an entry that proved it is no longer on the bank's statement"
        outcomes.ask_a_person(held, key="entry-gone", words=words)
    return len(found)


def _prove(rows: transfers.Rows, proof: Proof) -> bool:
    """Note which side of a held transfer is proven; what fits none is a question."""
    proposal, held = rows
    if _is_known(held, proof):
        return False
    if _has_matured(proposal, proof) and _fulfils(held, proof):
        return False
    side = _side(held, proposal, proof)
    if side is None:
        expected = f"{proposal.amount:,.2f} {proposal.currency}"
        outcomes.ask_a_person(
            held,
            key=proof.key,
            words=f"an entry of {proof.amount:,.2f} carries its reference, {expected} was expected",
        )
        return False
    setattr(held, f"{side}_entry", proof.entry)
    setattr(held, f"{side}_part", proof.part)
    held.save(update_fields=[f"{side}_entry", f"{side}_part"])
    return True


def _is_known(held: Transfer, proof: Proof) -> bool:
    if proof.part is not None:
        return proof.part.pk in (held.debit_part_id, held.credit_part_id, held.return_part_id)
    return proof.entry.pk in (held.debit_entry_id, held.credit_entry_id, held.return_entry_id)


def _fulfil_all(proofs: Sequence[tuple[Transfer, Proof]]) -> None:
    """Match entries to what was expected: those that name their payment together."""
    named = [
        proof.entry
        for held, proof in proofs
        if proof.part is None and proof.end_to_end_id == held.end_to_end_id
    ]
    flows.match_entries(entries=named)
    for held, proof in proofs:
        if proof.part is not None or proof.end_to_end_id != held.end_to_end_id:
            _fulfils(held, proof)


def _fulfils(held: Transfer, proof: Proof) -> bool:
    """Match what is proven to what was expected of a transfer, by its name or else by its UETR.

    An entry that did so when it was first seen still does when the next message shows it again.
    """
    entry = proof.entry
    if proof.part is not None:
        return flows.fulfil(entry=entry, end_to_end_id=held.end_to_end_id, amount=proof.amount)
    if ExpectedFlow.objects.filter(matched_entry=entry, state=FlowState.MATCHED).exists():
        return True
    named = entry.end_to_end_id or held.end_to_end_id
    return flows.match_entry(entry) or flows.fulfil(entry=entry, end_to_end_id=named)


def _has_matured(proposal: Proposal, proof: Proof) -> bool:
    """Say whether money that came in may be what a sweep brings back."""
    return (
        proposal.purpose == Purpose.SWEEP
        and proof.entry.account_id == proposal.debit_account_id
        and proof.amount > 0
        and not proof.is_thrown_back
    )


def _side(held: Transfer, proposal: Proposal, proof: Proof) -> str | None:
    """Return which side of the transfer is proven; None when it fits no free one."""
    side, amount = None, proof.amount
    if proof.entry.account_id == proposal.debit_account_id:
        # Money of a sweep that comes in without a reason has matured: its payment did not bounce.
        is_whole = amount == proposal.amount and proposal.purpose != Purpose.SWEEP
        is_return = is_whole or (0 < amount <= proposal.amount and proof.is_thrown_back)
        if amount == -proposal.amount:
            side = "debit"
        elif is_return:
            side = "return"
    elif proof.entry.account_id == proposal.credit_account_id:
        least = proposal.amount * (1 - FEE_SHARE_MAX)
        side = "credit" if least <= amount <= proposal.amount else None
    return side if side and getattr(held, f"{side}_entry_id") is None else None
