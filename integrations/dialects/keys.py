"""Take values out of a profile's JSON one by one, and refuse what is left over, by name."""

from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from typing import Any, Final, TypeVar

from integrations.dialects.errors import ProfileInvalid

T = TypeVar("T")
ITEMS_MAX: Final = 500
TEXT_CHARS_MAX: Final = 200


class Keys:
    """The keys of one JSON object of a profile, known by their path from its root."""

    def __init__(self, raw: Any, *, path: str = "") -> None:
        if not isinstance(raw, Mapping):
            where = path or "a profile"
            raise ProfileInvalid(f"{where} is an object of keys and values.", field=path)
        self._left: dict[str, Any] = dict(raw)
        self._path = path

    def path(self, key: str) -> str:
        """Return the full name of a key, like `sheet.header_row`."""
        return f"{self._path}.{key}" if self._path else key

    def has(self, key: str) -> bool:
        """Return whether a value is there and has not been taken."""
        return self._left.get(key) is not None

    def take(self, key: str) -> Any:
        """Take the raw value of a key; None when it is not there."""
        return self._left.pop(key, None)

    def choice(self, key: str, allowed: Mapping[str, T], *, default: str) -> T:
        """Take one of a few words."""
        given = self.take(key)
        word = default if given is None else given
        if not isinstance(word, str) or word not in allowed:
            words = ", ".join(allowed)
            raise self.wrong(key, f"is one of: {words}")
        return allowed[word]

    def word(self, key: str, *, default: str = "", chars_max: int = TEXT_CHARS_MAX) -> str:
        """Take a text."""
        given = self.take(key)
        if given is None:
            return default
        if not isinstance(given, str) or len(given) > chars_max:
            raise self.wrong(key, f"is a text of up to {chars_max} characters")
        return given

    def flag(self, key: str, *, default: bool) -> bool:
        """Take true or false."""
        given = self.take(key)
        if given is None:
            return default
        if not isinstance(given, bool):
            raise self.wrong(key, "is true or false")
        return given

    def count(self, key: str, *, default: int, least: int, most: int) -> int:
        """Take a whole number within its bounds."""
        given = self.take(key)
        if given is None:
            return default
        if not isinstance(given, int) or isinstance(given, bool) or not least <= given <= most:
            raise self.wrong(key, f"is a whole number from {least} to {most}")
        return given

    def table(self, key: str, read: Callable[[str, Any], T]) -> dict[str, T]:
        """Take an object whose keys are free, each value read by `read(path, value)`."""
        given = self.take(key)
        if given is None:
            return {}
        if not isinstance(given, Mapping) or len(given) > ITEMS_MAX:
            raise self.wrong(key, f"is an object of up to {ITEMS_MAX} pairs")
        return {str(name): read(f"{self.path(key)}.{name}", value) for name, value in given.items()}

    def inner(self, key: str) -> "Keys":
        """Take an object inside this one."""
        return Keys(self.take(key), path=self.path(key))

    def wrong(self, key: str, words: str) -> ProfileInvalid:
        """Return the refusal of a key."""
        name = self.path(key)
        return ProfileInvalid(f"{name} {words}.", field=name)

    def nothing_left(self) -> None:
        """Refuse keys that nobody took.

        Raises:
            ProfileInvalid: with the first of them.
        """
        if self._left:
            name = self.path(min(self._left))
            raise ProfileInvalid(f"{name} is not a key of a profile.", field=name)


def text_value(path: str, value: Any) -> str:
    """Return a text out of a table."""
    if not isinstance(value, str) or not value or len(value) > TEXT_CHARS_MAX:
        raise ProfileInvalid(f"{path} is a text of 1 to {TEXT_CHARS_MAX} characters.", field=path)
    return value


def amount_value(path: str, value: Any) -> Decimal:
    """Return an amount out of a table: written as text, so that nothing is lost."""
    try:
        amount = Decimal(value) if isinstance(value, str) else None
    except InvalidOperation:
        amount = None
    if amount is None or not amount.is_finite() or amount < 0:
        raise ProfileInvalid(f'{path} is an amount as text, like "250000.00".', field=path)
    return amount
