"""Who checks and explains which side of a profile: reading is known here, writing registers."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from integrations.dialects.reading import HELP, parse_dialect

Check = Callable[[Mapping[str, Any]], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class KeyHelp:
    """One key of a profile: what it takes, and what it means."""

    key: str
    takes: str
    means: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Side:
    check: Check
    help: tuple[KeyHelp, ...]


_sides: dict[str, _Side] = {}


def register_check(side: str, check: Check, *, help: Iterable[tuple[str, str, str]] = ()) -> None:  # noqa: A002
    """Let `check` look at a side of every profile before it is saved; it raises ProfileInvalid.

    `help` lists key, what it takes and what it means, for the page where profiles are written.
    """
    words = tuple(KeyHelp(key=key, takes=takes, means=means) for key, takes, means in help)
    _sides[side] = _Side(check=check, help=words)


def help_on(side: str) -> tuple[KeyHelp, ...]:
    """Return the keys of a side with their meaning."""
    return _sides[side].help if side in _sides else ()


def check_profile(sides: Mapping[str, Mapping[str, Any]]) -> None:
    """Look at both sides of a profile.

    Raises:
        ProfileInvalid: with the key that is unknown or cannot be right.
    """
    for side, raw in sides.items():
        if side in _sides:
            _sides[side].check(raw)


def explained(side: str, raw: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """Return what a side says, line by line: key, value and what the key means."""
    meanings = {one.key: one.means for one in help_on(side)}
    for path, value in _flat(raw):
        meaning = next((words for key, words in meanings.items() if _is_below(path, key)), "")
        yield path, value, meaning


def _is_below(path: str, key: str) -> bool:
    return path == key or path.startswith((f"{key}.", f"{key}["))


def _flat(value: Any, path: str = "") -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping) and value:
        for name, inner in value.items():
            yield from _flat(inner, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list) and value and not all(isinstance(one, str) for one in value):
        for number, inner in enumerate(value):
            yield from _flat(inner, f"{path}[{number}]")
    elif path:
        yield path, ", ".join(value) if isinstance(value, list) else str(value)


register_check("reading", parse_dialect, help=HELP)
