"""Where a transfer stands follows from the set of facts: neither order nor repetition matters."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from treasury.engine.statuses import (
    CONFIRMING,
    DEBITED_RANK,
    FAILED_RANK,
    FAILING,
    MEANINGS,
    TRACKER_REASONS,
    Facts,
    Heard,
    Outcome,
    meaning_of,
    reason_in_words,
    standing,
)

WORDS = st.builds(
    Heard, status=st.sampled_from([*MEANINGS, "XXXX"]), reason=st.sampled_from(["", "AC04", "G002"])
)
FACTS = st.builds(
    Facts,
    heard=st.frozensets(WORDS, max_size=6),
    is_debited=st.booleans(),
    is_credited=st.booleans(),
    came_back=st.booleans(),
    pays_somebody_else=st.booleans(),
    done_before=st.booleans(),
    refused_by_line=st.booleans(),
)


def heard(*codes: str, **more: bool) -> Facts:
    return Facts(heard=frozenset(Heard(status=code) for code in codes), **more)


def keys(facts: Facts) -> list[str]:
    return [question.key for question in standing(facts).questions]


@pytest.mark.parametrize(
    ("facts", "outcome", "status"),
    [
        (heard(), Outcome.OPEN, ""),
        (heard("RCVD", "ACTC", "ACSP"), Outcome.OPEN, "ACSP"),
        (heard("ACSC", "ACTC"), Outcome.CONFIRMED, "ACSC"),
        (heard("RJCT", "ACTC"), Outcome.FAILED, "RJCT"),
        (heard("CANC", "RJCT"), Outcome.FAILED, "RJCT"),
        (heard(is_debited=True), Outcome.CONFIRMED, ""),
        (heard(is_debited=True, is_credited=True), Outcome.SETTLED, ""),
        (heard("ACCC", is_debited=True), Outcome.CONFIRMED, "ACCC"),
        (heard("ACCC", is_debited=True, pays_somebody_else=True), Outcome.SETTLED, "ACCC"),
        (heard("ACSC", is_debited=True, came_back=True), Outcome.RETURNED, "ACSC"),
        (heard(refused_by_line=True), Outcome.FAILED, ""),
    ],
)
def test_outcomes(facts: Facts, outcome: Outcome, status: str) -> None:
    found = standing(facts)
    assert (found.outcome, found.status, found.questions) == (outcome, status, ())


@pytest.mark.parametrize("done", [heard("RJCT", "ACSC"), heard("RJCT", is_debited=True)])
def test_what_may_have_moved_is_never_taken_for_free(done: Facts) -> None:
    found = standing(done)
    assert found.outcome is Outcome.CONFIRMED
    assert found.rank == FAILED_RANK
    assert keys(done) == ["contradiction"]


def test_a_rejection_is_no_contradiction_once_the_money_is_back() -> None:
    assert keys(heard("RJCT", is_debited=True, came_back=True)) == []


def test_money_back_without_its_debit_is_a_question_until_the_debit_is_seen() -> None:
    assert keys(heard(came_back=True)) == ["return"]
    assert keys(heard(came_back=True, is_debited=True)) == []


def test_money_back_and_arrived_is_a_question() -> None:
    assert keys(heard(came_back=True, is_debited=True, is_credited=True)) == ["return-and-credit"]


def test_a_line_that_said_no_and_a_bank_that_reports_is_a_question() -> None:
    facts = heard("ACSP", refused_by_line=True)
    assert standing(facts).outcome is Outcome.FAILED
    assert keys(facts) == ["contradiction"]


def test_an_earlier_attempt_that_was_executed_is_a_question() -> None:
    assert keys(heard("ACTC", done_before=True)) == ["earlier-attempt"]


def test_an_unknown_status_never_acts() -> None:
    facts = heard("XXXX")
    assert (standing(facts).outcome, standing(facts).rank) == (Outcome.OPEN, 0)
    assert keys(facts) == ["status:XXXX"]
    assert meaning_of("XXXX").words == "a status we do not know"


@given(FACTS, WORDS)
def test_ranks_never_regress(facts: Facts, more: Heard) -> None:
    from dataclasses import replace

    after = replace(facts, heard=facts.heard | {more})
    assert standing(after).rank >= standing(facts).rank


@given(FACTS)
def test_done_money_is_never_called_failed(facts: Facts) -> None:
    done = facts.is_debited or any(one.status in CONFIRMING for one in facts.heard)
    if done:
        assert standing(facts).outcome is not Outcome.FAILED
    if facts.is_debited:
        assert standing(facts).rank >= DEBITED_RANK


def test_every_reason_of_a_tracker_has_words() -> None:
    assert all(reason_in_words(code) for code in TRACKER_REASONS)
    assert reason_in_words("ZZ99") == ""
    assert set(FAILING) == {"RJCT", "CANC"}
