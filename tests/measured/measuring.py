"""Which lines and branches of the product ran, noted by SlipCover with the project's settings.

SlipCover puts its probes into the code of a module as it is imported. Where the interpreter does
not say once itself what ran (before Python 3.12), each probe is taken out of the running code by
the first time it fires: it becomes a jump over itself, so that it is heard once and then costs
nothing.
"""

import atexit
import ctypes
import dis
import json
import os
import sys
import tomllib
from pathlib import Path
from types import CodeType
from typing import Any

import slipcover

PROJECT = Path(__file__).resolve().parents[2]
# The bytecode of a code object begins where the fixed part of it ends (CPython 3.11 and later).
BYTECODE = CodeType.__basicsize__
NOP, PUSH_NULL, JUMP_FORWARD = (
    dis.opmap.get(name, 0) for name in ("NOP", "PUSH_NULL", "JUMP_FORWARD")
)


class HeardOnce(slipcover.Slipcover):
    """Takes a probe out of the very code that runs it."""

    def deinstrument_seen(self) -> None:
        """Silence the probe that has just fired: it calls this, being told to after one time.

        A probe is: NOP with the length of what follows, PUSH_NULL, the call, POP_TOP. The NOP is
        made a JUMP_FORWARD of that length. Code is changed between two instructions only, as the
        interpreter itself does when it adapts code to what it meets.
        """
        frame = sys._getframe(1)
        place = frame.f_lasti
        running = (ctypes.c_ubyte * (place + 2)).from_address(id(frame.f_code) + BYTECODE)
        while running[place] != PUSH_NULL:
            place -= 2
        if running[place - 2] != NOP:
            raise RuntimeError(f"no probe at {place} of {frame.f_code}")
        running[place - 2] = JUMP_FORWARD


def settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return {**found["tool"]["slipcover"]}


def start(folder: str) -> None:
    """Instrument each module of ours as it is imported; report into `folder` at the end."""
    given = settings()
    measured = HeardOnce(branch=True, d_miss_threshold=1, exclude_also=given["exclude-also"])
    ours = slipcover.FileMatcher(
        sources=[PROJECT / room for room in given["source"]], omit=given["omit"]
    )
    slipcover.ImportManager(measured, ours).__enter__()

    def report() -> None:
        os.chdir(PROJECT)
        Path(folder, f"{os.getpid()}.json").write_text(json.dumps(measured.get_coverage()))

    atexit.register(report)


def joined(folder: Path) -> dict[str, Any]:
    """All reports of `folder` as one; a file that nobody imported counts as not reached.

    Raises FileNotFoundError when there is no report.
    """
    reports = sorted(folder.glob("*.json"))
    if not reports:
        raise FileNotFoundError(f"no coverage report in {folder}: did the workers end badly?")
    given = settings()
    os.chdir(PROJECT)
    everything: dict[str, Any] = slipcover.Slipcover(
        branch=True,
        source=given["source"],
        omit=given["omit"],
        exclude_also=given["exclude-also"],
    ).get_coverage()
    for report in reports:
        slipcover.merge_coverage(everything, json.loads(report.read_text()))
    return everything
