"""Runs of pools as records: canonical JSON that can be read back and decided again. Pure."""

import json
from typing import Any, Final

from core.errors import Invalid
from treasury.engine.pools import Inputs, Outcome, pool_moves
from treasury.engine.sweep_records import canonical, plain, read

VERSION: Final = 1


def record_of(inputs: Inputs, outcome: Outcome) -> str:
    """Return the record of a run."""
    return canonical({"version": VERSION, "inputs": plain(inputs), "outcome": plain(outcome)})


def inputs_of(record: str) -> Inputs:
    """Return the inputs of a record.

    Raises:
        Invalid: it is of another version, or no record.
    """
    return read(Inputs, _parsed(record)["inputs"])


def outcome_of(record: str) -> Outcome:
    """Return the outcome of a record.

    Raises:
        Invalid: it is of another version, or no record.
    """
    return read(Outcome, _parsed(record)["outcome"])


def replayed(record: str) -> str:
    """Decide anew from a record's inputs and return the record of that run.

    Raises:
        Invalid: it is of another version, or no record.
    """
    inputs = inputs_of(record)
    return record_of(inputs, pool_moves(inputs))


def _parsed(record: str) -> dict[str, Any]:
    try:
        found = json.loads(record)
    except ValueError as error:
        raise Invalid("This is no record of a run.", field="record") from error
    if not isinstance(found, dict) or found.get("version") != VERSION:
        raise Invalid("This record is of a version that is not known.", field="version")
    return found
