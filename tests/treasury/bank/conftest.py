"""A company with one euro account at a bank, and the line its messages come over."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from core import clock
from core.tenancy import Tenant
from integrations import services as archive
from tests.scenes import scene
from tests.treasury.bank.paper import IBAN, LINE
from treasury.models import Bank, BankAccount, LegalEntity
from treasury.services import static

NOW = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
OpenAccount = Callable[..., BankAccount]


@pytest.fixture(autouse=True)
def present() -> Iterator[datetime]:
    with clock.frozen(NOW):
        yield NOW


@scene
def line(tenant: Tenant, tmp_path: Path) -> str:
    wish = archive.ConnectionIn(code=LINE, name="Bank", kind="FOLDER", directory=str(tmp_path))
    archive.save_connection(wish=wish)
    return LINE


@scene
def entity(tenant: Tenant) -> LegalEntity:
    wish = static.EntityIn(
        name="North Remit Ltd", lei="5493001KJTIIGC8Y1R12", town="London", country="GB"
    )
    return static.create_entity(entity=wish)


@scene
def bank(tenant: Tenant) -> Bank:
    return static.create_bank(bic="COBADEFFXXX", name="Commerzbank")


@scene
def open_account(entity: LegalEntity, bank: Bank, line: str) -> OpenAccount:
    def make(number: str = IBAN, **more: Any) -> BankAccount:
        facts: dict[str, Any] = {
            "entity": entity,
            "bank": bank,
            "label": f"Account {number}",
            "currency": "EUR",
            "number": number,
            "timezone": "Europe/Berlin",
            **more,
        }
        return static.open_account(account=static.AccountIn(**facts))

    return make


@scene
def account(open_account: OpenAccount) -> BankAccount:
    return open_account(label="EUR main", min_balance=Decimal(0))
