"""What an evidence pack consists of. Rows are told as plain facts, ready for JSON."""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Any

Facts = Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Happening:
    """One line of the timeline."""

    at: str
    what: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version as it was put before its checkers.

    `hashed_text` is exactly what `content_hash` is the sha256 of.
    """

    request: Facts
    policy_snapshot: Facts
    hashed_text: str
    content_hash: str
    hash_holds: bool
    decisions: tuple[Facts, ...]
    seen_by: tuple[Facts, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Verification:
    """How far the trail behind this pack is sealed, anchored and verified."""

    entries_count: int
    sealed_count: int
    holding_count: int
    last_sequence: int
    anchor: str
    public_key: str
    verified_at: str
    verified_links_count: int
    verified_intact: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class TransferEvidence:
    """Everything that proves one payment, from its origin to the statement line."""

    format: str
    tenant: Facts
    reference: str
    made_at: str
    proposal: Facts
    transfer: Facts
    debit: Facts
    credit: Facts
    origin: Facts
    versions: tuple[Version, ...]
    messages: tuple[Facts, ...]
    bank_answers: tuple[Facts, ...]
    statement_entries: tuple[Facts, ...]
    timeline: tuple[Happening, ...]
    audit: tuple[Facts, ...]
    verification: Verification

    def canonical(self) -> str:
        """Return the pack as JSON with sorted keys and no spare space: what its sha256 is over."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        """Return the sha256 of the canonical JSON."""
        return sha256(self.canonical().encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexLine:
    """One payment in the index of a period, and the sha256 of its pack."""

    reference: str
    created_at: str
    state: str
    amount: str
    currency: str
    value_date: str
    made_by: str
    approved_by: tuple[str, ...]
    pack: str
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodIndex:
    """All payments whose transfer was made within a period."""

    format: str
    tenant: Facts
    since: str
    until: str
    made_at: str
    payments: tuple[IndexLine, ...]

    def canonical(self) -> str:
        """Return the index as JSON with sorted keys and no spare space."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class PeriodEvidence:
    """The evidence of the payments of some days in one piece, with the index over them."""

    format: str
    part: int
    account: str
    index: PeriodIndex
    packs: tuple[TransferEvidence, ...]

    def canonical(self) -> str:
        """Return it as JSON with sorted keys and no spare space: what its sha256 is over."""
        return json.dumps(asdict(self), sort_keys=True, separators=(",", ":"), ensure_ascii=False)

    def sha256(self) -> str:
        """Return the sha256 of the canonical JSON."""
        return sha256(self.canonical().encode()).hexdigest()


def index_line(evidence: TransferEvidence) -> IndexLine:
    """Return what the index of a period says about one payment."""
    proposal = evidence.proposal
    decisions = evidence.versions[-1].decisions if evidence.versions else ()
    return IndexLine(
        reference=evidence.reference,
        created_at=str(evidence.transfer["created_at"]),
        state=str(proposal["state"]),
        amount=str(proposal["amount"]),
        currency=str(proposal["currency"]),
        value_date=str(proposal["value_date"]),
        made_by=str(proposal["maker_label"]),
        approved_by=tuple(
            str(one["checker_name"]) for one in decisions if one["outcome"] == "APPROVE"
        ),
        pack=f"{evidence.reference}.json",
        sha256=evidence.sha256(),
    )
