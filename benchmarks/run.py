"""Run the benchmarks on servers of their own: `make bench ARGS="--quick --only parsing"`.

Peers, limits and our own code take turns in one process; only their ratios mean anything.
"""

import argparse
import importlib
import json
import os
import sys
from collections.abc import Sequence
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import Report, as_json, as_text, machine  # noqa: E402

NAMES = (
    "parsing", "ingesting", "positions", "pages", "movement", "decisions", "audit", "var",
    "sweeping", "sweep_latency", "fx_valuation",
)  # fmt: skip
_WITHOUT_DATABASE = {"parsing", "var"}


def main(arguments: Sequence[str]) -> int:
    """Run what was asked for and print a table, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=NAMES, help="may be given repeatedly")
    parser.add_argument("--quick", action="store_true", help="small sizes: a smoke test")
    parser.add_argument("--json", action="store_true", help="print JSON instead of tables")
    wanted = parser.parse_args(arguments)
    names = wanted.only or NAMES
    facts = machine(None if _WITHOUT_DATABASE.issuperset(names) else prepare())
    if not wanted.json:
        print(", ".join(f"{name} {value}" for name, value in facts.items()), flush=True)
    reports: list[Report] = []
    for name in names:
        for report in importlib.import_module(f"benchmarks.{name}").run(quick=wanted.quick):
            reports.append(report)
            if not wanted.json:
                print(f"\n{as_text(report)}", flush=True)
    if wanted.json:
        print(json.dumps(as_json(reports, facts), indent=2))
    return 0


def prepare() -> dict[str, str]:
    """Start servers unless somebody did, make a database, and return what it runs on."""
    from tms.run.ephemeral import servers_for_tests

    servers_for_tests()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "tms.settings")
    from benchmarks import database

    return database.prepare()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
