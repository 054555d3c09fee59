"""What the programs of the system are called with, and when they count as working."""

from __future__ import annotations

from pathlib import Path

import pytest

from tms.run.config import RunConfig, Secrets
from tms.run.parts import PROGRAM_NAMES, Programs
from tms.run.up import Selection, _belongs


@pytest.fixture
def programs(tmp_path: Path) -> Programs:
    home = tmp_path / "home"
    config = RunConfig.load(
        {"TMS_HOME": str(home), "TMS_ENV_FILE": "", "TMS_PORT": "9009", "TMS_WEB_WORKERS": "3"}
    )
    return Programs(config=config, secrets=Secrets.load(home, {}))


def test_every_program_serves_as_the_app_role_and_writes_its_own_log(programs: Programs) -> None:
    specs = [programs.part(name).spec() for name in PROGRAM_NAMES]

    assert {spec.env["TMS_DB_ROLE"] for spec in specs if spec.env} == {"app"}
    assert [spec.log.name for spec in specs] == [f"{name}.log" for name in PROGRAM_NAMES]
    assert all(spec.cwd == programs.config.project for spec in specs)


def test_only_the_migrations_run_as_the_owner(programs: Programs) -> None:
    part = programs.once("migrate", "manage.py", "migrate", environment={"TMS_DB_ROLE": "owner"})
    spec = part.spec()

    assert part.once
    assert spec.env is not None
    assert spec.env["TMS_DB_ROLE"] == "owner"


def test_the_web_listens_where_it_was_told(programs: Programs) -> None:
    spec = programs.part("web").spec()

    assert spec.address == "http://127.0.0.1:9009"
    assert spec.argv[spec.argv.index("--workers") + 1] == "3"
    assert not spec.ready()


def test_no_secret_stands_on_a_command_line(programs: Programs) -> None:
    words = " ".join(" ".join(programs.part(name).spec().argv) for name in PROGRAM_NAMES)

    assert programs.secrets.bank_http_secret not in words
    bank = programs.part("bank").spec()
    assert bank.env is not None
    assert bank.env["TMS_BANK_HTTP_SECRET"] == programs.secrets.bank_http_secret


def test_a_worker_is_ready_by_its_words_of_this_start_only(programs: Programs) -> None:
    log = programs.part("worker").spec().log
    log.write_text("celery@host ready.\n")
    spec = programs.part("worker").spec()

    assert not spec.ready()
    with log.open("a") as file:
        file.write("celery@host ready.\n")
    assert spec.ready()


def test_the_words_of_a_worker_are_found_after_its_log_was_emptied(programs: Programs) -> None:
    log = programs.part("beat").spec().log
    log.write_text("old " * 100)
    spec = programs.part("beat").spec()
    log.write_text("beat: Starting...")

    assert spec.ready()


def test_a_program_without_address_must_live_a_while_first(programs: Programs) -> None:
    assert not programs.part("relay").spec().ready()


@pytest.mark.parametrize(
    ("mode", "only", "runs"),
    [("local", "", True), ("production", "", False), ("production", "bank", True)],
)
def test_the_sandbox_bank_stays_out_of_production(mode: str, only: str, runs: bool) -> None:
    config = RunConfig.load({"TMS_ENV_FILE": "", "TMS_MODE": mode})
    parts = Selection(only=frozenset(only.split()))

    assert _belongs("bank", config, parts) is runs
    assert _belongs("web", config, parts)


@pytest.mark.parametrize(("topic", "runs"), [("", False), ("cash_positions", True)])
def test_the_intake_runs_where_a_topic_is_named(topic: str, runs: bool) -> None:
    config = RunConfig.load({"TMS_ENV_FILE": "", "TMS_POSITIONS_TOPIC": topic})
    assert _belongs("intake", config, Selection()) is runs
    assert _belongs("intake", config, Selection(only=frozenset({"intake"})))
