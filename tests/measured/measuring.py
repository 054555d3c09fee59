"""Which lines and branches of the product ran, noted by SlipCover with the project's settings.

SlipCover puts its probes into the code of a module as it is imported and takes those that have
fired out again, so that a measured suite takes little longer than one that is not.
"""

import atexit
import json
import os
import tomllib
from pathlib import Path
from typing import Any

import slipcover

PROJECT = Path(__file__).resolve().parents[2]
FIRED_OFTEN = 2_000


def settings() -> dict[str, Any]:
    found: dict[str, Any] = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    return {**found["tool"]["slipcover"]}


def start(folder: str) -> None:
    """Instrument each module of ours as it is imported; report into `folder` at the end."""
    given = settings()
    # To take probes out costs a walk over all functions: only where they fire again and again.
    measured = slipcover.Slipcover(
        branch=True, d_miss_threshold=FIRED_OFTEN, exclude_also=given["exclude-also"]
    )
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
