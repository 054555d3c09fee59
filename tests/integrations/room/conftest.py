"""A real sandbox bank in its own process, lines to it, and orders that it accepts."""

import json
import os
import ssl
import subprocess
import sys
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

import httpx
import psycopg
import pytest
from django.conf import settings

from core import clock
from core.tenancy import bound
from integrations import selectors, services
from integrations.codecs.instructions import Agent, Party, PaymentInstruction, PostalAddress
from integrations.models import Message

SECRET = "a secret that only this bank and this test share"
DEBTOR_IBAN = "DE42990000010532013000"
CREDITOR_IBAN = "DE41990000020648489890"
BERLIN = ZoneInfo("Europe/Berlin")
PROJECT = Path(__file__).parents[3]
# The bank's door is plain: no list of authorities is read for every question.
TRUSTS_NOBODY = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@pytest.fixture(autouse=True)
def room_alone(django_db_setup: None) -> Iterator[None]:
    """Let the guards of the rooms above pass all: no proposal stands behind these payments."""
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        guards = owner.execute(
            "SELECT p.proname, pg_get_functiondef(p.oid) FROM pg_trigger t"
            " JOIN pg_proc p ON p.oid = t.tgfoid WHERE NOT t.tgisinternal"
            " AND t.tgrelid = 'integrations_message'::regclass"
            " AND p.proname !~ '^(integrations|core)_'"
        ).fetchall()
        for name, _ in guards:
            owner.execute(
                f"CREATE OR REPLACE FUNCTION {name}() RETURNS trigger LANGUAGE plpgsql AS"
                " 'BEGIN RETURN NEW; END'"
            )
    yield
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        for _, definition in guards:
            owner.execute(definition)


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxBank:
    """The running bank and what a test may ask of it."""

    url: str
    folder: Path

    def _ask(self, method: str, path: str, **more: Any) -> Any:
        headers = {"Authorization": f"Bearer {SECRET}"}
        more |= {"timeout": 10, "verify": TRUSTS_NOBODY}
        answer = httpx.request(method, f"{self.url}{path}", headers=headers, **more)
        assert answer.is_success, answer.text
        return answer.json()

    def fault(self, **description: Any) -> None:
        self._ask("POST", "/faults", json=description)

    def no_faults(self) -> None:
        self._ask("DELETE", "/faults")

    def executed(self, reference: str) -> int:
        found: int = self._ask("GET", "/book/executed")["executed"].get(reference, 0)
        return found

    def attempts(self, reference: str) -> int:
        rows = self._ask("GET", "/book")["payments"]
        return sum(1 for row in rows if row["end_to_end_id"] == reference)

    def report(self, account: str) -> None:
        self._ask("POST", "/report", json={"account": account, "type": "camt.052"})

    def today(self) -> date:
        """Return the day that it is at the bank, whose clock is moved ahead of ours."""
        now = datetime.fromisoformat(self._ask("GET", "/clock")["now"])
        return now.astimezone(BERLIN).date()

    def advance(self, seconds: float) -> None:
        self._ask("POST", "/clock/advance", json={"seconds": seconds})


def _accounts() -> list[dict[str, str]]:
    shared = {"currency": "EUR", "owner_name": "Demo Remit Limited", "timezone": "Europe/Berlin"}
    return [
        {
            **shared,
            "bank_bic": "SBNKDEFFXXX",
            "iban": DEBTOR_IBAN,
            "channel": "http",
            "opening_balance": "900000000.00",
        },
        {
            **shared,
            "bank_bic": "SBKTDEFFXXX",
            "iban": CREDITOR_IBAN,
            "channel": "folder",
            "opening_balance": "1000.00",
        },
    ]


# The banks that run for this process, the newest last.
_serving: list[SandboxBank] = []


@contextmanager
def running_bank(home: Path) -> Iterator[SandboxBank]:
    accounts = home / "accounts.json"
    accounts.write_text(json.dumps(_accounts()), encoding="utf-8")
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "integrations.sandbox_bank", "serve", "--port", "0"),
            *("--home", str(home / "book"), "--folder", str(home / "shared")),
            *("--accounts", str(accounts), "--secret-env", "BANK_SECRET"),
            *("--pace", "0.001", "--interim-minutes", "0", "--follow-parent"),
        ],
        cwd=PROJECT,
        env={**os.environ, "BANK_SECRET": SECRET},
        stdout=subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        first_line = process.stdout.readline()
        bank = SandboxBank(url=json.loads(first_line)["listening"], folder=home / "shared")
        _serving.append(bank)
        yield bank
        _serving.remove(bank)
    finally:
        process.terminate()
        process.communicate(timeout=20)


@pytest.fixture(scope="session")
def bank_process(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxBank]:
    with running_bank(tmp_path_factory.mktemp("bank")) as bank:
        yield bank


@pytest.fixture
def bank(bank_process: SandboxBank) -> SandboxBank:
    """The bank without any fault armed."""
    bank_process.no_faults()
    return bank_process


def order(reference: str = "", **changes: Any) -> PaymentInstruction:
    """An instant euro transfer that preflight and the bank accept; every call has a new MsgId.

    For the day that it is at the bank: a day earlier is refused, a later one waits.
    """
    now = clock.now()
    today = _serving[-1].today() if _serving else now.astimezone(BERLIN).date()
    address = PostalAddress(town="Frankfurt am Main", country="DE")
    facts: dict[str, Any] = {
        "message_id": f"M{uuid.uuid4().hex[:30]}",
        "payment_information_id": f"P{uuid.uuid4().hex[:30]}",
        "end_to_end_id": reference or f"E{uuid.uuid4().hex[:30]}",
        "amount": Decimal("125.50"),
        "currency": "EUR",
        "execution_date": today,
        "created_at": now,
        "initiating_party_name": "Demo Remit Limited",
        "debtor": Party(name="Demo Remit Limited", iban=DEBTOR_IBAN, address=address),
        "debtor_agent": Agent(bic="SBNKDEFFXXX"),
        "creditor": Party(name="Demo Remit Limited", iban=CREDITOR_IBAN, address=address),
        "creditor_agent": Agent(bic="SBKTDEFFXXX"),
        "charge_bearer": "SLEV",
        "service_level": "SEPA",
        "local_instrument": "INST",
        "uetr": str(uuid.uuid4()),
    }
    return PaymentInstruction(**{**facts, **changes})


def http_line(url: str, **changes: Any) -> services.ConnectionIn:
    facts: dict[str, Any] = {
        "code": "bank-http",
        "name": "Sandbox over HTTP",
        "kind": "HTTP",
        "base_url": url,
        "secret": SECRET,
        "connect_timeout_seconds": 2,
        "read_timeout_seconds": 2,
        "rate_per_minute": 6_000,
    }
    return services.ConnectionIn(**{**facts, **changes})


def folder_line(directory: Path, **changes: Any) -> services.ConnectionIn:
    facts: dict[str, Any] = {
        "code": "bank-folder",
        "name": "Sandbox over a folder",
        "kind": "FOLDER",
        "directory": str(directory),
        "rate_per_minute": 6_000,
    }
    return services.ConnectionIn(**{**facts, **changes})


@dataclass(frozen=True, slots=True, kw_only=True)
class House:
    """A committed tenant with one line, and short ways to use it."""

    tenant: UUID
    line: str

    def queue(self, instruction: PaymentInstruction | None = None, **more: Any) -> Message:
        with bound(self.tenant, actor="system:test"):
            return services.queue_payment(
                instruction=instruction or order(),
                rail="SEPA_INST",
                connection_code=self.line,
                **more,
            )

    def message(self, message: Message) -> Message:
        with bound(self.tenant, actor="system:test"):
            return selectors.message(message.pk)

    def state(self, message: Message) -> str:
        return str(self.message(message).state)

    def topics(self) -> list[str]:
        from core.events.models import OutboxEvent

        with bound(self.tenant, actor="system:test"):
            return list(OutboxEvent.objects.order_by("id").values_list("topic", flat=True))

    def dispatch(self, **more: Any) -> services.DispatchReport:
        return services.dispatch_due(tenant=self.tenant, **more)

    def enquire(self) -> services.EnquiryReport:
        return services.enquire_unknown(tenant=self.tenant)

    def collect(self) -> services.CollectReport:
        return services.collect_inbound(tenant=self.tenant)


MakeHouse = Callable[[services.ConnectionIn], House]


@pytest.fixture
def house(committed_tenant: UUID) -> MakeHouse:
    """Make the tenant's line."""

    def make(wish: services.ConnectionIn) -> House:
        with bound(committed_tenant, actor="system:test"):
            services.save_connection(wish=wish)
        return House(tenant=committed_tenant, line=wish.code)

    return make


@contextmanager
def later(**step: float) -> Iterator[None]:
    """The same world, some time later."""
    with clock.frozen(clock.now() + timedelta(**step)):
        yield
