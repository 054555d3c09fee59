"""Mutated inputs, many per parser: no crash, no hang beyond 2 s, no memory beyond 200 MB.

    .venv/bin/python -m benchmarks.fuzz --count 100000 [--parser camt.053] [--seed 4]

Each parser runs in a process of its own. Memory is the process' peak less what it held after every
seed had been read once; time is processor time of one read. A case that fails is written to the
folder given by `--keep`, and can be made again from parser, seed and number.
"""

import argparse
import gc
import json
import multiprocessing
import resource
import sys
import time
import traceback
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from tests.integrations.codecs.fuzzing import case, targets

READ_SECONDS_MAX = 2.0
MEMORY_MB_MAX = 200.0
SILENCE_SECONDS_MAX = 60.0
FAILURES_MAX = 20


def resident_mb() -> float:
    """Return what the process holds now."""
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    """Return the most that the process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e6


def beat(name, count, seed, keep, pipe):
    """Read all cases of one parser and send the figures."""
    target = targets()[name]
    for data in target.seeds:
        target.read(data)
    gc.collect()
    before, readable, slowest, slowest_number = resident_mb(), 0, 0.0, -1
    failures, number = [], 0
    for number in range(count):
        data = case(target, number=number, seed=seed)
        was_read, spent, why = one(target, data)
        readable += was_read
        if spent > slowest:
            slowest, slowest_number = spent, number
        if why:
            failures.append(f"{number}: {why.splitlines()[-1]}"[:300])
            _keep(keep, name, number, data, why)
        if len(failures) >= FAILURES_MAX:
            break
        if number % 1000 == 0:
            pipe.send(("beat", number))
    grown = peak_mb() - before
    if grown > MEMORY_MB_MAX:
        failures.append(f"grew by {grown:.0f} MB")
    pipe.send(
        (
            "done",
            {
                "parser": name,
                "cases": number + 1,
                "readable": readable,
                "slowest_s": round(slowest, 3),
                "slowest_case": slowest_number,
                "grown_mb": round(grown, 1),
                "failures": failures,
            },
        )
    )


def one(target, data):
    """Read one case; return whether it was readable, the processor time, and what was wrong."""
    started, was_read, why = time.process_time(), False, ""
    try:
        was_read = target.read(data)
    except BaseException:  # noqa: BLE001 - whatever it is, it is a finding
        why = traceback.format_exc()
    spent = time.process_time() - started
    if spent > READ_SECONDS_MAX:
        why = f"took {spent:.2f} s of processor time"
    return was_read, spent, why


def _keep(folder, name, number, data, why):
    if folder is not None:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}-{number}.bin").write_bytes(data)
        (folder / f"{name}-{number}.txt").write_text(why)


def watched(name, count, seed, keep):
    """Run one parser in a child; a child that falls silent counts as hanging."""
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    child = context.Process(target=beat, args=(name, count, seed, keep, theirs))
    child.start()
    theirs.close()
    last = 0
    try:
        while ours.poll(SILENCE_SECONDS_MAX):
            kind, said = ours.recv()
            if kind == "done":
                return said
            last = said
        why = f"silent for {SILENCE_SECONDS_MAX} s"
    except EOFError:
        why = "the process died"
    finally:
        child.kill()
        child.join()
    return {"parser": name, "cases": last, "failures": [f"{why} after case {last}"]}


def main():
    """Read the command line, run, print one line of JSON per parser."""
    options = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    options.add_argument("--count", type=int, default=100_000)
    options.add_argument("--parser", choices=sorted(targets()), action="append")
    options.add_argument("--seed", type=int, default=4)
    options.add_argument("--keep", type=Path)
    given = options.parse_args()
    failed = False
    for name in given.parser or targets():
        started = time.monotonic()
        found = watched(name, given.count, given.seed, given.keep)
        found["seconds"] = round(time.monotonic() - started, 1)
        failed |= bool(found["failures"])
        print(json.dumps(found), flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
