"""Decide again from a stored record, and say whether the same comes out."""

from dataclasses import dataclass
from uuid import UUID

from treasury.engine.sweep_records import differences, digest, replayed
from treasury.selectors import sweeps as reads


@dataclass(frozen=True, slots=True, kw_only=True)
class Replay:
    """A decision made anew; `differences` are path, stored and replayed value."""

    record: str
    replayed: str
    differences: tuple[tuple[str, str, str], ...]
    digest_holds: bool

    @property
    def is_identical(self) -> bool:
        """Tell whether the very same bytes came out, and the stored ones are those of old."""
        return self.record == self.replayed and self.digest_holds


def replay_decision(*, decision_id: UUID) -> Replay:
    """Replay a decision from nothing but its record and the universe that it names.

    Raises:
        NotFound: no such decision.
        Invalid: the record cannot be read, or names another universe.
    """
    held = reads.decision(decision_id)
    return replay_record(
        record=held.record, record_sha256=held.record_sha256, universe=reads.universe_of(held)
    )


def replay_record(*, record: str, record_sha256: str, universe: str) -> Replay:
    """Replay a record whose digest was kept.

    Raises:
        Invalid: the record cannot be read, or names another universe.
    """
    anew = replayed(record, universe)
    return Replay(
        record=record,
        replayed=anew,
        differences=differences(record, anew),
        digest_holds=digest(record) == record_sha256,
    )
