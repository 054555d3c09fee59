"""A stranger's bank is connected by configuration alone; after a week both books agree."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.test import Client

from approvals import selectors as approval_reads
from approvals import services as approvals
from core import clock
from core.api.authentication import access_token
from core.changes.models import ChangeRequest
from core.changes.services import open_tenant
from core.events.drain import drain
from core.identity.models import User
from core.tenancy import bound
from integrations import services as lines
from integrations.models import BankConnection, Message, Route
from tests.approvals.stepping import shown
from tests.conftest import make_user
from tests.treasury.movement.conftest import age, approve, build_house
from treasury.models import BankAccount, BankEntry, LegalEntity, Proposal
from treasury.selectors import positions
from treasury.services import proposals, transfers
from treasury.services.proposals import ProposalIn

PROGRAM = Path(__file__).with_name("stranger_bank.py")
MONDAY = datetime(2026, 11, 16, 5, 0, tzinfo=UTC)  # 10:30 in Mumbai
OPENING = {"7000000001": "50000000.00", "7000000002": "1000.00"}
MAIN, SPARE = OPENING
LINE = "stranger"


@dataclass(slots=True)
class Stranger:
    """The other bank: told what happens, and asked for its book."""

    process: Any

    def tell(self, do: str, **wish: Any) -> dict[str, Any]:
        self.process.stdin.write(json.dumps({"do": do, **wish}) + "\n")
        self.process.stdin.flush()
        answer: dict[str, Any] = json.loads(self.process.stdout.readline())
        return answer


@contextmanager
def running(home: Path) -> Iterator[Stranger]:
    process = subprocess.Popen(
        [sys.executable, "-I", str(PROGRAM), str(home), json.dumps(OPENING)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        yield Stranger(process)
    finally:
        process.kill()
        process.communicate(timeout=20)


@dataclass(slots=True, kw_only=True)
class Treasury:
    """Our side: people, and the few things that they and the system's own loops do."""

    tenant: UUID
    bank: Stranger
    people: dict[str, User]
    other: UUID

    # Configuration, by two people

    def change(self, model: str, **values: Any) -> None:
        """Propose a new row over the API as static data, and let another person approve it."""
        headers = {
            "Authorization": f"Bearer {access_token(self.people['clerk'])}",
            "Idempotency-Key": uuid4().hex,
        }
        body = {"model": model, "values": values, "reason": "A new bank."}
        answer = Client(headers=headers).post(
            "/api/v1/changes", json.dumps(body), content_type="application/json"
        )
        assert answer.status_code == 201, answer.content
        with bound(self.tenant, actor=self.people["checker"].pk):
            found = approval_reads.request_of(
                subject_type="core.change", subject_id=UUID(answer.json()["id"])
            )
            assert found is not None
            approvals.decide(
                request_id=found.pk,
                checker=self.people["checker"],
                outcome="APPROVE",
                content_hash=found.content_hash,
                version=1,
                evidence=shown(self.people["checker"], found.content_hash),
            )
            change = ChangeRequest.objects.get(pk=answer.json()["id"])
            assert change.state == "APPLIED", change.problem

    # The day's work

    def account(self, number: str) -> BankAccount:
        return BankAccount.objects.get(label=f"Stranger {number}")

    def pay(self, amount: str, *, to_other_bank: bool = False) -> str:
        """Propose, approve and send a payment; return its reference."""
        with bound(self.tenant, actor=self.people["maker"].pk):
            target = self.other if to_other_bank else self.account(SPARE).pk
            draft = ProposalIn(
                debit_account=self.account(MAIN).pk,
                credit_account=target,
                amount=Decimal(amount),
                why=f"Week {amount}",
            )
            made = proposals.create_proposal(draft=draft, maker=self.people["maker"])
            proposals.submit_proposal(proposal_id=made.pk, actor=self.people["maker"])
            proposal = Proposal.objects.get(pk=made.pk)
        for name in ("second", "third"):
            if self.state(proposal.reference) == "PENDING":
                approve(self.tenant, proposal, self.people[name])
        drain(tenant=self.tenant)
        with bound(self.tenant, actor="system:treasury.execute"):
            transfers.execute(proposal_id=proposal.pk)
        self.work()
        return str(proposal.reference)

    def work(self) -> None:
        """Let the system's loops go round until nothing is left to do."""
        for _ in range(3):
            lines.dispatch_due(tenant=self.tenant)
            lines.collect_inbound(tenant=self.tenant)
            while drain(tenant=self.tenant):
                pass

    def state(self, reference: str) -> str:
        with bound(self.tenant, actor="system:test"):
            return str(Proposal.objects.get(reference=reference).state)

    def booked(self, number: str) -> Decimal:
        with bound(self.tenant, actor="system:test"):
            account = self.account(number)
            (found,) = positions.positions(
                on=clock.now().date(), accounts=BankAccount.objects.filter(pk=account.pk)
            )
            return Decimal(found.booked)

    def agrees(self) -> None:
        """Hold both books against each other, to the last place."""
        book = self.bank.tell("show")["balances"]
        assert {number: str(self.booked(number)) for number in OPENING} == {
            number: f"{Decimal(balance):.4f}" for number, balance in book.items()
        }


@contextmanager
def at(day: int, hour: int = 0) -> Iterator[None]:
    with clock.frozen(MONDAY + timedelta(days=day, hours=hour)):
        yield


@pytest.fixture
def treasury(committed_tenant: UUID, tmp_path: Path) -> Iterator[Treasury]:
    """An opened tenant that has never heard of the stranger."""
    with running(tmp_path / "stranger") as bank:
        with at(-3), bound(committed_tenant, actor="system:test"):
            people = {
                name: make_user(name, role)
                for name, role in (
                    ("clerk", "static_data"),
                    ("maker", "treasury_maker"),
                    ("checker", "treasury_checker"),
                    ("manager", "treasury_manager"),
                    ("second", "treasury_checker"),
                    ("third", "treasury_checker"),
                    ("admin", "tenant_admin"),
                )
            }
            house = build_house(tmp_path / "host")
            open_tenant(actor=people["admin"])
        yield Treasury(tenant=committed_tenant, bank=bank, people=people, other=house.far.pk)


def connect(treasury: Treasury, home: Path) -> None:
    """Everything that it takes: how the bank speaks, where it is, which way, bank and accounts."""
    treasury.change(
        "integrations.bankprofile",
        code=LINE,
        name="Stranger's bank",
        reading={"accounts": {f"STRG-{number}": number for number in OPENING}},
    )
    treasury.change(
        "integrations.bankconnection",
        code=LINE,
        name="Stranger, host to host",
        kind="FOLDER",
        directory=str(home),
        outbound_path="in/payments",
        inbound_path="out/reports",
        profile=LINE,
    )
    treasury.change("integrations.route", home=LINE, connection=LINE, priority="1")
    treasury.change("treasury.bank", bic="STRGINBBXXX", name="Stranger Bank", connection=LINE)
    with bound(treasury.tenant, actor="system:test"):
        entity = LegalEntity.objects.get()
    for number in OPENING:
        treasury.change(
            "treasury.bankaccount",
            entity=entity.name,
            bank="STRGINBBXXX",
            label=f"Stranger {number}",
            currency="INR",
            number=number,
            clearing_code="STRG0000001",
            timezone="Asia/Kolkata",
        )


def test_after_a_week_amounts_statuses_and_balances_agree(
    treasury: Treasury, tmp_path: Path
) -> None:
    bank = treasury.bank
    with at(-3):
        connect(treasury, tmp_path / "stranger")
    with bound(treasury.tenant, actor="system:test"):
        age("treasury_bankaccount", hours=60 * 24)  # a new account cools down before it pays
    with at(-3, 12):
        bank.tell("day", date="2026-11-13")
        bank.tell("close")
        treasury.work()
        treasury.agrees()

    settled = _monday(treasury)
    refused = _tuesday(treasury)
    returned = _wednesday(treasury)
    _thursday(treasury, returned)
    last = _friday(treasury)

    _nothing_is_left_over(treasury)
    assert bank.tell("show")["payments"] == {
        settled: "booked",
        refused: "refused",
        returned: "returned",
        last: "booked",
    }


def _monday(treasury: Treasury) -> str:
    """A payment between its own accounts arrives."""
    bank = treasury.bank
    with at(0):
        bank.tell("day", date="2026-11-16")
        settled = treasury.pay("300000.55")
        assert bank.tell("take")["taken"] == [settled]
        bank.tell("settle")
        treasury.work()
        assert treasury.state(settled) == "SETTLED"
    _evening(treasury, 0)
    return settled


def _tuesday(treasury: Treasury) -> str:
    """The bank refuses one."""
    with at(1):
        treasury.bank.tell("day", date="2026-11-17")
        refused = treasury.pay("250000.10")
        treasury.bank.tell("take", refuse={"250000.10": "AC04"})
        treasury.work()
        assert treasury.state(refused) == "FAILED"
    _evening(treasury, 1)
    return refused


def _wednesday(treasury: Treasury) -> str:
    """One leaves for another bank; charges are taken."""
    bank = treasury.bank
    with at(2):
        bank.tell("day", date="2026-11-18")
        returned = treasury.pay("400000.00", to_other_bank=True)
        bank.tell("take")
        bank.tell("settle")
        bank.tell("book", account=MAIN, amount="-118.00", text="Charges of October", charge=True)
        treasury.work()
    _evening(treasury, 2)
    return returned


def _thursday(treasury: Treasury, returned: str) -> None:
    """It comes back; the charges were wrong and are corrected."""
    bank = treasury.bank
    with at(3):
        bank.tell("day", date="2026-11-19")
        bank.tell("return", reference=returned, reason="AC04")
        bank.tell(
            "book", account=MAIN, amount="118.00", text="Correction", charge=True, reversal=True
        )
        treasury.work()
        assert treasury.state(returned) == "RETURNED"
    _evening(treasury, 3)


def _friday(treasury: Treasury) -> str:
    """One more payment, and a customer pays."""
    bank = treasury.bank
    with at(4):
        bank.tell("day", date="2026-11-20")
        last = treasury.pay("275000.45")
        bank.tell("take")
        bank.tell("settle")
        bank.tell("book", account=MAIN, amount="12345.67", text="Customer")
        treasury.work()
        assert treasury.state(last) == "SETTLED"
    _evening(treasury, 4)
    return last


def _evening(treasury: Treasury, day: int) -> None:
    """The bank closes its day; the statement is read and both books are compared."""
    with at(day, 14):
        treasury.bank.tell("close")
        treasury.work()
        treasury.agrees()


def _nothing_is_left_over(treasury: Treasury) -> None:
    """Every message was read, and what came by notification and by statement counts once."""
    with bound(treasury.tenant, actor="system:test"):
        states = set(
            Message.objects.filter(connection__code=LINE).values_list("direction", "state")
        )
        assert states == {("OUT", "SENT"), ("IN", "HANDLED")}
        counted = BankEntry.objects.filter(account__label=f"Stranger {MAIN}", state="COUNTED")
        assert sum(entry.amount for entry in counted) == Decimal("-562655.33")
        assert BankConnection.objects.filter(code=LINE, profile__code=LINE).exists()
        assert Route.objects.filter(home__code=LINE).exists()
