"""Decide a run again from its record, and say whether the same comes out."""

from uuid import UUID

from treasury.engine.pool_records import replayed
from treasury.engine.sweep_records import differences, digest
from treasury.selectors import pools as reads
from treasury.services.sweeps.replaying import Replay


def replay_run(*, run_id: UUID) -> Replay:
    """Replay a run from nothing but its record.

    Raises:
        NotFound: no such run.
        Invalid: the record cannot be read.
    """
    held = reads.run(run_id)
    anew = replayed(held.record)
    return Replay(
        record=held.record,
        replayed=anew,
        differences=differences(held.record, anew),
        digest_holds=digest(held.record) == held.record_sha256,
    )
