"""House rules as tests: what a reviewer would otherwise have to say again and again."""

import ast
import re
import subprocess
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Final

from django.apps import apps
from django.contrib import admin
from django_fsm import FSMField

ROOT: Final = Path(__file__).parents[1]
PACKAGES: Final = (
    "core", "calendars", "approvals", "integrations", "treasury", "fx", "liquidity", "risk",
    "tms", "tests", "benchmarks", "bin",
)  # fmt: skip
ROOMS: Final = (
    "core", "calendars", "approvals", "integrations", "treasury", "fx", "liquidity", "risk",
)  # fmt: skip
FUNCTION_LINES_MAX: Final = 60
MODULE_LINES_MAX: Final = 600
# Numerical and tabular code that reads better in one piece, each with the reason.
LONG_FUNCTIONS: Final[dict[str, str]] = {}
LONG_MODULES: Final[dict[str, str]] = {}
# Bulk changes of a state beside the state machine, each with the reason.
BULK_STATES: Final = {
    "core/events/drain.py": "deliveries are a queue, not a state machine; each row is fenced",
    "treasury/services/flows.py": "an expected flow has no machine: its state follows the entries",
}
# Models without a page in the admin, each with the reason.
NO_ADMIN: Final = {
    "approvals.DecisionList": "shown with the decisions that it serves",
    "core.ChangeDraft": "notes of a draft; they are rolled back, never committed",
    "core.AuditPending": "queue of the sealer; empty within seconds",
    "core.StepUp": "shown with the decision or change that it serves",
    "core.Passkey": "shown to its owner on the page of their security",
    "core.AuditVerification": "shown on the desk's audit page",
    "core.PersonalText": "names behind digests of the trail; shown with its entries",
    "core.AuditLink": "shown with the entries on the desk's audit page",
    "calendars.RailWindow": "edited as part of its rail",
    "integrations.LineState": "shown on the connectivity page",
    "integrations.LineSample": "shown as pictures on the connectivity page",
    "treasury.LateFeed": "shown on the page of the daily proof and as an alert",
    "treasury.DailyBalance": "derived by the database; shown as the position",
    "treasury.NewestBalance": "derived by the database; shown as the position",
    "treasury.DayMovement": "derived by the database; shown as the position",
    "treasury.StatementBalance": "shown with its statement",
    "treasury.EntryObservation": "shown with its statement",
    "treasury.EntryPart": "shown with its entry on the desk",
    "treasury.TransferStatus": "shown with its transfer",
    "treasury.ReferenceCounter": "the next number; nothing to look at",
    "treasury.SuppressedShortfall": "shown with its prefunding",
    "treasury.UploadedProposal": "shown with its upload",
    "treasury.SweepUniverse": "shown with the decisions that name it",
    "liquidity.ForecastLine": "shown with its forecast",
    "risk.Backtest": "shown with its reading",
}


def _python_files(*packages: str) -> Iterator[Path]:
    for package in packages or PACKAGES:
        for path in sorted((ROOT / package).rglob("*.py")):
            if "migrations" not in path.parts and "__pycache__" not in path.parts:
                yield path


def _name(path: Path) -> str:
    return path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name


@cache
@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def _functions(path: Path) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def _length(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    return (node.end_lineno or node.lineno) - node.lineno + 1


def test_functions_are_short() -> None:
    long = {
        f"{_name(path)}:{node.name}"
        for path in _python_files()
        for node in _functions(path)
        if _length(node) > FUNCTION_LINES_MAX
    }
    assert long == set(LONG_FUNCTIONS)


def test_modules_are_short() -> None:
    long = {
        _name(path)
        for path in _python_files()
        if len(path.read_text(encoding="utf-8").splitlines()) > MODULE_LINES_MAX
    }
    assert long == set(LONG_MODULES)


def test_no_drawer_for_odds_and_ends() -> None:
    drawers = {"utils.py", "helpers.py", "common.py", "misc.py", "manager.py"}
    assert [_name(path) for path in _python_files() if path.name in drawers] == []


def _public_services(path: Path) -> Iterator[ast.FunctionDef]:
    for node in _tree(path).body:
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            yield node


def _service_files() -> list[Path]:
    return [
        path
        for path in _python_files(*ROOMS)
        if path.name == "services.py" or path.parent.name == "services"
    ]


def _raises(node: ast.FunctionDef) -> bool:
    return any(isinstance(inner, ast.Raise) for inner in ast.walk(node))


# Services that read positionally like a question, each with the reason.
POSITIONAL: Final = {
    "calendars/services/authority.py:require_other_person": "actor, then whom it is held against",
    "integrations/services/queueing.py:file_name": "a name from its two parts; writes nothing",
    "liquidity/services/planning.py:amount_problem": "a pure question about an amount",
    "liquidity/services/publishing.py:reference_of": "a pure name of pattern and occurrence",
    "treasury/services/matching.py:match_by_amount": "a pure question: flows, then entries",
    "treasury/services/matching.py:match_by_parts": "a pure question: flows, then entries",
    "treasury/services/matching.py:match_by_reference": "a pure question: flows, then entries",
    "treasury/services/rows.py:update": "rows, then the fields of them",
}


def test_services_are_keyword_only_and_documented() -> None:
    """A helper that one service module lends another may take one subject positionally."""
    files = _service_files()
    assert len(files) > 15
    wrong = []
    for path in files:
        for node in _public_services(path):
            name = f"{_name(path)}:{node.name}"
            positional = len(node.args.args) + len(node.args.posonlyargs)
            if positional > 1 and name not in POSITIONAL:
                wrong.append(f"{name} takes {positional} positional arguments")
            if not ast.get_docstring(node):
                wrong.append(f"{name} has no docstring")
            elif _raises(node) and "Raises:" not in (ast.get_docstring(node) or ""):
                wrong.append(f"{name} raises and does not say what")
    assert wrong == []


def _fsm_fields() -> set[str]:
    return {
        field.name
        for model in apps.get_models()
        for field in model._meta.local_fields
        if isinstance(field, FSMField)
    }


def _bulk_state_changes(path: Path, states: set[str]) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        names = {keyword.arg for keyword in node.keywords}
        if node.func.attr == "update" and names & states:
            named = ", ".join(sorted(str(name) for name in names & states))
            yield f"{_name(path)}:{node.lineno} update({named}=…)"
        if node.func.attr == "bulk_update" and any(
            isinstance(inner, ast.Constant) and inner.value in states for inner in ast.walk(node)
        ):
            yield f"{_name(path)}:{node.lineno} bulk_update"


def test_no_state_is_changed_behind_its_machine() -> None:
    """`update()` and `bulk_update()` pass a protected field by; the machine never hears of it."""
    states = _fsm_fields()
    assert states
    found = [
        change
        for path in _python_files(*ROOMS, "tms")
        if _name(path) not in BULK_STATES
        for change in _bulk_state_changes(path, states)
    ]
    assert found == []


def test_a_bulk_change_of_a_state_would_be_found(tmp_path: Path) -> None:
    """The negative control of the test above."""
    planted = tmp_path / "planted.py"
    planted.write_text("a.update(state='SENT')\nb.bulk_update(rows, ['state'])\n")
    found = list(_bulk_state_changes(planted, {"state"}))
    assert len(found) == 2


def test_every_model_has_an_admin_or_a_reason() -> None:
    ours = {
        model._meta.label
        for model in apps.get_models()
        if model._meta.app_label in ROOMS and not hasattr(model, "history_type")
    }
    shown = {model._meta.label for model in admin.site._registry}
    assert ours - shown - set(NO_ADMIN) == set()
    assert set(NO_ADMIN) - ours == set()


UNFINISHED: Final = re.compile(
    r"\b(?:TO" + r"DO|FIX" + r"ME|HA" + r"CK)\b|Not" + r"ImplementedError"
)
SKIPPED: Final = re.compile(r"pytest\.mark\.(?:sk" + r"ip|xf" + r"ail)|pytest\.sk" + r"ip\(")


# Tests over files that are no part of the repository: without the files there is nothing to ask.
NEED_FOREIGN_FILES: Final = {
    "tests/calendars/test_library.py",
    "tests/integrations/codecs/test_interbank.py",
    "tests/integrations/codecs/test_order_corpus.py",
    "tests/integrations/codecs/test_real_files.py",
    "tests/integrations/codecs/test_witnessed_mt940.py",
    "tests/liquidity/test_engine_pattern.py",
    "tests/risk/test_engine_tails.py",
    "tests/treasury/bank/test_real_files.py",
}


def _holding(pattern: re.Pattern[str]) -> set[str]:
    return {
        _name(path) for path in _python_files() if pattern.search(path.read_text(encoding="utf-8"))
    }


def test_nothing_is_left_for_later() -> None:
    assert _holding(UNFINISHED) == set()


def test_no_test_is_skipped_but_for_files_from_outside() -> None:
    assert _holding(SKIPPED) == NEED_FOREIGN_FILES


IMPURE: Final = (
    "django", "rest_framework", "celery", "channels", "redis", "httpx", "requests", "socket", "os",
    "time", "psycopg", "structlog", "subprocess",
)  # fmt: skip


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(_tree(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield node.module or ""


def test_engines_know_nothing_but_their_arguments() -> None:
    engines = [path for path in _python_files(*ROOMS) if "engine" in path.parts]
    assert len(engines) > 8
    impure = [
        f"{_name(path)} imports {name}"
        for path in engines
        for name in _imports(path)
        if name.split(".")[0] in IMPURE
    ]
    assert impure == []
    for free in ("core/money.py", "core/errors.py"):
        assert not [name for name in _imports(ROOT / free) if name.startswith("django")]


CLOCKS: Final = {"now", "utcnow", "today"}
# The one reader of the system clock, and the processes that live without Django.
CLOCK_READERS: Final = ("core/clock.py", "integrations/sandbox_bank/", "tms/run/", "benchmarks/")


def _clock_calls(path: Path) -> Iterator[int]:
    for node in ast.walk(_tree(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr in CLOCKS
            and isinstance(node.func.value, ast.Name | ast.Attribute)
        ):
            value = node.func.value
            owner = value.attr if isinstance(value, ast.Attribute) else value.id
            if owner in ("datetime", "date", "timezone"):
                yield node.lineno


def test_only_the_clock_reads_the_clock() -> None:
    found = [
        f"{_name(path)}:{line}"
        for path in _python_files(*ROOMS, "tms")
        if not _name(path).startswith(CLOCK_READERS)
        for line in _clock_calls(path)
    ]
    assert found == []


# Built in pieces, so that this file does not find itself.
PRIVATE: Final = re.compile(
    "|".join(
        [
            r"/ro" + r"ot/", r"/ho" + r"me/[a-z]", r"/wo" + r"rk/", r"/Us" + r"ers/",
            r"pypi\.org/sim" + r"ple", r"https?://[^\s\"']*(?:artifactory|nexus|devpi|proxy)[^\s\"']*",
            r"index-" + r"url", r"extra-" + r"index",
        ]
    )
)  # fmt: skip
BINARY: Final = {".png", ".ico", ".woff2", ".jpg", ".gz", ".zip"}
# Places that speak about such addresses, each with the reason.
PRIVATE_ALLOWED: Final = {"bin/environment.py": "asks pip for its setting, names no address"}


@cache
def tracked_files() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=False, timeout=30
    )
    names = listed.stdout.decode().split("\0") if listed.returncode == 0 else []
    return [ROOT / name for name in names if name and (ROOT / name).is_file()] or [*_python_files()]


def test_no_machine_and_no_registry_is_named_in_a_tracked_file() -> None:
    named = []
    for path in tracked_files():
        if path.suffix in BINARY or "vendor" in path.parts or _name(path) in PRIVATE_ALLOWED:
            continue
        text = path.read_text(encoding="utf-8", errors="replace")
        named += [f"{_name(path)}: {found}" for found in set(PRIVATE.findall(text))]
    assert named == []


def test_the_types_are_checked_as_they_are_meant() -> None:
    """Below 3.12 mypy would type every state machine as Any and say nothing."""
    settings = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    version = settings["tool"]["mypy"]["python_version"].split(".")
    assert tuple(map(int, version)) >= (3, 12)
    assert settings["tool"]["mypy"]["strict"] is True
    assert (ROOT / "tests/promises/typed_machines.py").is_file()
