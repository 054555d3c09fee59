"""JSON that refuses what would quietly change meaning: duplicate keys, NaN, deep nests."""

import json
from decimal import Decimal
from typing import Any, Final

from core.errors import Invalid

DEPTH_MAX: Final = 32
BYTES_MAX: Final = 2_000_000


def _no_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result: dict[str, Any] = {}
    for key, value in pairs:
        if key in result:
            raise Invalid(f"{key!r} appears twice in one object.", field=key)
        result[key] = value
    return result


def _refuse_constant(name: str) -> Any:
    raise Invalid(f"{name} is not a JSON number.", field="body")


def _depth_is_bounded(text: str) -> bool:
    depth = 0
    in_string = escaped = False
    for character in text:
        if in_string:
            in_string = escaped or character != '"'
            escaped = character == "\\" and not escaped
        elif character == '"':
            in_string = True
        elif character in "[{":
            depth += 1
            if depth > DEPTH_MAX:
                return False
        elif character in "]}":
            depth -= 1
    return True


def loads(body: bytes) -> Any:
    """Parse `body`; numbers with a fraction become Decimal.

    Raises:
        Invalid: not UTF-8, not JSON, too large, too deep, a duplicate key, NaN or Infinity.
    """
    if len(body) > BYTES_MAX:
        raise Invalid(f"The body is larger than {BYTES_MAX} bytes.", field="body")
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Invalid("The body is not UTF-8.", field="body") from error
    if not _depth_is_bounded(text):
        raise Invalid(f"The body nests deeper than {DEPTH_MAX} levels.", field="body")
    try:
        parsed = json.loads(
            text,
            parse_float=Decimal,
            parse_constant=_refuse_constant,
            object_pairs_hook=_no_duplicates,
        )
    except json.JSONDecodeError as error:
        message = f"The body is not JSON: {error.msg} at line {error.lineno}."
        raise Invalid(message, field="body") from error
    except ValueError as error:  # a number of too many digits for the interpreter
        raise Invalid("The body holds a number that is too long.", field="body") from error
    if "\\ud" in text.lower() and not _is_text(parsed):
        raise Invalid("The body holds half a character (a lone surrogate).", field="body")
    return parsed


def _is_text(parsed: Any) -> bool:
    """Return whether every string can be written as UTF-8: an escape may name half a character."""
    try:
        json.dumps(parsed, default=str, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True
