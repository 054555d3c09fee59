"""Which known entry a sighting belongs to: one source's sightings against the account's entries.

Within one source every sighting is another entry, so equal twins stay two; across sources each
known entry is used at most once. The work is linear in the number of sightings and entries.
"""

from collections import defaultdict, deque
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from treasury.engine.identity import Key, Marks, Rung, codes_agree, same, same_once_booked

# Bits of the marks that are stronger than a rung: none of them may be shared there.
_STRONGER: Final = {Rung.REFERENCE: 0, Rung.UETR: 1, Rung.END_TO_END: 3, Rung.FINGERPRINT: 7}
_MASKS: Final = range(8)
# A mark carried by more sightings than this proves nothing about who is whose double.
_LOOKALIKES_MAX: Final = 8

_Shelf = dict[tuple[Rung, int, Key], deque[int]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Assignment:
    """`found[i]` is the index of sighting i's entry, None for a new one.

    `doubles` are pairs (kept, doubled) of known entries that this source shows to be one, to be
    joined unless they were ever seen side by side in one source.
    """

    found: tuple[int | None, ...]
    doubles: tuple[tuple[int, int], ...]


def assign(
    sightings: Sequence[Marks], known: Sequence[Marks], *, elsewhere: Collection[int] = ()
) -> Assignment:
    """Assign the sightings of one source, in its order, to the known entries, in theirs.

    `elsewhere` are entries that cannot be repeated here except under the same strong reference:
    the earlier entries of a bank whose reports only ever bring what is new.
    """
    found: list[int | None] = [None] * len(sightings)
    taken: set[int] = set()
    shelf = _shelve(known)
    for rung in Rung:
        barred = elsewhere if rung >= Rung.END_TO_END else ()
        for position, marks in enumerate(sightings):
            if found[position] is not None:
                continue
            match = _first_free(marks, rung, shelf, known, taken)
            if match is not None and match not in barred:
                found[position] = match
                taken.add(match)
    _assign_booked_later(sightings, known, found, taken)
    doubles = tuple(_doubles(sightings, known, found, taken))
    return Assignment(found=tuple(found), doubles=doubles)


def _shelve(known: Sequence[Marks]) -> _Shelf:
    shelf: _Shelf = defaultdict(deque)
    for index, marks in enumerate(known):
        mask = marks.mask()
        for rung in Rung:
            key = marks.key(rung)
            if key is not None:
                shelf[rung, mask, key].append(index)
    return shelf


def _first_free(
    marks: Marks, rung: Rung, shelf: _Shelf, known: Sequence[Marks], taken: set[int]
) -> int | None:
    """Return the earliest free entry whose strongest mark in common with `marks` is this one."""
    key = marks.key(rung)
    if key is None:
        return None
    mask, stronger = marks.mask(), _STRONGER[rung]
    best: int | None = None
    for other in _MASKS:
        bucket = shelf.get((rung, other, key)) if mask & other & stronger == 0 else None
        if not bucket:
            continue
        while bucket and bucket[0] in taken:
            bucket.popleft()
        fitting = _fitting(marks, rung, bucket, known, taken)
        if fitting is not None and (best is None or fitting < best):
            best = fitting
    return best


def _fitting(
    marks: Marks, rung: Rung, bucket: deque[int], known: Sequence[Marks], taken: set[int]
) -> int | None:
    for index in bucket:
        if index in taken:
            continue
        if rung is not Rung.FINGERPRINT or codes_agree(
            marks.transaction_code, known[index].transaction_code
        ):
            return index
    return None


def _assign_booked_later(
    sightings: Sequence[Marks],
    known: Sequence[Marks],
    found: list[int | None],
    taken: set[int],
) -> None:
    """Recognise a pending entry that was booked under a later date, whichever came first."""
    by_mark: dict[tuple[str, object], list[int]] = defaultdict(list)
    for index, marks in enumerate(known):
        if index not in taken:
            for mark in (marks.bank_reference, marks.end_to_end_id):
                if mark:
                    by_mark[mark, marks.amount].append(index)
    for position, marks in enumerate(sightings):
        if found[position] is not None:
            continue
        match = next(
            (
                index
                for mark in (marks.bank_reference, marks.end_to_end_id)
                for index in by_mark.get((mark, marks.amount), ())[:_LOOKALIKES_MAX]
                if index not in taken and _one_is_pending(marks, known[index])
            ),
            None,
        )
        if match is not None:
            found[position] = match
            taken.add(match)


def _one_is_pending(one: Marks, other: Marks) -> bool:
    return same_once_booked(one, other) or same_once_booked(other, one)


def _doubles(
    sightings: Sequence[Marks],
    known: Sequence[Marks],
    found: Sequence[int | None],
    taken: set[int],
) -> Iterator[tuple[int, int]]:
    """Find left-over entries that an assigned sighting shows to be one with its own entry."""
    carriers: dict[tuple[Rung, Key], list[int]] = defaultdict(list)
    for position, marks in enumerate(sightings):
        if found[position] is not None:
            for rung in Rung:
                key = marks.key(rung)
                if key is not None and len(carriers[rung, key]) < _LOOKALIKES_MAX:
                    carriers[rung, key].append(position)
    for index, marks in enumerate(known):
        if index in taken:
            continue
        kept = _kept_for(marks, sightings, known, found, carriers)
        if kept is not None:
            yield kept, index


def _kept_for(
    marks: Marks,
    sightings: Sequence[Marks],
    known: Sequence[Marks],
    found: Sequence[int | None],
    carriers: dict[tuple[Rung, Key], list[int]],
) -> int | None:
    for rung in Rung:
        key = marks.key(rung)
        for position in carriers.get((rung, key), ()) if key is not None else ():
            kept = found[position]
            if (
                kept is not None
                and same(sightings[position], marks)
                and _can_be_one(known[kept], marks)
            ):
                return kept
    return None


def _can_be_one(one: Marks, other: Marks) -> bool:
    """Say whether no strong mark that both carry tells them apart."""
    if one.amount != other.amount:
        return False
    return all(
        one.key(rung) is None or other.key(rung) is None or one.key(rung) == other.key(rung)
        for rung in (Rung.REFERENCE, Rung.UETR, Rung.END_TO_END)
    )
