"""Mutated files of every format: a record or a reason, quickly.

`benchmarks/fuzz.py` does many more.
"""

import time

import pytest

from tests.integrations.codecs.fuzzing import case, cases, targets

COUNT = 600
READ_SECONDS_MAX = 2.0
SEED = 4


@pytest.mark.parametrize("name", targets())
def test_every_seed_is_what_its_name_says(name: str) -> None:
    target = targets()[name]
    readable = [target.read(seed) for seed in target.seeds]
    assert all(readable) or name == "pacs.002"


@pytest.mark.parametrize("name", targets())
def test_no_mutation_crashes_or_hangs_a_parser(name: str) -> None:
    target = targets()[name]
    read = 0
    for data in cases(target, count=COUNT, seed=SEED):
        started = time.process_time()
        read += target.read(data)
        assert time.process_time() - started < READ_SECONDS_MAX
    # Mutations that only ever break the file would say nothing about what comes after opening it.
    assert read > COUNT // 50 or name == "pacs.002"


def test_a_case_can_be_made_again() -> None:
    target = targets()["camt.053"]
    assert case(target, number=17, seed=SEED) == case(target, number=17, seed=SEED)
    assert case(target, number=17, seed=SEED) != case(target, number=18, seed=SEED)
