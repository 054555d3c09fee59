"""`python -m tms.run.forget`: remove an installation's data and secrets, unless it runs."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path

from tms.run import places
from tms.run.addresses import embedded_addresses
from tms.run.config import RunConfig
from tms.run.errors import StartError
from tms.run.places import postgres_root, short_prefix
from tms.run.up import single_instance

WORD = "forget"


def main(ask: Callable[[str], str] = input) -> int:
    """Ask for a word first: backups aside, nothing brings the data back."""
    config = RunConfig.load()
    if not config.home.exists():
        return 0
    question = f"This removes all data and secrets in {config.home}. Type '{WORD}' to go on: "
    if ask(question).strip() != WORD:
        sys.stderr.write("Nothing was removed.\n")
        return 1
    try:
        with single_instance(config):
            forget(config)
    except StartError as refusal:
        sys.stderr.write(f"Cannot remove: {refusal}\n")
        return 1
    return 0


def forget(config: RunConfig) -> None:
    """Remove the home, and the folders outside it: root's PostgreSQL, sockets of a long path."""
    servers = embedded_addresses(config.home)
    for socket in (Path(servers.host), Path(servers.redis_url.removeprefix("unix://")).parent):
        if socket.parent.name.startswith(short_prefix()):
            shutil.rmtree(socket.parent, ignore_errors=True)
    root = postgres_root(config.home)
    if root.parent == places.SYSTEM_DATA.resolve() and root.name.startswith("tms-"):
        shutil.rmtree(root, ignore_errors=not root.exists())
    shutil.rmtree(config.home)


if __name__ == "__main__":
    sys.exit(main())
