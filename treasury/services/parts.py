"""What is inside an entry that books several payments at once, and whom it answers.

A bank lists the payments of a batch, or only names the file that ordered them; then they are those
of our own file, if they add up to the entry. The entry alone counts in positions.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Final
from uuid import UUID

from integrations import selectors as bank_lines
from treasury.engine.facts import Part, Sighting
from treasury.models import BankEntry, EntryPart, PartSource, ProposalState, Transfer
from treasury.services import rows, tasks

DIFFERS: Final = "batch_differs"
Shown = Sequence[tuple[UUID | str, Sighting]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Proof:
    """A payment as a booked entry proves it: the entry itself, or one part of it."""

    entry: BankEntry
    part: EntryPart | None = None

    @property
    def amount(self) -> Decimal:
        """Return the payment's amount, signed."""
        return self.entry.amount if self.part is None else self.part.amount

    @property
    def end_to_end_id(self) -> str:
        """Return the payment's end-to-end id, empty when the bank gave none."""
        return (self.part or self.entry).end_to_end_id

    @property
    def uetr(self) -> str:
        """Return the payment's UETR in small letters, empty when the bank gave none."""
        return (self.part or self.entry).uetr.lower()

    @property
    def is_thrown_back(self) -> bool:
        """Say whether the bank calls it a return or a reversal."""
        reason = self.entry.return_reason or (self.part.return_reason if self.part else "")
        return bool(reason) or self.entry.is_reversal

    @property
    def key(self) -> str:
        """Return what tells this proof from every other."""
        return f"entry:{self.entry.pk}" if self.part is None else f"part:{self.part.pk}"


def proofs_in(entries: Iterable[BankEntry]) -> list[Proof]:
    """Return what these entries prove: each itself, or all its parts where it names no payment."""
    found, nameless = [], {}
    for entry in entries:
        if entry.end_to_end_id or entry.uetr:
            found.append(Proof(entry=entry))
        else:
            nameless[entry.pk] = entry
    if nameless:
        parts = EntryPart.objects.filter(entry__in=list(nameless)).order_by("entry", "number")
        found += [Proof(entry=nameless[part.entry_id], part=part) for part in parts]
    return [one for one in found if one.end_to_end_id or one.uetr]


def keep(*, account_id: UUID, shown: Shown) -> list[UUID]:
    """Keep the parts of entries that have none yet; return the entries that have some now.

    Where our file does not add up to the entry, a person is asked.
    """
    batches = {UUID(str(entry)): one for entry, one in shown if one.is_batch}
    if not batches:
        return []
    known = EntryPart.objects.filter(entry__in=list(batches)).values_list("entry", flat=True)
    for entry in set(known):
        del batches[entry]
    listed = {entry: one.parts for entry, one in batches.items() if one.parts}
    named = {entry: one for entry, one in batches.items() if not one.parts}
    ordered = _of_our_files(account_id, named)
    made = [*_rows(listed, PartSource.BANK), *_rows(ordered, PartSource.ORDER)]
    rows.insert(made)
    return [*listed, *ordered]


def inherit(pairs: Iterable[tuple[BankEntry, BankEntry]]) -> None:
    """Give entries the parts of those that were found to be the same: (kept, gone)."""
    kept_of = {gone.pk: kept for kept, gone in pairs}
    if not kept_of:
        return
    rich = set(
        EntryPart.objects.filter(entry__in=[kept.pk for kept in kept_of.values()]).values_list(
            "entry", flat=True
        )
    )
    names = [one.attname for one in EntryPart._meta.local_concrete_fields if one.name != "id"]
    copies = []
    for part in EntryPart.objects.filter(entry__in=list(kept_of)).order_by("entry", "number"):
        kept = kept_of[part.entry_id]
        if kept.pk not in rich:
            facts = {name: getattr(part, name) for name in names}
            copies.append(EntryPart(**{**facts, "entry_id": kept.pk}))
    rows.insert(copies)


def _rows(parts: Mapping[UUID, Sequence[Part]], source: PartSource) -> list[EntryPart]:
    return [
        EntryPart(
            entry_id=entry,
            number=number,
            source=source,
            amount=one.amount,
            bank_reference=one.bank_reference,
            end_to_end_id=one.end_to_end_id,
            uetr=one.uetr,
            counterparty=one.counterparty,
            remittance=one.remittance,
            return_reason=one.return_reason,
            locator=one.locator,
        )
        for entry, several in parts.items()
        for number, one in enumerate(several, start=1)
    ]


def _of_our_files(account_id: UUID, named: Mapping[UUID, Sighting]) -> dict[UUID, list[Part]]:
    """Return the parts of debits that name a file of ours and are the sum of its orders."""
    debits = {entry: one for entry, one in named.items() if one.marks.amount < 0}
    files = bank_lines.orders_named({one.order_file for one in debits.values()})
    if not files:
        return {}
    references = {reference for orders in files.values() for reference in orders}
    sent = Transfer.objects.select_related("proposal__beneficiary", "proposal__credit_account")
    ours = {
        one.end_to_end_id: one
        for one in sent.filter(
            end_to_end_id__in=references, proposal__debit_account=account_id, debit_entry=None
        )
    }
    found = {}
    for entry, one in debits.items():
        orders = [ours[name] for name in files.get(one.order_file, ()) if name in ours]
        fitting = _adding_up(orders, one.marks.amount)
        if fitting:
            found[entry] = [_part_of(held) for held in fitting]
            tasks.answer_task(kind=DIFFERS, key=str(entry), note="It adds up now.")
        elif orders:
            _ask(entry, one, orders)
    return found


def _adding_up(orders: Sequence[Transfer], amount: Decimal) -> Sequence[Transfer]:
    """Return all orders, or those that the bank did not refuse, if they make the amount."""
    taken = [one for one in orders if one.proposal.state != ProposalState.FAILED]
    for several in (orders, taken):
        if sum((one.proposal.amount for one in several), Decimal(0)) == -amount:
            return several
    return ()


def _part_of(held: Transfer) -> Part:
    proposal = held.proposal
    payee = proposal.beneficiary or proposal.credit_account
    return Part(
        amount=-proposal.amount,
        bank_reference="",
        end_to_end_id=held.end_to_end_id,
        uetr=held.uetr,
        counterparty=str(payee)[:140],
        remittance="",
        return_reason="",
        locator="",
    )


def _ask(entry: UUID, one: Sighting, orders: Sequence[Transfer]) -> None:
    total = sum((held.proposal.amount for held in orders), Decimal(0))
    currency = orders[0].proposal.currency
    tasks.open_task(
        task=tasks.TaskIn(
            kind=DIFFERS,
            key=str(entry),
            title=f"A batch booking is not the sum of file {one.order_file}"[:200],
            detail=f"The bank booked {-one.marks.amount:,.2f} {currency} for it; its"
            f" {len(orders)} payments make {total:,.2f}. Which of them it paid is not known.",
            transfer=orders[0],
        )
    )
