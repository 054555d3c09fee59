"""Telling the story: numbered chapters, one sentence a line, with the seconds since the start."""

import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from typing import Any, Final

NEXT: Final = "chapter"
SAID: Final = "line"
PROVEN: Final = "proof"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One line: what kind, when, which chapter, the words, and facts for machines."""

    kind: str
    seconds: float
    chapter: int
    text: str
    facts: dict[str, Any] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        """Return the line for machines."""
        return asdict(self)

    def as_text(self) -> str:
        """Return the line for people."""
        if self.kind == NEXT:
            return f"\n{self.chapter}. {self.text}"
        mark = "✓" if self.kind == PROVEN else "·"
        return f"  {self.seconds:6.1f} s  {mark} {self.text}"


class Narrator:
    """Keeps what was told and passes every line on at once."""

    def __init__(self, listener: Callable[[Line], None]) -> None:
        self.lines: list[Line] = []
        self._listener = listener
        self._started = time.monotonic()
        self._chapter = 0

    @property
    def seconds(self) -> float:
        """Return the seconds since the story began."""
        return round(time.monotonic() - self._started, 2)

    def chapter(self, title: str) -> None:
        """Begin the next chapter."""
        self._chapter += 1
        self._tell(NEXT, title, {})

    def say(self, text: str, **facts: Any) -> None:
        """Tell what happened."""
        self._tell(SAID, text, facts)

    def prove(self, text: str, **facts: Any) -> None:
        """Tell what is proven."""
        self._tell(PROVEN, text, facts)

    def _tell(self, kind: str, text: str, facts: dict[str, Any]) -> None:
        line = Line(kind=kind, seconds=self.seconds, chapter=self._chapter, text=text, facts=facts)
        self.lines.append(line)
        self._listener(line)
