"""Trouble on demand: which fault hits which payment or statement, decided by its own seeds."""

import fnmatch
import json
import random
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from integrations.sandbox_bank.book import Book
from integrations.sandbox_bank.records import BankError

PAYMENT_KINDS = frozenset(
    {"silent", "late", "reject", "accept_then_timeout", "answer_twice", "return"}
)
STATEMENT_KINDS = frozenset(
    {"statement_gap", "duplicate_statement", "wrong_sum", "restated", "paged", "wrong_split"}
)
MATCHES = ("account", "end_to_end_id", "rail")
SECONDS_MAX = 30 * 86_400
FAULTS_MAX = 1_000
_FIELDS = frozenset({"kind", "match", "count", "rate", "seed", "seconds", "code", "mode"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Fired:
    """A fault that hit, with what it needs to know."""

    kind: str
    seconds: float
    code: str
    mode: str


def add_fault(book: Book, content: object) -> dict[str, Any]:
    """Arm a fault.

    Raises:
        BankError: the description is wrong.
    """
    wish = checked(content)
    parameters = {name: wish[name] for name in ("seconds", "code", "mode") if name in wish}
    with book.transaction():
        if len(list_faults(book)) >= FAULTS_MAX:
            raise BankError("too_many_faults", f"at most {FAULTS_MAX} faults", status=409)
        number = book.run(
            "INSERT INTO fault(kind, match, remaining, rate, seed, parameters, fired) VALUES"
            " (?, ?, ?, ?, ?, ?, 0)",
            wish["kind"], json.dumps(wish.get("match", {})), wish.get("count"),
            wish.get("rate"),
            wish.get("seed", 0), json.dumps(parameters),
        )  # fmt: skip
        return next(fault for fault in list_faults(book) if fault["id"] == number)


def list_faults(book: Book) -> list[dict[str, Any]]:
    return [
        {
            "id": row["id"],
            "kind": row["kind"],
            "match": json.loads(row["match"]),
            "count": row["remaining"],
            "rate": row["rate"],
            "seed": row["seed"],
            **json.loads(row["parameters"]),
            "fired": row["fired"],
        }
        for row in book.rows("SELECT * FROM fault ORDER BY id")
    ]


def clear_faults(book: Book) -> int:
    with book.transaction():
        armed = len(list_faults(book))
        book.run("DELETE FROM fault")
        return armed


def draw_faults(
    book: Book, kinds: frozenset[str], *, subject: str, facts: Mapping[str, str]
) -> list[Fired]:
    """Return the faults that hit this subject and use them up; a subject always draws the same."""
    fired = []
    for fault in list_faults(book):
        if fault["kind"] not in kinds or not _hits(fault, subject, facts):
            continue
        book.run(
            "UPDATE fault SET fired = fired + 1, remaining = remaining - 1 WHERE id = ?",
            fault["id"],
        )
        fired.append(
            Fired(
                kind=fault["kind"],
                seconds=float(fault.get("seconds", 0)),
                code=str(fault.get("code", "")),
                mode=str(fault.get("mode", "")),
            )
        )
    return fired


def _hits(fault: Mapping[str, Any], subject: str, facts: Mapping[str, str]) -> bool:
    if fault["count"] is not None and fault["count"] <= 0:
        return False
    if any(
        not fnmatch.fnmatchcase(facts.get(name, ""), wanted)
        for name, wanted in fault["match"].items()
    ):
        return False
    if fault["rate"] is None:
        return True
    dice = random.Random(f"{fault['seed']}:{fault['kind']}:{subject}")  # noqa: S311 - reproducible trouble, no secrets
    return bool(dice.random() < fault["rate"])


def checked(content: object) -> dict[str, Any]:
    """Return the description of a fault.

    Raises:
        BankError: it is wrong.
    """
    if not isinstance(content, dict):
        raise _refused("a fault is an object")
    if unknown := sorted(set(content) - _FIELDS):
        raise _refused(f"unknown fields: {', '.join(map(str, unknown))}")
    if content.get("kind") not in PAYMENT_KINDS | STATEMENT_KINDS:
        raise _refused(f"kind must be one of {', '.join(sorted(PAYMENT_KINDS | STATEMENT_KINDS))}")
    match = content.get("match", {})
    if not isinstance(match, dict) or not all(
        name in MATCHES and isinstance(value, str) for name, value in match.items()
    ):
        raise _refused(f"match may name {', '.join(MATCHES)} with text")
    _check_numbers(content)
    if content.get("mode", "close") not in {"close", "hang"} or not isinstance(
        content.get("code", ""), str
    ):
        raise _refused("mode must be close or hang, code must be text")
    return content


def _check_numbers(content: Mapping[str, Any]) -> None:
    if not _is_number(content.get("count", 1), 1, 10**9) or not isinstance(
        content.get("count", 1), int
    ):
        raise _refused("count must be a whole number from 1")
    if not _is_number(content.get("rate", 1), 0, 1):
        raise _refused("rate must be between 0 and 1")
    if not _is_number(content.get("seconds", 0), 0, SECONDS_MAX):
        raise _refused(f"seconds must be between 0 and {SECONDS_MAX}")
    if not isinstance(content.get("seed", 0), int) or abs(content.get("seed", 0)) >= 2**62:
        raise _refused("seed must be a whole number")


def _is_number(value: object, low: float, high: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and low <= value <= high


def _refused(sentence: str) -> BankError:
    return BankError("fault_invalid", sentence, status=422)
