"""Make the readers' frozen records at the price of open ones.

A frozen dataclass sets every field by a call, which for an entry's thirty fields costs more than
reading most of them. An open twin with the same fields is filled instead and becomes the frozen
record as its last step.
"""

import gc
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import MISSING, field, fields, make_dataclass
from typing import Any, TypeVar, cast

Record = TypeVar("Record")


def swift(record: type[Record]) -> Callable[..., Record]:
    """Return what makes instances of a frozen dataclass with slots: its fields in their order.

    They are given by position, since naming thirty takes longer than setting them; the last ones
    may be left out where they have defaults.
    """
    shape: list[Any] = [
        (one.name, one.type, field() if one.default is MISSING else field(default=one.default))
        for one in fields(cast("Any", record))
    ]

    def close(self: Any) -> None:
        self.__class__ = record

    twin = make_dataclass(
        f"Open{record.__name__}",
        shape,
        namespace={"__post_init__": close},
        slots=True,
    )
    return cast("Callable[..., Record]", twin)


@contextmanager
def collecting_later() -> Iterator[None]:
    """Keep the collector of cycles away: records have none, and looking at all of them costs."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
