"""The clocks of a demo: the system's own and those of its sandbox banks, kept side by side."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from core import clock
from core.errors import DomainError
from tms.demo.bank import SandboxBank
from tms.demo.places import banks_of_demo


@dataclass(frozen=True, slots=True, kw_only=True)
class Clocks:
    """What each clock shows; a bank that does not answer shows nothing."""

    system: datetime
    banks: dict[str, datetime | None]

    def as_json(self) -> dict[str, Any]:
        """Return the times for machines."""
        banks = {url: at.isoformat() if at else None for url, at in self.banks.items()}
        return {"system": self.system.isoformat(), "banks": banks}

    def as_text(self) -> str:
        """Return the times for people."""
        lines = [f"system  {self.system:%a %Y-%m-%d %H:%M:%S} UTC"]
        for url, at in self.banks.items():
            shown = f"{at:%a %Y-%m-%d %H:%M:%S} UTC" if at else "does not answer"
            lines.append(f"bank    {shown}  {url}")
        return "\n".join(lines)


def read_clocks() -> Clocks:
    """Return what the clocks show."""
    banks = {bank.base_url: _time_of(bank) for bank in banks_of_demo()}
    return Clocks(system=clock.now(), banks=banks)


def advance_clocks(*, step: timedelta) -> Clocks:
    """Move the system forward by `step`, and every bank to where the system then is.

    Raises:
        Forbidden: not in local mode, or backwards.
    """
    target = clock.advance(step)
    for bank in banks_of_demo():
        now = _time_of(bank)
        if now is not None and now < target:
            bank.advance(seconds=(target - now).total_seconds())
    return read_clocks()


def _time_of(bank: SandboxBank) -> datetime | None:
    try:
        return bank.now()
    except DomainError:
        return None
