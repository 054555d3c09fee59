"""Where a demo keeps its things: each tenant has its own bank, with its own book and address."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from core.errors import Forbidden
from tms.demo.bank import SandboxBank
from tms.run.config import runtime

FIRST_SLUG: Final = "demo"
TENANTS_MAX: Final = 20
PEOPLE_TEXT: Final = "demo_people.txt"
PEOPLE_FACTS: Final = "demo_people.json"
MODES: Final = ("local", "test")


@dataclass(frozen=True, slots=True, kw_only=True)
class BankPlace:
    """The sandbox bank of one tenant: its directory (book and trays) and its address."""

    home: Path
    port: int

    @property
    def base_url(self) -> str:
        """Return the bank's address."""
        return f"http://127.0.0.1:{self.port}"

    def client(self) -> SandboxBank:
        """Return someone to talk to."""
        return SandboxBank(base_url=self.base_url, secret=settings.TMS_BANK_HTTP_SECRET)


def refuse_outside_demo() -> None:
    """Make sure that demo data and known passwords never come near a production system.

    Raises:
        Forbidden: this is one.
    """
    if settings.TMS_MODE not in MODES:
        raise Forbidden("Demo data is made in local and test mode only (TMS_MODE).")


def slug_of(number: int) -> str:
    """Return the short name of the demo tenant of that number, counted from one."""
    return FIRST_SLUG if number == 1 else f"{FIRST_SLUG}{number}"


def bank_place(number: int) -> BankPlace:
    """Return where the bank of that demo tenant lives; the first one is started by `up`."""
    home = Path(settings.TMS_HOME)
    folder = home / "bank" if number == 1 else home / f"bank-{slug_of(number)}"
    return BankPlace(home=folder, port=runtime().config.bank_port + number - 1)


def people_facts() -> dict[str, Any]:
    """Return what the last seeding wrote about tenants and people; empty before the first."""
    path = Path(settings.TMS_HOME) / PEOPLE_FACTS
    if not path.exists():
        return {}
    facts: dict[str, Any] = json.loads(path.read_text("utf-8"))
    return facts


def banks_of_demo() -> list[SandboxBank]:
    """Return the banks of all demo tenants."""
    count = max(1, len(people_facts().get("tenants", [])))
    return [bank_place(number).client() for number in range(1, count + 1)]
