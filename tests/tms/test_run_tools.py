"""The ways in from a shell: make, the bootstrap, continuous integration, throw-away servers."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tms.run import forget, throwaway
from tms.run.config import PROJECT, SECRET_VARIABLES, RunConfig, Secrets
from tms.run.up import single_instance


def run(*command: str | Path, cwd: Path = PROJECT, **environment: str) -> tuple[int, str]:
    """Exit code and everything said."""
    result = subprocess.run(
        command,
        cwd=cwd,
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return result.returncode, result.stdout


# Two branches and six lines of which a report may claim to have seen some.
ROOM = """def rate(amount, high):
    if high:
        return amount * 2
    return amount


def never():
    return 0
"""


def covered_project(folder: Path, *, lines: list[int], branches: list[list[int]]) -> Path:
    """A project of one module, measured once; returns the folder of its reports."""
    (folder / "core").mkdir()
    (folder / "core" / "rates.py").write_text(ROOM)
    (folder / "pyproject.toml").write_text(
        '[tool.slipcover]\nsource = ["core"]\nomit = []\nexclude-also = []\n'
    )
    for copied in ("bin/coverage_floor", "tests/measured/measuring.py"):
        (folder / copied).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(PROJECT / copied, folder / copied)
    seen = {
        "executed_lines": lines,
        "missing_lines": [],
        "executed_branches": branches,
        "missing_branches": [],
    }
    reports = folder / "reports"
    reports.mkdir()
    (reports / "1.json").write_text(
        json.dumps(
            {
                "meta": {"software": "slipcover", "branch_coverage": True},
                "files": {"core/rates.py": seen},
            }
        )
    )
    return reports


@pytest.mark.parametrize(
    ("lines", "branches", "code"),
    [
        ([1, 2, 3, 4, 7, 8], [[2, 3], [2, 4]], 0),
        ([1, 2, 3, 4, 7], [[2, 3], [2, 4]], 1),
        ([1, 2, 3, 4, 7, 8], [[2, 3]], 1),
    ],
)
def test_the_coverage_floor_holds_lines_and_branches(
    tmp_path: Path, lines: list[int], branches: list[list[int]], code: int
) -> None:
    reports = covered_project(tmp_path, lines=lines, branches=branches)

    ended, said = run(
        *(sys.executable, tmp_path / "bin/coverage_floor", reports),
        *("--lines", "90", "--branches", "70"),
    )

    assert ended == code, said
    assert ("BELOW" in said) == bool(code)


def test_the_coverage_floor_fails_when_no_worker_reported(tmp_path: Path) -> None:
    ended, said = run(
        *(sys.executable, PROJECT / "bin/coverage_floor", tmp_path),
        *("--lines", "0", "--branches", "0"),
    )

    assert ended == 1
    assert "no coverage report" in said


def make_clone(folder: Path, recipe: str) -> Path:
    (folder / ".ci").mkdir()
    shutil.copy(PROJECT / ".ci" / "run", folder / ".ci" / "run")
    (folder / "Makefile").write_text(f"test:\n\t@{recipe}\n")
    return folder / ".ci" / "run"


def test_continuous_integration_ends_with_the_closing_line_of_pytest(tmp_path: Path) -> None:
    script = make_clone(tmp_path, "echo '=== 12 passed, 1 skipped in 3.50s ==='; echo coverage ok")

    code, said = run(script, cwd=Path("/"), MAKEFLAGS="")

    assert code == 0
    assert said.splitlines()[-1] == "=== 12 passed, 1 skipped in 3.50s ==="


@pytest.mark.parametrize(
    ("recipe", "last"),
    [
        (
            "echo '= 1 failed, 2 passed in 3.50s ='; exit 3",
            "= 1 failed, 2 passed in 3.50s =",
        ),
        ("exit 1", "pytest did not run"),
    ],
)
def test_continuous_integration_fails_when_the_tests_do(
    tmp_path: Path, recipe: str, last: str
) -> None:
    code, said = run(make_clone(tmp_path, recipe), cwd=tmp_path, MAKEFLAGS="")

    assert code != 0
    assert said.splitlines()[-1] == last


def test_make_explains_itself() -> None:
    code, said = run("make", "--no-print-directory", MAKEFLAGS="")

    assert code == 0
    assert {"run", "test", "check", "bench", "clean"} <= {
        line.split()[1] for line in said.splitlines()
    }


def test_an_old_python_is_refused_with_what_is_needed(tmp_path: Path) -> None:
    for name in ("sh", "dirname"):
        (tmp_path / name).symlink_to(str(shutil.which(name)))
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\nexit 1\n")
    old.chmod(0o755)

    code, said = run(PROJECT / "bin" / "bootstrap", "run", PATH=str(tmp_path), PYTHON=str(old))

    assert code == 1
    assert "Python 3.11 or later is needed" in said


def small_project(folder: Path) -> Path:
    """The bootstrap with an empty list of requirements: everything real but the downloads."""
    shutil.copytree(PROJECT / "bin", folder / "bin")
    (folder / "requirements").mkdir()
    (folder / "requirements.txt").touch()
    (folder / "requirements" / "dev.txt").touch()
    return folder / "bin" / "bootstrap"


def test_the_environment_is_made_once_and_again_when_requirements_change(tmp_path: Path) -> None:
    bootstrap = small_project(tmp_path)

    first, again = run(bootstrap, "dev"), run(bootstrap, "run")
    (tmp_path / "requirements.txt").write_text("# another pin\n")
    changed = run(bootstrap, "run")
    wrong = run(bootstrap, "everything")

    assert first[0] == 0
    assert "Installing" in first[1]
    assert again == (0, "")
    assert changed[0] == 0
    assert "Installing" in changed[1]
    assert wrong[0] == 2
    assert run(tmp_path / ".venv" / "bin" / "python", "-c", "")[0] == 0


def test_a_broken_environment_is_made_anew(tmp_path: Path) -> None:
    bootstrap = small_project(tmp_path)
    run(bootstrap, "run")
    python = tmp_path / ".venv" / "bin" / "python"
    python.unlink()
    python.write_text("#!/bin/sh\nexit 1\n")
    python.chmod(0o755)

    assert run(bootstrap, "run")[0] == 0
    assert run(python, "-c", "")[0] == 0


def test_every_secret_has_its_line_in_the_example() -> None:
    example = (PROJECT / ".env.example").read_text()

    assert [name for name in SECRET_VARIABLES.values() if f"\n#{name}=" not in example] == []
    assert not [line for line in example.splitlines() if line and not line.startswith("#")]


def test_a_program_runs_with_servers_of_its_own(
    tmp_path: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PYTHONPATH", str(PROJECT))
    before = os.environ.get("TMS_HOME")
    program = tmp_path / "program.py"
    program.write_text(
        "import psycopg, sys\n"
        "from tms.run.config import runtime\n"
        "known = runtime()\n"
        "with psycopg.connect(known.app.conninfo) as connection:\n"
        "    print(connection.execute('SELECT current_user').fetchone()[0], known.mode)\n"
        "print(known.home)\n"
        "sys.exit(int(sys.argv[1]))\n"
    )

    assert throwaway.main([str(program), "7"]) == 7

    words = capfd.readouterr().out.split()
    assert words[:2] == ["tms_app", "test"]
    assert not Path(words[2]).exists()
    assert os.environ.get("TMS_HOME") == before
    assert throwaway.main([]) == 2


@pytest.fixture
def installation(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> RunConfig:
    monkeypatch.setenv("TMS_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("TMS_ENV_FILE", "")
    config = RunConfig.load()
    Secrets.load(config.home, {})
    return config


def test_an_installation_is_forgotten_only_on_the_word(installation: RunConfig) -> None:
    assert forget.main(ask=lambda _: "yes") == 1
    assert (installation.home / "secrets.json").exists()

    assert forget.main(ask=lambda _: "forget") == 0
    assert not installation.home.exists()
    assert forget.main(ask=lambda _: pytest.fail("There is nothing left to ask for.")) == 0


def test_a_running_installation_is_not_forgotten(installation: RunConfig) -> None:
    with single_instance(installation):
        assert forget.main(ask=lambda _: "forget") == 1
    assert (installation.home / "secrets.json").exists()


def test_servers_that_cannot_start_are_reported_not_raised(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("TMS_DATABASE_URL", "postgresql://")

    assert throwaway.main([str(tmp_path)]) == 1
    assert "Cannot start: TMS_DATABASE_URL" in capsys.readouterr().err
