"""What everything a bank said about a transfer amounts to. Pure.

The standing of a transfer follows from the set of facts alone, so that no order of arrival and no
repetition matters. Codes: ISO 20022 external payment transaction status set, in the reading of
domain section 8.3. Ranks never regress: a weaker status that comes late adds nothing to the set's
strongest word.
"""

from dataclasses import dataclass
from enum import StrEnum
from typing import Final


class Effect(StrEnum):
    """What a status says by itself."""

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
    "PATC": Meaning(rank=15, effect=Effect.SENT, words="authorised in part at the bank"),
    "ACTC": Meaning(rank=20, effect=Effect.SENT, words="technically accepted"),
    "PDNG": Meaning(rank=25, effect=Effect.SENT, words="pending at the bank"),
    "PART": Meaning(rank=25, effect=Effect.SENT, words="partly accepted"),
    "PRES": Meaning(rank=25, effect=Effect.SENT, words="presented to the beneficiary"),
    "ACCP": Meaning(rank=30, effect=Effect.SENT, words="accepted after customer checks"),
    "ACFC": Meaning(rank=35, effect=Effect.SENT, words="accepted, funds checked"),
    "ACWC": Meaning(rank=35, effect=Effect.SENT, words="accepted with a change by the bank"),
    "ACWP": Meaning(rank=38, effect=Effect.SENT, words="accepted, not yet posted"),
    "ACSP": Meaning(rank=40, effect=Effect.SENT, words="settlement in process"),
    "BLCK": Meaning(rank=45, effect=Effect.SENT, words="blocked on its way, held by a bank"),
    "ACSC": Meaning(rank=DEBITED_RANK, effect=Effect.CONFIRM, words="debited and settled"),
    "ACCC": Meaning(rank=60, effect=Effect.CONFIRM, words="credited to the receiving account"),
    "CANC": Meaning(rank=FAILED_RANK, effect=Effect.FAIL, words="cancelled at the bank"),
    "RJCT": Meaning(rank=FAILED_RANK, effect=Effect.FAIL, words="rejected by the bank"),
}
CONFIRMING: Final = tuple(
    code for code, meaning in MEANINGS.items() if meaning.effect is Effect.CONFIRM
)
FAILING: Final = tuple(code for code, meaning in MEANINGS.items() if meaning.effect is Effect.FAIL)
# On its way, in the words of the trackers of correspondent banks (gpi, universal confirmations).
TRACKER_REASONS: Final = {
    "G000": "passed on to the next bank, which reports on it",
    "G001": "passed on to a bank that does not report",
    "G002": "not credited the same day",
    "G003": "waits for documents of the receiver",
    "G004": "waits for money from the bank before",
    "G005": "with the receiver's bank, which reports on it",
    "G006": "with the receiver's bank, which does not report",
    "G007": "left over a cover payment",
    "G008": "held for a check of the order",
    "G009": "held for a check of the rules",
}
REASONS: Final = {
    **TRACKER_REASONS,
    "AC01": "the account number is wrong",
    "AC03": "the creditor's account number is wrong",
    "AC04": "the account is closed",
    "AC06": "the account is blocked",
    "AG01": "this account does not allow such transactions",
    "AG02": "the bank transaction code is wrong",
    "AM01": "the amount is zero",
    "AM02": "the amount is not allowed",
    "AM04": "there is not enough money on the account",
    "AM05": "the bank takes it for a duplicate",
    "AM09": "the amount is wrong",
    "BE04": "the creditor's address is missing or wrong",
    "CUST": "the payer asked for it",
    "DT01": "the date is wrong",
    "DUPL": "it is a duplicate",
    "FF01": "the file's format is wrong",
    "FOCR": "it follows a recall",
    "MD07": "the account's owner has died",
    "MS02": "the customer refused without a reason",
    "MS03": "the bank gives no reason",
    "NARR": "see the bank's own words",
    "RC01": "the bank's identifier is wrong",
    "RR04": "a rule of the regulator",
    "TM01": "it came after the cut-off",
}


class Outcome(StrEnum):
    """Where a transfer stands once the bank's answers are taken together."""

    OPEN = "open"
    CONFIRMED = "confirmed"
    SETTLED = "settled"
    FAILED = "failed"
    RETURNED = "returned"


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """One thing a bank said about the present attempt."""

    status: str
    reason: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Everything known about a transfer; a set, without order and without repetition.

    `done_before`: a bank says that an earlier attempt was executed. `refused_by_line`: the line
    said that the bank certainly does not have it.
    """

    heard: frozenset[Heard] = frozenset()
    is_debited: bool = False
    is_credited: bool = False
    came_back: bool = False
    pays_somebody_else: bool = False
    done_before: bool = False
    refused_by_line: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What a person must look into; `key` names it for ever."""

    key: str
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """The outcome, the bank's strongest word with its reason, and what a person must look into."""

    outcome: Outcome
    status: str
    reason: str
    rank: int
    questions: tuple[Question, ...] = ()


def meaning_of(status: str) -> Meaning:
    """Return what a status says by itself; one that we do not know is a question."""
    unknown = Meaning(rank=0, effect=Effect.QUESTION, words="a status we do not know")
    return MEANINGS.get(status, unknown)


def reason_in_words(code: str) -> str:
    """Return a reason code in words; empty for one that we do not know."""
    return REASONS.get(code, "")


def standing(facts: Facts) -> Standing:
    """Return what the facts amount to.

    Booked money and a bank's word that it is done outweigh a rejection: what may have moved is
    never taken for free, and the contradiction goes to a person.
    """
    strongest = _strongest(facts)
    rank = meaning_of(strongest.status).rank
    if facts.is_debited or facts.is_credited:
        rank = max(rank, DEBITED_RANK)
    return Standing(
        outcome=_outcome(facts),
        status=strongest.status,
        reason=strongest.reason,
        rank=rank,
        questions=tuple(_questions(facts)),
    )


def _strongest(facts: Facts) -> Heard:
    known = [one for one in facts.heard if one.status in MEANINGS]
    return max(
        known,
        key=lambda one: (MEANINGS[one.status].rank, one.status, one.reason),
        default=Heard(status=""),
    )


def _said(facts: Facts, codes: tuple[str, ...]) -> bool:
    return any(one.status in codes for one in facts.heard)


def _is_done(facts: Facts) -> bool:
    return facts.is_debited or facts.is_credited or _said(facts, CONFIRMING)


def _outcome(facts: Facts) -> Outcome:
    if facts.is_debited and facts.came_back:
        return Outcome.RETURNED
    if _is_done(facts):
        confirmed = _said(facts, CONFIRMING) if facts.pays_somebody_else else facts.is_credited
        return Outcome.SETTLED if facts.is_debited and confirmed else Outcome.CONFIRMED
    if _said(facts, FAILING) or facts.refused_by_line:
        return Outcome.FAILED
    return Outcome.OPEN


def _questions(facts: Facts) -> list[Question]:
    found = [
        Question(key=f"status:{code}", words=f"{code} is a status we do not know")
        for code in sorted({one.status for one in facts.heard} - MEANINGS.keys())
    ]
    rejected = _said(facts, FAILING) or facts.refused_by_line
    came_back_whole = facts.is_debited and facts.came_back
    if rejected and _is_done(facts) and not came_back_whole:
        words = (
            "it was rejected, and it was executed: the money may have moved, so it stays reserved"
            " and is not sent again"
        )
        found.append(Question(key="contradiction", words=words))
    elif facts.refused_by_line and facts.heard and not _said(facts, FAILING):
        words = "it was taken for refused on the line, and the bank reports on it"
        found.append(Question(key="contradiction", words=words))
    if facts.came_back and not facts.is_debited:
        words = "money came back, and its debit was never seen"
        found.append(Question(key="return", words=words))
    if came_back_whole and facts.is_credited:
        words = "the money came back, and our other account was credited as well"
        found.append(Question(key="return-and-credit", words=words))
    if facts.done_before:
        words = "an earlier attempt was executed after all: it may have been paid twice"
        found.append(Question(key="earlier-attempt", words=words))
    return found
