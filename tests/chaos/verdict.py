"""What must be true when it is quiet: our books against the bank's and the clients'."""

import json
from collections import Counter
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, Final

import psycopg

from tests.chaos.live import LiveSystem
from tests.chaos.load import Journal
from tests.chaos.seed import OPENING

DONE: Final = frozenset({"CONFIRMED", "SETTLED"})
NOT_EXECUTED: Final = frozenset({"FAILED", "REJECTED", "CANCELLED", "EXPIRED"})

_UNREST: Final = """
SELECT 'deliveries waiting', count(*) FROM core_delivery WHERE state = 'WAITING'
UNION ALL SELECT 'events not relayed', count(*) FROM core_outboxevent WHERE relayed_at IS NULL
UNION ALL SELECT 'audit entries unsealed', count(*) FROM core_auditpending
UNION ALL SELECT 'orders open', count(*) FROM integrations_message
    WHERE direction = 'OUT' AND state IN ('QUEUED', 'SENDING', 'UNKNOWN')
UNION ALL SELECT 'messages unread', count(*) FROM integrations_message
    WHERE direction = 'IN' AND state NOT IN ('HANDLED', 'SET_ASIDE')
UNION ALL SELECT 'proposals under way: ' || state, count(*) FROM treasury_proposal
    WHERE state NOT IN ('SETTLED', 'FAILED', 'CANCELLED') GROUP BY state
"""


def unrest(system: LiveSystem) -> dict[str, int]:
    """Return what is still moving; empty when it is quiet."""
    try:
        found = {what: count for what, count in system.rows(_UNREST) if count}
    except psycopg.Error as error:
        return {f"database {type(error).__name__}": 1}
    folder = system.home / "bank"
    trays = {"outbound files": folder / "outbound", "inbound files": folder / "inbound"}
    for words, tray in trays.items():
        waiting = sum(1 for one in tray.glob("*") if not one.name.startswith("."))
        if waiting:
            found[words] = waiting
    return found


@dataclass(slots=True)
class Books:
    """Everything compared, read once in quiet."""

    proposals: dict[str, tuple[str, str, str, str]]  # id → reference, state, why, reason
    executed: dict[str, int]
    keys: dict[str, str]  # idempotency key → proposal id
    orders: Counter[str]  # reference → orders that were not refused
    balances: list[tuple[str, Decimal, Decimal]]
    faults: list[str] = field(default_factory=list)


def read_books(system: LiveSystem) -> Books:
    """Read both sides."""
    proposals = system.rows(
        "SELECT id::text, reference, state, why, closing_reason FROM treasury_proposal"
    )
    keys = system.rows(
        "SELECT key, response->>'id' FROM core_idempotencykey WHERE key LIKE 'load-%%'"
    )
    orders = system.rows(
        "SELECT reference, count(*) FROM integrations_message"
        " WHERE direction = 'OUT' AND state <> 'REFUSED' GROUP BY reference"
    )
    return Books(
        proposals={row[0]: tuple(row[1:]) for row in proposals},  # type: ignore[misc]
        executed=system.ask_bank("GET", "/book/executed")["executed"],
        keys=dict(keys),
        orders=Counter(dict(orders)),
        balances=_balances(system),
    )


def _balances(system: LiveSystem) -> list[tuple[str, Decimal, Decimal]]:
    """Return per account the bank's balance and ours: opening plus what counts as booked."""
    ours = {
        hint: Decimal(OPENING) + Decimal(booked)
        for hint, booked in system.rows(
            "SELECT a.number_hint, coalesce(sum(e.amount), 0) FROM treasury_bankaccount a"
            " LEFT JOIN treasury_bankentry e ON e.account_id = a.id AND e.state = 'COUNTED'"
            " AND e.status = 'BOOK' WHERE a.currency = 'INR' GROUP BY a.id, a.number_hint"
        )
    }
    theirs = system.ask_bank("GET", "/book")["accounts"]
    return [
        (row["number"], Decimal(row["balance"]), ours[row["number"][-4:]])
        for row in theirs
        if row["number"][-4:] in ours
    ]


def faults_of(system: LiveSystem, journal: Journal) -> tuple[list[str], Books]:
    """Return everything that is not as promised, in words, and the books themselves."""
    books = read_books(system)
    faults = [*in_books(books, journal), *standing(system)]
    faults += [
        f"{n}: bank {theirs}, we {ours}" for n, theirs, ours in books.balances if theirs != ours
    ]
    dead = system.rows("SELECT consumer, last_error FROM core_delivery WHERE state = 'DEAD'")
    faults += [f"dead letter {consumer}: {error}" for consumer, error in dead]
    faults += proofs(system)
    return faults, books


def in_books(books: Books, journal: Journal) -> list[str]:
    """Return what was lost or doubled, and where we and the bank do not agree."""
    return [*_lost(books, journal), *_doubled(books), *_against_the_bank(books)]


_STANDING: Final = """
SELECT p.reference, p.why, p.state, coalesce(r.state, 'no request'), coalesce(t.bank_status, '-'),
       coalesce(string_agg(m.state || ' after ' || m.attempts || ' tries ' || m.reason, ', '), '-')
  FROM treasury_proposal p
  LEFT JOIN approvals_approvalrequest r ON r.subject_id = p.id AND r.subject_version = p.version
  LEFT JOIN treasury_transfer t ON t.proposal_id = p.id
  LEFT JOIN integrations_message m ON m.reference = p.reference AND m.direction = 'OUT'
 WHERE p.state NOT IN ('CONFIRMED', 'SETTLED', 'FAILED', 'REJECTED', 'CANCELLED', 'EXPIRED')
 GROUP BY p.reference, p.why, p.state, r.state, t.bank_status ORDER BY p.reference LIMIT 100
"""


def standing(system: LiveSystem) -> list[str]:
    """Return the payments that have not come to an end: their names, and where they stand."""
    return [
        f"{reference} ({why}) is {state}: approval {request}, bank {bank}, order {order}"
        for reference, why, state, request, bank, order in system.rows(_STANDING)
    ]


def _lost(books: Books, journal: Journal) -> list[str]:
    known = {why for _, _, why, _ in books.proposals.values()}
    faults = [
        f"{why}, submitted in {file}, is not in the database"
        for why, file in journal.taken_in_files.items()
        if why not in known
    ]
    for key, proposal in journal.acknowledged.items():
        if proposal not in books.proposals:
            faults.append(f"acknowledged {proposal} is not in the database")
        elif books.keys.get(key) != proposal:
            faults.append(f"{key} was answered with {proposal}, stored is {books.keys.get(key)}")
    return faults


def _doubled(books: Books) -> list[str]:
    wishes = Counter(why for _, _, why, _ in books.proposals.values())
    faults = [f"{why} exists {times} times" for why, times in wishes.items() if times > 1]
    faults += [
        f"{ref} executed {times} times" for ref, times in books.executed.items() if times > 1
    ]
    faults += [f"{ref} has {times} live orders" for ref, times in books.orders.items() if times > 1]
    return faults


def _against_the_bank(books: Books) -> list[str]:
    faults = []
    ours = {reference: (state, why) for reference, state, why, _ in books.proposals.values()}
    for reference, (state, _) in ours.items():
        is_executed = reference in books.executed
        if state in DONE and not is_executed:
            faults.append(f"{reference} is {state}, the bank did not execute it")
        if state not in DONE and is_executed:
            faults.append(f"{reference} is {state}, the bank executed it")
        if state not in DONE | NOT_EXECUTED:
            faults.append(f"{reference} is stuck in {state}")
    faults += [
        f"the bank executed {ref}, unknown here" for ref in books.executed if ref not in ours
    ]
    return faults


def proofs(system: LiveSystem) -> list[str]:
    """Run the two commands that prove a system."""
    faults = []
    for command in (("verify_audit", "--seal", "--json"), ("verify_invariants", "--json")):
        ran = system.manage(*command)
        if ran.returncode:
            faults.append(f"{command[0]}: {(ran.stdout + ran.stderr)[-600:]}")
    return faults


def failures(books: Books) -> Counter[str]:
    """Return why payments were not executed, for the summary."""
    return Counter(why for _, state, _, why in books.proposals.values() if state in NOT_EXECUTED)


def as_text(facts: dict[str, Any]) -> str:
    """Return one line for people and machines."""
    return json.dumps(facts, sort_keys=True, default=str)
