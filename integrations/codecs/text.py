"""Rewrite texts in the letters that a bank's line can carry; the same text always the same way."""

from collections.abc import Mapping
from typing import Final

from anyascii import anyascii

from integrations.dialects.writing import Charset

SWIFT_X: Final = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-?:().,'+ "
)
# Signs of everyday names that SWIFT X lacks; what is not named here becomes a full stop.
_SIGNS: Final = {
    "&": "+", "_": "-", "~": "-", "@": "(at)", "[": "(", "]": ")", "{": "(", "}": ")",
    "<": "(", ">": ")", ";": ",", "\\": "/", "|": "/", "`": "'", '"': "'",
}  # fmt: skip


def carried(text: str, charset: Charset, replacements: Mapping[str, str]) -> str:
    """Return the text in letters of `charset`; letters it has stay as they are.

    A bank's own `replacements` come first and hold for the letters that would be rewritten.
    """
    return "".join(_letter(letter, charset, replacements) for letter in text)


def fits(letter: str, charset: Charset) -> bool:
    """Return whether a line of `charset` carries this letter."""
    match charset:
        case Charset.UTF_8:
            return True
        case Charset.LATIN_1:
            return ord(letter) < 256  # noqa: PLR2004 - the end of Latin-1
        case Charset.ASCII:
            return letter.isascii()
        case Charset.SWIFT_X:
            return letter in SWIFT_X


def _letter(letter: str, charset: Charset, replacements: Mapping[str, str]) -> str:
    # Control characters are for pre-flight to refuse, not for us to hide.
    if fits(letter, charset) or not letter.isprintable():
        return letter
    plain = replacements.get(letter) or anyascii(letter)
    if charset is not Charset.SWIFT_X:
        return plain
    return "".join(one if one in SWIFT_X else _SIGNS.get(one, ".") for one in plain)
