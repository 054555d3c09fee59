"""`python -m tms.run.throwaway FILE ARGS...`: run a Python program with servers of its own."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from tms.run.ephemeral import ephemeral_servers
from tms.run.errors import StartError


def main(arguments: Sequence[str]) -> int:
    """Start servers, run the program, take everything away again; its exit code is ours."""
    if not arguments:
        sys.stderr.write("Usage: python -m tms.run.throwaway FILE [ARGUMENT ...]\n")
        return 2
    try:
        with ephemeral_servers():
            return subprocess.run([sys.executable, *arguments], check=False).returncode  # noqa: S603
    except StartError as refusal:
        sys.stderr.write(f"Cannot start: {refusal}\n")
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
