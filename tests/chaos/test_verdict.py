"""The judge of the kills judged: clean books pass, and every way to lose or double is found."""

import io
import random
import sys
import threading
from collections import Counter
from collections.abc import Callable
from typing import Final

import pytest

from tests.chaos.files import WRITERS, in_files
from tests.chaos.load import Journal, wishes
from tests.chaos.progress import Reporter
from tests.chaos.seed import DESKS, NUMBERS
from tests.chaos.verdict import Books, in_books
from treasury.uploads.orders import read_pain001
from treasury.uploads.records import Row
from treasury.uploads.sheets import read_csv, read_xlsx

READERS: Final[dict[str, Callable[[bytes], list[Row]]]] = {
    "csv": read_csv,
    "xlsx": read_xlsx,
    "xml": read_pain001,
}
# A single payment that was executed, one of a file that was too, and one that the bank refused.
SINGLE: Final = ("FMP-000001", "CONFIRMED", "Wish load-1", "")
FILED: Final = ("FMP-000002", "SETTLED", "Wish load-2", "")
REFUSED: Final = ("FMP-000003", "FAILED", "Wish load-3", "AC04")


def clean() -> tuple[Books, Journal]:
    """Return three payments as they should end, and what the clients were told of them."""
    books = Books(
        proposals={"one": SINGLE, "two": FILED, "three": REFUSED},
        executed={"FMP-000001": 1, "FMP-000002": 1},
        keys={"load-1": "one"},
        orders=Counter({"FMP-000001": 1, "FMP-000002": 1, "FMP-000003": 1}),
        balances=[],
    )
    journal = Journal(
        acknowledged={"load-1": "one"}, taken_in_files={"Wish load-2": "payments-0.csv"}
    )
    return books, journal


def _stuck(books: Books) -> None:
    books.proposals["two"] = ("FMP-000002", "SENT", "Wish load-2", "")


DAMAGES: Final[dict[str, tuple[Callable[[Books], object], str]]] = {
    "a single payment is gone": (
        lambda books: books.proposals.pop("one"),
        "acknowledged one is not in the database",
    ),
    "a row of a file is gone": (
        lambda books: books.proposals.pop("two"),
        "Wish load-2, submitted in payments-0.csv, is not in the database",
    ),
    "another answer is stored": (
        lambda books: books.keys.update({"load-1": "two"}),
        "load-1 was answered with one, stored is two",
    ),
    "a row was proposed twice": (
        lambda books: books.proposals.update(four=("FMP-000004", "FAILED", "Wish load-2", "")),
        "Wish load-2 exists 2 times",
    ),
    "the bank executed twice": (
        lambda books: books.executed.update({"FMP-000001": 2}),
        "FMP-000001 executed 2 times",
    ),
    "two orders live": (
        lambda books: books.orders.update({"FMP-000002": 1}),
        "FMP-000002 has 2 live orders",
    ),
    "we believe, the bank did not": (
        lambda books: books.executed.pop("FMP-000002"),
        "FMP-000002 is SETTLED, the bank did not execute it",
    ),
    "the bank did, we gave up": (
        lambda books: books.executed.update({"FMP-000003": 1}),
        "FMP-000003 is FAILED, the bank executed it",
    ),
    "a payment is stuck": (_stuck, "FMP-000002 is stuck in SENT"),
    "the bank knows more": (
        lambda books: books.executed.update({"FMP-000009": 1}),
        "the bank executed FMP-000009, unknown here",
    ),
}


def test_clean_books_have_no_fault() -> None:
    assert in_books(*clean()) == []


@pytest.mark.parametrize("damage", DAMAGES)
def test_every_way_to_lose_or_double_is_found_by_name(damage: str) -> None:
    books, journal = clean()
    do, words = DAMAGES[damage]

    do(books)

    assert words in in_books(books, journal)


def test_every_format_says_the_same_payments_and_all_come_in_some_file() -> None:
    payments = wishes(count=30, desks=DESKS, rng=random.Random(1))
    files = in_files(payments, rows=(10, 5), prefix="payments")

    assert [len(file.whys) for file in files] == [10, 5, 10, 5]
    assert {file.name.rpartition(".")[2] for file in files} == set(WRITERS)
    assert Counter(why for file in files for why in file.whys) == Counter(
        one.why for one in payments
    )
    wanted = {(NUMBERS[p.debit], NUMBERS[p.credit], float(p.amount), p.why) for p in payments}
    read = {
        (row.from_account, row.to_account, float(row.amount), row.why)
        for file in files
        for row in READERS[file.name.rpartition(".")[2]](file.data)
    }
    assert read == wanted


def test_a_reporter_tells_until_the_end_and_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    said = io.StringIO()
    monkeypatch.setattr(sys, "__stdout__", said)
    often = threading.Event()
    asked: list[str] = []

    def line() -> str:
        asked.append("")
        if len(asked) == 3:
            often.set()
        return f"line {len(asked)}"

    with Reporter(line, every_seconds=0.01):
        assert often.wait(5)

    lines = said.getvalue().splitlines()
    assert lines[:3] == ["line 1", "line 2", "line 3"]
    assert lines[-1] == f"line {len(asked)}"
