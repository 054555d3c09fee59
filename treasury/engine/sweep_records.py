"""Decisions as records: canonical JSON that can be read back, replayed and compared. Pure.

Canonical means: keys in order, no spaces, ASCII, decimals as plain text, instants in UTC. The same
decision is always the same bytes, so that its digest proves it.

The products that could be chosen and the calendars they deal by are most of what a decision rests
on, and alike for all of a window: the universe. It is a text of its own, named by its digest; a
record of version 1 holds it itself.
"""

import json
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from enum import Enum
from hashlib import sha256
from types import NoneType, UnionType
from typing import Any, Final, TypeVar, get_args, get_origin, get_type_hints

from core.errors import Invalid
from treasury.engine.sweeps import Inputs, Outcome, decide

VERSION: Final = 2
_WHOLE: Final = 1
_UNIVERSE: Final = ("calendars", "products")
T = TypeVar("T")


def canonical(value: object) -> str:
    """Return the canonical JSON of plain values."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True)


def digest(text: str) -> str:
    """Return the SHA-256 of a text's bytes, as 64 hexadecimal digits."""
    return sha256(text.encode()).hexdigest()


def universe_of(inputs: Inputs) -> str:
    """Return the products that a decision could choose from, with their calendars."""
    facts = plain(inputs)
    return canonical({name: facts[name] for name in _UNIVERSE})


def record_of(inputs: Inputs, outcome: Outcome) -> str:
    """Return the record of a decision; it names its universe by digest."""
    return _written(VERSION, inputs, outcome)


def _written(version: int, inputs: Inputs, outcome: Outcome) -> str:
    facts = plain(inputs)
    if version != _WHOLE:
        _name_universe(facts)
    return canonical({"version": version, "inputs": facts, "outcome": plain(outcome)})


def _name_universe(facts: dict[str, Any]) -> None:
    """Put the digest of the universe in its place."""
    facts["universe"] = digest(canonical({name: facts.pop(name) for name in _UNIVERSE}))


# What all accounts of a window share, but for what a company may use and a product still takes.
_SHARED: Final = ("policy", "universe", "window")


def facts_digest(inputs: Inputs) -> str:
    """Return the digest of what a decision rests on.

    Instants are left out: another message with the same balance is no other fact. Whether the
    balance is too old to decide on is one. What accounts share goes in by its own digest.
    """
    oldest = timedelta(minutes=inputs.policy.balance_age_minutes_max)
    facts = plain(inputs)
    _name_universe(facts)
    shared = {name: facts.pop(name) for name in _SHARED}
    del facts["decided_at"], facts["money"]["as_of"]
    facts["is_stale"] = inputs.decided_at - inputs.money.as_of > oldest
    facts["shared"] = digest(canonical(shared))
    return digest(canonical(facts))


def inputs_of(record: str, universe: str) -> Inputs:
    """Return the inputs of a record, together with the universe that it names.

    Raises:
        Invalid: it is of another version, or no record; it names another universe.
    """
    found = _parsed(record)
    facts = found.get("inputs")
    if found["version"] != _WHOLE and isinstance(facts, dict):
        if facts.pop("universe", None) != digest(universe):
            raise Invalid(
                "The products and calendars are not those that this record names.", field="universe"
            )
        facts |= json.loads(universe)
    return read(Inputs, facts)


def outcome_of(record: str) -> Outcome:
    """Return the outcome of a record.

    Raises:
        Invalid: it is of another version, or no record.
    """
    return read(Outcome, _parsed(record).get("outcome"))


def replayed(record: str, universe: str) -> str:
    """Decide anew from a record's inputs and return the record of that decision.

    Raises:
        Invalid: it is of another version, or no record; it names another universe.
    """
    inputs = inputs_of(record, universe)
    return _written(_parsed(record)["version"], inputs, decide(inputs))


def differences(one: str, other: str) -> tuple[tuple[str, str, str], ...]:
    """Return where two records differ: the path, and both values as text."""
    return tuple(
        (path, left.get(path, "absent"), right.get(path, "absent"))
        for left, right in ((_flat(json.loads(one)), _flat(json.loads(other))),)
        for path in sorted({*left, *right})
        if left.get(path) != right.get(path)
    )


def _flat(value: Any, path: str = "") -> dict[str, str]:
    if isinstance(value, dict):
        items = [(f"{path}.{key}" if path else key, item) for key, item in value.items()]
    elif isinstance(value, list):
        items = [(f"{path}[{place}]", item) for place, item in enumerate(value)]
    else:
        return {path: canonical(value)}
    return {name: text for key, item in items for name, text in _flat(item, key).items()}


def _parsed(record: str) -> dict[str, Any]:
    try:
        found = json.loads(record)
    except ValueError as error:
        raise Invalid("This is no record of a decision.", field="record") from error
    if not isinstance(found, dict) or found.get("version") not in (_WHOLE, VERSION):
        raise Invalid("This record is of a version that is not known.", field="version")
    return found


def plain(value: Any) -> Any:
    """Return dataclasses, decimals, days and instants as what JSON carries."""
    result: Any = value
    match value:
        case Enum():
            result = value.value
        case Decimal():
            # 100 and 100.0000 are one amount, so they are one text.
            result = f"{value.normalize():f}"
        case datetime():
            result = value.astimezone(UTC).isoformat(timespec="microseconds")
        case date() | time():
            result = value.isoformat()
        case tuple():
            result = [plain(item) for item in value]
        case _ if is_dataclass(value):
            result = {one.name: plain(getattr(value, one.name)) for one in fields(value)}
    return result


def read(kind: type[T], given: Any) -> T:
    """Build a dataclass from what `plain` made of it.

    Raises:
        Invalid: a field is missing, or its value is of another kind.
    """
    try:
        found: T = _read(kind, given)
    except (KeyError, TypeError, ValueError, ArithmeticError) as error:
        raise Invalid("This record cannot be read.", field="record") from error
    return found


def _read(kind: Any, given: Any) -> Any:
    if isinstance(kind, UnionType):
        if given is None:
            return None
        kind = next(one for one in get_args(kind) if one is not NoneType)
    if get_origin(kind) is tuple:
        return tuple(_read(get_args(kind)[0], item) for item in given)
    if isinstance(kind, type) and is_dataclass(kind) and isinstance(given, Mapping):
        hints = get_type_hints(kind)
        made: Any = kind
        return made(**{one.name: _read(hints[one.name], given[one.name]) for one in fields(kind)})
    if kind in (date, datetime, time):
        return kind.fromisoformat(given)
    return given if kind in (bool, int, str) else kind(given)
