"""What a bank's status means for a transfer. Pure.

Codes: ISO 20022 external payment transaction status set, in the reading of domain section 8.3.
Ranks never regress: a weaker status that comes late is kept in the history and changes nothing.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Effect(StrEnum):
    """What a status does."""

    NOTHING = "nothing"
    SENT = "sent"
    CONFIRM = "confirm"
    FAIL = "fail"
    QUESTION = "question"


@dataclass(frozen=True, slots=True, kw_only=True)
class Meaning:
    """Rank in the order of certainty, effect on the life cycle, and words for people."""

    rank: int
    effect: Effect
    words: str


DEBITED_RANK: Final = 50
FAILED_RANK: Final = 90
MEANINGS: Final = {
    "RCVD": Meaning(rank=10, effect=Effect.SENT, words="received by the bank"),
    "ACTC": Meaning(rank=20, effect=Effect.SENT, words="technically accepted"),
    "PDNG": Meaning(rank=25, effect=Effect.SENT, words="pending at the bank"),
    "PART": Meaning(rank=25, effect=Effect.SENT, words="partly accepted"),
    "ACCP": Meaning(rank=30, effect=Effect.SENT, words="accepted after customer checks"),
    "ACFC": Meaning(rank=35, effect=Effect.SENT, words="accepted, funds checked"),
    "ACWC": Meaning(rank=35, effect=Effect.SENT, words="accepted with a change by the bank"),
    "ACSP": Meaning(rank=40, effect=Effect.SENT, words="settlement in process"),
    "ACSC": Meaning(rank=DEBITED_RANK, effect=Effect.CONFIRM, words="debited and settled"),
    "ACCC": Meaning(rank=60, effect=Effect.CONFIRM, words="credited to the receiving account"),
    "CANC": Meaning(rank=FAILED_RANK, effect=Effect.FAIL, words="cancelled at the bank"),
    "RJCT": Meaning(rank=FAILED_RANK, effect=Effect.FAIL, words="rejected by the bank"),
}
CONFIRMING: Final = tuple(
    code for code, meaning in MEANINGS.items() if meaning.effect is Effect.CONFIRM
)
_UNKNOWN: Final = Meaning(rank=0, effect=Effect.QUESTION, words="a status we do not know")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What to do now: the effect after looking at what is already known."""

    effect: Effect
    rank: int
    words: str


def judge(status: str, *, known_rank: int) -> Verdict:
    """Return what `status` does to a transfer whose strongest status so far ranks `known_rank`.

    A rejection after the debit is an exception for a person, never a silent failure: the money
    may have moved.
    """
    meaning = MEANINGS.get(status, _UNKNOWN)
    if meaning.effect is Effect.QUESTION:
        return Verdict(effect=Effect.QUESTION, rank=known_rank, words=meaning.words)
    contradiction = _contradiction(meaning, known_rank)
    if contradiction:
        return Verdict(effect=Effect.QUESTION, rank=known_rank, words=contradiction)
    if meaning.rank <= known_rank:
        return Verdict(effect=Effect.NOTHING, rank=known_rank, words=meaning.words)
    return Verdict(effect=meaning.effect, rank=meaning.rank, words=meaning.words)


def _contradiction(meaning: Meaning, known_rank: int) -> str:
    """Return in words how a status contradicts what is known; empty when it does not."""
    if meaning.effect is Effect.FAIL and DEBITED_RANK <= known_rank < FAILED_RANK:
        return f"{meaning.words} after it was debited"
    if known_rank >= FAILED_RANK and DEBITED_RANK <= meaning.rank < FAILED_RANK:
        return f"{meaning.words} after it was rejected"
    return ""
