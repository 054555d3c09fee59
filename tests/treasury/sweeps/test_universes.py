"""What decisions could choose from is kept once, and what was kept otherwise still counts."""

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from hashlib import sha256
from typing import Any

import pytest
from django.db import DatabaseError, connection, transaction

from tests.treasury.movement.conftest import put_balance
from tests.treasury.sweeps.conftest import QUARTER_PAST, Sweeping, read_risk, set_policy
from tests.treasury.sweeps.test_engine_sweeps import whole_record
from tests.treasury.sweeps.test_handing_over import decide, second_account, why_handed_over
from treasury import policies as knobs
from treasury.models import SweepDecision, SweepUniverse
from treasury.selectors import sweeps as reads
from treasury.services import sweeps

D = Decimal


def decided_in_the_older_form(sweeping: Sweeping) -> SweepDecision:
    """Put the account's decision in place of one whose record is of version 1."""
    kept = sweeping.decide().decision
    record = whole_record(reads.records_inputs(kept))
    values = {one.attname: getattr(kept, one.attname) for one in SweepDecision._meta.local_fields}
    values |= {
        "id": kept.tenant_id,
        "sequence": kept.sequence + 1,
        "record": record,
        "record_sha256": sha256(record.encode()).hexdigest(),
        "facts_sha256": "0" * 64,
        "universe_sha256": "",
    }
    (older,) = SweepDecision.objects.bulk_create([SweepDecision(**values)])
    return older


def test_a_decision_of_the_version_before_is_not_made_again_on_the_same_facts(
    sweeping: Sweeping,
) -> None:
    """What its facts were digested to is another form's; its record still says what they were."""
    read_risk(sweeping.account, "11")
    set_policy(knobs.MIN_SWEEP_USD, D(2_000_000))
    older = decided_in_the_older_form(sweeping)
    assert why_handed_over(decide(sweeping)) == ["OLDER_RECORD"]
    sweeps.decide_arrived(accounts=[sweeping.account.pk])
    assert SweepDecision.objects.order_by("sequence").last() == older
    assert sweeps.replay_decision(decision_id=older.pk).is_identical
    # The negative control: other facts are decided anew, in the form of now.
    put_balance(sweeping.account, "900000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    sweeps.decide_arrived(accounts=[sweeping.account.pk])
    newest = SweepDecision.objects.order_by("sequence").last()
    assert newest is not None
    assert (newest.sequence, newest.universe_sha256 != "") == (older.sequence + 1, True)


def test_what_could_be_chosen_from_is_kept_once(sweeping: Sweeping) -> None:
    other = second_account(sweeping)
    decide(sweeping, other.pk)
    put_balance(sweeping.account, "1200000.00", at=QUARTER_PAST + timedelta(microseconds=2))
    sweeping.decide()
    assert SweepDecision.objects.count() == 3
    universe = SweepUniverse.objects.get()
    assert {one.universe_sha256 for one in SweepDecision.objects.all()} == {universe.sha256}


def _names_another(values: dict[str, Any]) -> None:
    values["universe_sha256"] = "0" * 64


def _names_none(values: dict[str, Any]) -> None:
    values["universe_sha256"] = ""


def _names_what_is_not_kept(values: dict[str, Any]) -> None:
    record = values["record"].replace(values["universe_sha256"], "0" * 64)
    values |= {
        "record": record,
        "record_sha256": sha256(record.encode()).hexdigest(),
        "universe_sha256": "0" * 64,
    }


@pytest.mark.parametrize(
    ("forge", "words"),
    [
        (_names_another, "what its record says"),
        (_names_none, "what its record says"),
        (_names_what_is_not_kept, "names products that are kept"),
    ],
)
def test_a_decision_names_what_is_kept(
    sweeping: Sweeping, forge: Callable[[dict[str, Any]], None], words: str
) -> None:
    kept = sweeping.decide().decision
    values = {one.attname: getattr(kept, one.attname) for one in SweepDecision._meta.local_fields}
    values |= {"id": kept.tenant_id, "sequence": 2}
    forge(values)
    with pytest.raises(DatabaseError, match=words), transaction.atomic():
        SweepDecision.objects.bulk_create([SweepDecision(**values)])


@pytest.mark.parametrize(
    "attack",
    [
        "UPDATE treasury_sweepuniverse SET content = content || ' '",
        "DELETE FROM treasury_sweepuniverse",
        """INSERT INTO treasury_sweepuniverse (id, tenant_id, sha256, content)
           SELECT gen_random_uuid(), tenant_id, repeat('0', 64), content
             FROM treasury_sweepuniverse""",
    ],
)
def test_a_universe_never_changes_and_is_its_digest(sweeping: Sweeping, attack: str) -> None:
    sweeping.decide()
    with (
        pytest.raises(DatabaseError, match=r"append-only|permission denied|named by its digest"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(attack)
