"""Make .venv from the pinned requirements. Standard library only; any Python from 3.11 on.

Installs with uv (fast) when it is there or can be had, otherwise with pip. A stamp with the
hash of the requirements lets every later start skip all of it, so that it works offline.
"""
# ruff: noqa: INP001, S603 - a program by itself, running only commands of its own

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
ENVIRONMENT = PROJECT / ".venv"
PYTHON = ENVIRONMENT / "bin" / "python"
REQUIREMENTS = {
    "run": ("requirements.txt",),
    "dev": ("requirements.txt", "requirements/dev.txt"),
}
COMMAND_SECONDS_MAX = 1800


def main(arguments: Sequence[str]) -> int:
    wanted = arguments[0] if arguments else "run"
    if wanted not in REQUIREMENTS:
        return say(f"Usage: bin/bootstrap [{'|'.join(REQUIREMENTS)}]", code=2)
    with Path(__file__).open() as lock:  # of two shells the second waits, then finds the stamp
        fcntl.flock(lock, fcntl.LOCK_EX)
        if any(is_stamped(name) for name in satisfying(wanted)):
            return 0
        return install(wanted)


def satisfying(wanted: str) -> list[str]:
    """The sets that contain the wanted one: the development set contains the running one."""
    needed = set(REQUIREMENTS[wanted])
    return [name for name, files in REQUIREMENTS.items() if needed <= set(files)]


def stamp_of(name: str) -> Path:
    return ENVIRONMENT / f".installed-{name}"


def fingerprint(name: str) -> str:
    """Changes with the requirements and with the place, which a venv's scripts contain."""
    digest = hashlib.sha256(os.fsencode(PROJECT))
    for file in REQUIREMENTS[name]:
        digest.update((PROJECT / file).read_bytes())
    return digest.hexdigest()


def is_stamped(name: str) -> bool:
    stamp = stamp_of(name)
    return stamp.exists() and stamp.read_text() == fingerprint(name) and works(PYTHON)


def works(python: Path) -> bool:
    return runs(python, "-c", "import sys; sys.exit(sys.version_info < (3, 11))", silent=True)


def install(wanted: str) -> int:
    say(f"Installing the Python packages into {ENVIRONMENT.name} (later starts skip this).")
    files = [part for file in REQUIREMENTS[wanted] for part in ("-r", str(PROJECT / file))]
    with tempfile.TemporaryDirectory(prefix="tms-uv-") as folder:
        uv = own_uv()
        if not make_environment(uv):
            uv = fetched_uv(Path(folder), Path(sys.executable))
            if uv is None or not make_environment(uv):
                return say(
                    "Python's venv does not work (Debian: apt install python3-venv).", code=1
                )
        uv = uv or fetched_uv(Path(folder), PYTHON)
        if not (with_uv(uv, files) or with_pip(files)):
            return say("The Python packages could not be installed; see above.", code=1)
    stamp_of(wanted).write_text(fingerprint(wanted))
    return 0


def own_uv() -> Path | None:
    own = shutil.which("uv")
    return Path(own) if own and runs(own, "--version", silent=True) else None


def fetched_uv(folder: Path, python: Path) -> Path | None:
    """A uv in a throw-away folder: fetching it takes seconds and saves a minute."""
    pip = (python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    fetched = folder / "bin" / "uv"
    if runs(*pip, "--target", folder, "uv", silent=True) and fetched.exists():
        return fetched
    return None


def make_environment(uv: Path | None) -> bool:
    """Reuse an environment that works; otherwise make it anew."""
    if works(PYTHON):
        return True
    if uv is not None:
        return runs(uv, "venv", "--quiet", "--clear", "--python", sys.executable, ENVIRONMENT)
    return runs(sys.executable, "-m", "venv", "--clear", ENVIRONMENT, silent=True)


def with_uv(uv: Path | None, files: Sequence[str]) -> bool:
    if uv is None:
        return False
    index = pip_index()
    trust = {"UV_SYSTEM_CERTS": "1", "UV_NATIVE_TLS": "1"}  # one name each for new and old uv
    environment = {**trust, **os.environ, **({"UV_DEFAULT_INDEX": index} if index else {})}
    if runs(uv, "pip", "install", "-q", "--python", PYTHON, *files, environment=environment):
        return True
    say("uv did not succeed; trying pip.")
    return False


def pip_index() -> str:
    """The package index that pip is configured for: uv does not read pip's configuration."""
    if any(os.environ.get(name) for name in ("UV_DEFAULT_INDEX", "UV_INDEX_URL")):
        return ""
    if os.environ.get("PIP_INDEX_URL"):
        return os.environ["PIP_INDEX_URL"]
    command = [sys.executable, "-m", "pip", "config", "get", "global.index-url"]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    return told.stdout.strip() if told.returncode == 0 else ""


def with_pip(files: Sequence[str]) -> bool:
    if not runs(PYTHON, "-m", "pip", "--version", silent=True):
        runs(PYTHON, "-m", "ensurepip", "--upgrade", silent=True)
    return runs(PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *files)


def runs(
    *command: str | Path, environment: dict[str, str] | None = None, silent: bool = False
) -> bool:
    """Whether the command succeeds; what it says is shown as a message unless silent."""
    output = subprocess.DEVNULL if silent else sys.stderr
    try:
        result = subprocess.run(
            command,
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=environment,
            timeout=COMMAND_SECONDS_MAX,
        )
    except (OSError, subprocess.TimeoutExpired):
        return False
    return result.returncode == 0


def say(text: str, *, code: int = 0) -> int:
    sys.stderr.write(f"{text}\n")
    return code


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
