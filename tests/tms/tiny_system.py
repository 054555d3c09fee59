"""A runner with real servers and tiny programs, for tests that kill it (home, failing)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tms.run.config import RunConfig
from tms.run.errors import StartError
from tms.run.guard import Guard
from tms.run.places import make_private
from tms.run.process import ChildSpec
from tms.run.servers import servers_of
from tms.run.supervisor import Announcer, Part, Supervisor
from tms.run.up import single_instance

PARENT_AND_CHILD = "sleep 1000 & echo child $!; echo parent $$; wait"


def main() -> int:
    config = RunConfig.load({"TMS_HOME": sys.argv[1], "TMS_ENV_FILE": ""})
    failing = "failing" in sys.argv
    with single_instance(config), Guard.started() as guard:
        log = make_private(config.home / "log") / "family.log"
        supervisor = Supervisor(
            register=config.home / "run" / "processes.json",
            guard=guard,
            announcer=Announcer(as_json=True),
        )
        family = ChildSpec(
            name="family",
            argv=(
                "/bin/sh",
                "-c",
                "echo no such luck; exit 3" if failing else PARENT_AND_CHILD,
            ),
            log=log,
            env=dict(os.environ),
            ready=lambda: not failing and "child" in log.read_text(),
        )
        servers = servers_of(config, config.secrets({"TMS_ENV_FILE": ""}), fast=True)
        with supervisor.catching_signals():
            try:
                supervisor.start([Part(name=s.name, spec=s.spec, guarded=False) for s in servers])
                supervisor.start([Part(name="family", spec=lambda: family)])
                (Path(sys.argv[1]) / "up").touch()
                supervisor.run()
            finally:
                supervisor.stop()
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except StartError as refusal:
        sys.exit(f"Cannot start: {refusal}")
