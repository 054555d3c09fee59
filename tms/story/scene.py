"""What every chapter of the story works with."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Final

from tms.demo.bank import SandboxBank
from tms.story.cast import Cast, People
from tms.story.codes import CodeBook
from tms.story.errors import StoryFailed
from tms.story.narrator import Line, Narrator
from tms.story.stream import Stream

# How far the bank's clock may be from ours before somebody's dates are wrong.
CLOCKS_APART_MAX: Final = timedelta(seconds=30)


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that was verified inside the house: what, whether it holds, in words."""

    name: str
    holds: bool
    words: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """Where the story is played and with whom.

    `inspect` looks at what no outsider can see (audit chain, books); `move_clock` moves the
    system's clock, None where that cannot be done.
    """

    base_url: str
    bank: SandboxBank
    people: People
    codes: CodeBook
    inspect: Callable[[], Sequence[Finding]]
    listen: Callable[[Line], None]
    move_clock: Callable[[timedelta], None] | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Scene:
    """The running story."""

    stage: Stage
    cast: Cast
    stream: Stream
    tell: Narrator

    @property
    def bank(self) -> SandboxBank:
        """Return the bank."""
        return self.stage.bank

    def system_now(self) -> datetime:
        """Return the time on the system's own clock, as anybody can see it."""
        return datetime.fromisoformat(self.cast.maker.get("/health")["time"])

    def balance(self, account_id: str) -> dict[str, Any]:
        """Return one account's balance as the desk shows it.

        Raises:
            StoryFailed: it is not there.
        """
        rows = self.cast.maker.get("/api/v1/balances", account=account_id)["results"]
        if not rows:
            raise StoryFailed("The balance is not shown.", account=account_id)
        found: dict[str, Any] = rows[0]
        return found

    def advance(self, step: timedelta) -> None:
        """Move the bank's clock, and ours along with it where that can be done."""
        self.bank.advance(seconds=step.total_seconds())
        if self.stage.move_clock:
            self.stage.move_clock(step)


def amount_of(text: str | None) -> Decimal:
    """Return an amount from the wire."""
    return Decimal(text or "0")


def shown(amount: Decimal | str, currency: str) -> str:
    """Return an amount as people read it."""
    return f"{currency} {Decimal(amount):,.2f}"
