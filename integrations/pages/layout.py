"""Lay a message out for reading. What counts, and what is downloaded, are the untouched bytes."""

import re
from typing import Final

LINES_MAX: Final = 4_000
_BETWEEN_TAGS = re.compile(r">\s*<")
_OPENS = re.compile(r"<[^/!?][^>]*[^/]>|<[^/!?>]>")
_CLOSES = re.compile(r"</[^>]+>")


def laid_out(text: str) -> str:
    """Put each element of an XML text on its own indented line; other texts stay as they are."""
    if not text.lstrip("\ufeff \r\n").startswith("<"):
        return text
    depth, lines = 0, []
    for line in _BETWEEN_TAGS.sub(">\n<", text).split("\n")[:LINES_MAX]:
        opened, closed = len(_OPENS.findall(line)), len(_CLOSES.findall(line))
        if closed > opened:
            depth = max(depth - (closed - opened), 0)
        lines.append("  " * depth + line.strip())
        if opened > closed:
            depth += opened - closed
    return "\n".join(lines)
