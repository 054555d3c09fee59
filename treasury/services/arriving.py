"""Entries that nothing known resembles: written as columns, no object per entry."""

from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal
from typing import Final

from core.ids import uuid7_texts
from treasury.engine.facts import Sighting
from treasury.engine.identity import Rung
from treasury.models import (
    BankAccount,
    BankEntry,
    EntryObservation,
    Statement,
)
from treasury.services import rows

_RULES: Final = {rung: rung.name for rung in Rung}
_WORDS: Final = {True: "true", False: "false"}


def insert(
    *,
    account: BankAccount,
    statement: Statement,
    sightings: Sequence[Sighting],
    twins: Counter[str],
    state: str,
    now: datetime,
) -> list[str]:
    """Write sightings of entries that are certainly new, with their observations; return their ids.

    Equal twins within the statement get occurrence numbers in its order: `twins` counts them over
    its pages; `state` is what the entries begin as. The caller has made sure that no known entry
    nearby has one of these amounts.
    """
    if not sightings:
        return []
    ids = uuid7_texts(2 * len(sightings))
    entries, observations = ids[: len(sightings)], ids[len(sightings) :]
    status = [one.status for one in sightings]
    locators = [one.locator for one in sightings]
    rows.insert_columns(
        model=BankEntry,
        columns={"id": entries, "status": status, "locator": locators, **_facts(sightings, twins)},
        same={
            "tenant": statement.tenant_id,
            "account": account.pk,
            "statement": statement.pk,
            "state": state,
            "best_source": statement.source,
            "first_seen_at": now,
            "announced_at": statement.bank_created_at or now,
            "merged_into": None,
        },
    )
    rows.insert_columns(
        model=EntryObservation,
        columns={"id": observations, "entry": entries, "status": status, "locator": locators},
        same={"tenant": statement.tenant_id, "statement": statement.pk},
    )
    return entries


def _facts(sightings: Sequence[Sighting], twins: Counter[str]) -> dict[str, list[str]]:
    marks = [one.marks for one in sightings]
    days: dict[date, str] = {}
    for one in marks:
        for day in (one.booking_date, one.value_date):
            if day not in days:
                days[day] = day.isoformat()
    identities = [one.identity() for one in marks]
    return {
        "identity": identities,
        "identity_rule": [_RULES[one.strongest()] for one in marks],
        "occurrence": _occurrences(identities, twins),
        "amount": [_plain(one.amount) for one in marks],
        "booking_date": [days[one.booking_date] for one in marks],
        "value_date": [days[one.value_date] for one in marks],
        "is_reversal": [_WORDS[one.is_reversal] for one in sightings],
        "bank_reference": [one.bank_reference for one in marks],
        "end_to_end_id": [one.end_to_end_id for one in marks],
        "uetr": [one.uetr for one in marks],
        "transaction_code": [one.transaction_code for one in sightings],
        "counterparty": [one.counterparty for one in sightings],
        "remittance": [one.remittance for one in sightings],
        "return_reason": [one.return_reason for one in sightings],
    }


def _occurrences(identities: Sequence[str], twins: Counter[str]) -> list[str]:
    """Number equal identities in their order, from one."""
    found = []
    for identity in identities:
        twins[identity] += 1
        found.append(str(twins[identity]))
    return found


def _plain(amount: Decimal) -> str:
    return f"{amount:f}"
