"""The demo's accounts, as the sandbox bank keeps them and as the treasury sees them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from tms.demo.numbers import shifted_iban, shifted_number

ACCOUNTS_FILE: Final = Path("integrations/sandbox_bank/demo_accounts.json")
FOLDER_LINE: Final = "bank-folder"
HTTP_LINE: Final = "bank-http"
# The second bank of each country is reached over HTTP, the first one by files.
HTTP_BANKS: Final = "SBKT"
PARENT: Final = "Demo Remit Limited"
GULF: Final = "Demo Remit Gulf FZE"
OPERATING: Final = "DDA"
NOSTRO: Final = "NOSTRO"
RUPEE_DRAWING: Final = "VOSTRO_RDA"
DAILY_HOURS: Final = 30
WEEKDAYS_HOURS: Final = 80  # a Friday's statement is the newest one until Monday night


@dataclass(frozen=True, slots=True, kw_only=True)
class Role:
    """What an account of the demo is for, and the floor it keeps."""

    label: str
    kind: str
    floor: Decimal
    hours: int = WEEKDAYS_HOURS
    company: str = PARENT


# By the number that the first demo tenant has for it.
ROLES: Final[Mapping[str, Role]] = {
    "4010007781": Role(label="USD Operating", kind=OPERATING, floor=Decimal(5_000_000)),
    "4020009945": Role(label="USD Funding", kind=NOSTRO, floor=Decimal(2_000_000)),
    "GB30SBNK99000110203344": Role(label="GBP Operating", kind=OPERATING, floor=Decimal(1_000_000)),
    "GB33SBKT99000255667788": Role(label="GBP Payouts", kind=NOSTRO, floor=Decimal(250_000)),
    "DE42990000010532013000": Role(label="EUR Operating", kind=OPERATING, floor=Decimal(1_000_000)),
    "DE41990000020648489890": Role(label="EUR Payouts", kind=NOSTRO, floor=Decimal(250_000)),
    "AE639900000012345678901": Role(
        label="AED Operating", kind=OPERATING, floor=Decimal(2_000_000)
    ),
    "AE869900000098765432102": Role(
        label="AED Payouts", kind=NOSTRO, floor=Decimal(500_000), company=GULF
    ),
    "50100011122233": Role(
        label="INR Collection", kind=OPERATING, floor=Decimal(250_000_000), hours=DAILY_HOURS
    ),
    "50100044455566": Role(
        label="INR Payouts", kind=RUPEE_DRAWING, floor=Decimal(10_000_000), hours=DAILY_HOURS
    ),
    "91820077788899": Role(
        label="INR Payouts (Trust)",
        kind=RUPEE_DRAWING,
        floor=Decimal(5_000_000),
        hours=DAILY_HOURS,
    ),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoAccount:
    """One account: the bank's own description of it, and what it is for."""

    facts: Mapping[str, Any]
    role: Role

    @property
    def number(self) -> str:
        """Return the IBAN, or the local number where there is none."""
        return str(self.facts["iban"] or self.facts["number"])

    @property
    def bic(self) -> str:
        """Return its bank."""
        return str(self.facts["bank_bic"])

    @property
    def currency(self) -> str:
        """Return its currency."""
        return str(self.facts["currency"])

    @property
    def line(self) -> str:
        """Return the code of the connection that its bank is reached by."""
        return line_of(self.bic)

    @property
    def clearing_code(self) -> str:
        """Return the clearing code where the number is not an IBAN."""
        return "" if self.facts["iban"] else str(self.facts["clearing_code"])

    def daily(self, name: str) -> Decimal:
        """Return an average daily amount of its business, such as `outflow_daily`."""
        return Decimal(str(self.facts["profile"].get(name, "0")))

    def weekday_weight(self, weekday: int) -> Decimal:
        """Return how busy a weekday is beside an average one; Monday is 0."""
        weights = self.facts["profile"].get("weekday_weights", [1] * 7)
        return Decimal(str(weights[weekday]))


def line_of(bic: str) -> str:
    """Return the connection of a bank."""
    return HTTP_LINE if bic.startswith(HTTP_BANKS) else FOLDER_LINE


def demo_accounts(tenant_number: int) -> list[DemoAccount]:
    """Return the accounts of a demo tenant; every tenant has numbers of its own."""
    path = Path(settings.BASE_DIR) / ACCOUNTS_FILE
    return [
        _for_tenant(item, tenant_number=tenant_number)
        for item in json.loads(path.read_text("utf-8"))
    ]


def _for_tenant(item: dict[str, Any], *, tenant_number: int) -> DemoAccount:
    facts = dict(item, profile=dict(item["profile"]))
    facts["iban"] = shifted_iban(item["iban"], tenant_number=tenant_number)
    facts["number"] = (
        facts["iban"][-8:]
        if item["iban"] and item["number"]
        else shifted_number(item["number"], tenant_number=tenant_number)
    )
    facts["channel"] = "http" if line_of(item["bank_bic"]) == HTTP_LINE else "folder"
    if source := item["profile"].get("top_up"):
        shifted = shifted_number(source["source"], tenant_number=tenant_number)
        facts["profile"]["top_up"] = {**source, "source": shifted}
    if rule := item["profile"].get("sweep"):
        shifted = shifted_iban(rule["header"], tenant_number=tenant_number)
        facts["profile"]["sweep"] = {**rule, "header": shifted}
    return DemoAccount(facts=facts, role=ROLES[item["iban"] or item["number"]])
