"""The table of security requirements is whole, and every proof that it names exists."""

import ast
import csv
import re
from collections import Counter
from functools import cache
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[1]
TABLE: Final = ROOT / "docs/security/asvs.csv"
STATUSES: Final = {"met", "partly", "not met", "not applicable", "deployment"}
# OWASP ASVS 5.0.0: requirements of levels 1 and 2 by chapter, with those of level 3 we hold too.
COUNTS: Final = {
    1: 28, 2: 12, 3: 19, 4: 10, 5: 9, 6: 35, 7: 19, 8: 8, 9: 7, 10: 29, 11: 14, 12: 9, 13: 13,
    14: 9, 15: 16, 16: 16, 17: 7,
}  # fmt: skip
FROM_LEVEL_THREE: Final = {"1.2.10", "2.3.5", "7.5.3", "8.3.2", "15.4.1", "15.4.2", "15.4.3"}
SUBJECT_WORDS_MAX: Final = 10
PAGES: Final = (
    "SECURITY.md",
    "docs/runbooks.md",
    "docs/security/access-matrix.md",
    "docs/security/data.md",
    "docs/security/rules.md",
    "docs/security/threat-model.md",
)


@cache
def rows() -> tuple[dict[str, str], ...]:
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(csv.DictReader(file))


def _number(row: dict[str, str]) -> str:
    return row["requirement"].removeprefix("v5.0.0-")


@cache
def functions_of(path: Path) -> frozenset[str]:
    """Return the names of the functions in a file."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    kinds = (ast.FunctionDef, ast.AsyncFunctionDef)
    return frozenset(node.name for node in ast.walk(tree) if isinstance(node, kinds))


@cache
def anchors_of(path: Path) -> frozenset[str]:
    """Return the anchors that the headings of a page make."""
    text = re.sub(r"<!--.*?-->", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    titles = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return frozenset(re.sub(r"[^\w -]", "", title.lower()).replace(" ", "-") for title in titles)


def missing(evidence: str) -> str:
    """Return why a proof does not exist; empty when it does."""
    name, _, test = evidence.partition("::")
    name, _, anchor = name.partition("#")
    path = ROOT / name
    if not path.is_file():
        return f"{evidence}: there is no such file"
    if test and test not in functions_of(path):
        return f"{evidence}: there is no such test"
    if anchor and anchor not in anchors_of(path):
        return f"{evidence}: there is no such heading"
    return ""


def test_every_requirement_stands_there_once() -> None:
    numbers = [_number(row) for row in rows()]
    assert [row["requirement"] for row in rows() if not row["requirement"].startswith("v")] == []
    assert [number for number, count in Counter(numbers).items() if count > 1] == []
    assert Counter(int(number.split(".")[0]) for number in numbers) == COUNTS
    levels = {_number(row) for row in rows() if row["level"] == "3"}
    assert levels == FROM_LEVEL_THREE
    assert {row["level"] for row in rows()} == {"1", "2", "3"}


def test_every_line_is_complete() -> None:
    wrong = [
        row["requirement"]
        for row in rows()
        if row["status"] not in STATUSES
        or not row["subject"]
        or len(row["subject"].split()) > SUBJECT_WORDS_MAX
        or (row["status"] != "met" and not row["words"])
        or (row["status"] in ("met", "partly") and not row["evidence"])
    ]
    assert wrong == []


def test_every_proof_exists() -> None:
    named = [one for row in rows() for one in row["evidence"].split(" ; ") if one]
    assert len(named) > len(rows())
    assert [why for evidence in named if (why := missing(evidence))] == []


@pytest.mark.parametrize(
    "invented",
    [
        "tests/nowhere.py",
        "tests/test_tidy.py::test_that_nobody_wrote",
        "docs/runbooks.md#no-such-heading",
    ],
)
def test_an_invented_proof_would_be_named(invented: str) -> None:
    """The negative control of the test above."""
    assert missing(invented)
    assert not missing("tests/test_tidy.py::test_functions_are_short")


@cache
def _all_tests() -> frozenset[str]:
    return frozenset().union(*(functions_of(path) for path in (ROOT / "tests").rglob("*.py")))


@pytest.mark.parametrize("page", PAGES)
def test_what_the_pages_name_exists(page: str) -> None:
    """Tests, files and headings that the security pages and runbooks speak of."""
    path = ROOT / page
    text = path.read_text(encoding="utf-8")
    tests = set(re.findall(r"`(?:[\w/.]+::)?(test_\w+)`", text))
    assert tests - _all_tests() == set()
    files = set(re.findall(r"`((?:[a-z_]+/)+[a-z_0-9-]+\.(?:py|md|csv))`", text))
    assert [name for name in files if not (ROOT / name).is_file()] == []
    links = re.findall(r"\]\(([^)\s]+)\)", text)
    wrong = []
    for link in links:
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        if not target.exists() or (anchor and anchor not in anchors_of(target)):
            wrong.append(link)
    assert wrong == []


def test_commands_of_the_runbooks_exist() -> None:
    text = (ROOT / "docs/runbooks.md").read_text(encoding="utf-8")
    named = set(re.findall(r"manage\.py ([a-z_]+)", text))
    ours = {path.stem for path in ROOT.glob("*/management/commands/*.py")}
    foreign = {"axes_list_attempts", "axes_reset_username", "check", "shell"}
    assert len(named) > 8
    assert named - ours - foreign == set()
