"""The demo's people on paper: a page for people, kept from everybody else's eyes."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def private_file(path: Path, text: str) -> None:
    """Write a file that only its owner can read, complete or not at all."""
    draft = path.with_name(f"{path.name}.draft")
    draft.unlink(missing_ok=True)
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
    draft.replace(path)


def as_roll(facts: Mapping[str, Any]) -> str:
    """Return everybody's sign-in as a page; tokens are in the JSON file beside it."""
    lines = []
    for tenant in facts["tenants"]:
        lines.append(f"{tenant['name']} ({tenant['slug']}), bank at {tenant['bank_url']}")
        lines += [_line(one) for one in tenant["people"]]
        lines.append("")
    lines.append("Columns: sign-in name, who, password, seed for an authenticator app (TOTP).")
    return "\n".join(lines) + "\n"


def _line(one: Mapping[str, Any]) -> str:
    who = f"  {one['username']:<18} {one['display_name']:<23}"
    return f"{who} {one['password']:<46} {one['totp_secret']}".rstrip()
