"""A runner with the real nursery and two programs that tell what they are (home, spawning)."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tms.run import adoption
from tms.run.guard import Guard
from tms.run.places import make_private
from tms.run.process import ChildSpec
from tms.run.supervisor import Announcer, Part, Supervisor
from tms.run.warm import Nursery

# What the program finds before it imports anything: warm, it has the apps already.
PROGRAM = """
import sys
warm = "django.apps" in sys.modules
import json, os, random, signal, stat, subprocess
import numpy
own = [int(n) for n in os.listdir("/proc/self/fd")]
sockets = sum(1 for n in own if os.path.exists(f"/proc/self/fd/{n}")
              and os.readlink(f"/proc/self/fd/{n}").startswith("socket"))
facts = {
    "warm": warm, "pid": os.getpid(), "parent": os.getppid(), "session": os.getsid(0),
    "group": os.getpgid(0), "sockets": sockets, "threads": len(os.listdir("/proc/self/task")),
    "zone": os.environ.get("TZ"),
    "chance": [random.random(), float(numpy.random.random())],
    "folder": os.getcwd(), "name": os.environ["PART"], "argv": sys.argv,
    "title": open("/proc/self/cmdline").read().replace("\\0", " ").strip(),
    "deaf": [n for n in (1, 2, 3, 10, 12, 15, 17) if signal.getsignal(n) is signal.SIG_IGN],
    "blocked": len(signal.pthread_sigmask(signal.SIG_BLOCK, [])), "main": __name__,
}
facts["child"] = subprocess.Popen(["sleep", "1000"]).pid
print(json.dumps(facts), flush=True)
signal.pause()
"""


def main() -> int:
    home = Path(sys.argv[1])
    make_private(home / "run")
    logs = make_private(home / "log")
    program = home / "part.py"
    program.write_text(PROGRAM)
    environment = dict(os.environ, DJANGO_SETTINGS_MODULE="tms.settings", PYTHONUNBUFFERED="1")

    def part(name: str) -> Part:
        log = logs / f"{name}.log"

        def spec() -> ChildSpec:
            before = log.stat().st_size if log.exists() else 0
            return ChildSpec(
                name=name,
                argv=(sys.executable, str(program), "first", name),
                log=log,
                env={**environment, "PART": name},
                cwd=home,
                ready=lambda: log.stat().st_size > before,
            )

        return Part(name=name, spec=spec)

    with Guard.started() as guard, adoption.adopting() as ours_before:
        supervisor = Supervisor(
            register=home / "run" / "processes.json",
            guard=guard,
            announcer=Announcer(as_json=True),
            ours_before=ours_before,
        )
        with supervisor.catching_signals():
            try:
                if "spawning" not in sys.argv:
                    nursery = Nursery(
                        log=logs / "nursery.log",
                        environment=lambda: environment,
                        folder=Path(__file__).parents[2],
                    )
                    supervisor.use_nursery(nursery)
                    supervisor.await_nursery(seconds_max=60)
                supervisor.start([part("one"), part("two")])
                (home / "up").touch()
                supervisor.run()
            finally:
                supervisor.stop()
    return 0


if __name__ == "__main__":
    sys.exit(main())
