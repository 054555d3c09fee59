"""The way of money through the system, cut into passages; what a proposal looks like at the end."""

import json
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from threading import Event
from typing import Any, Final, TypedDict
from uuid import UUID

import httpx
import psycopg
from django.conf import settings
from django.test import Client

from approvals import policies as approval_policies
from approvals import selectors as approval_reads
from core import clock, policies
from core.api.authentication import access_token
from core.events.drain import drain
from core.events.models import Delivery, DeliveryState
from core.idempotency import IdempotencyKey
from core.identity.models import User
from core.tenancy import bound
from integrations import selectors as archive
from integrations import services as lines
from tests.chaos.seed import HTTP_DOOR, accounts_at_the_bank
from tests.conftest import make_user
from tests.treasury.movement.conftest import build_house
from treasury.models import Bank, Proposal
from treasury.services import proposals, rates, transfers
from treasury.services.proposals import ProposalIn

AMOUNT: Final = "250000.00"
# Longer than every lease: a delivery's 30 s, a collector's 60 s, a sender's and an asker's less.
LEASES_ARE_OVER: Final = timedelta(seconds=61)
ROUNDS_MAX: Final = 400
LAST_WORD: Final = "ACCC"  # the status with which this bank ends a payment
# Rounds in which the clock runs ahead of the leases that a killed process left behind.
ROUNDS_OF_LEASES: Final = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """The committed tenant, its people's tokens, its accounts, and its bank."""

    tenant: UUID
    maker: UUID
    tokens: dict[str, str]
    accounts: dict[str, str]
    bank_url: str
    bank_secret: str

    def ask_bank(self, method: str, path: str, body: Any = None) -> Any:
        headers = {"Authorization": f"Bearer {self.bank_secret}"}
        answer = httpx.request(method, self.bank_url + path, json=body, headers=headers, timeout=20)
        assert answer.is_success, answer.text
        return answer.json()


def share_files(world: World, *, at_most: int) -> None:
    """Let the bank behind the HTTP door take so many payments in one file."""
    writing = {"max_payments_per_file": at_most, "gather_seconds": 0}
    with bound(world.tenant, actor="system:chaos"):
        lines.save_profile(wish=lines.ProfileIn(code="files", name="Files", writing=writing))
        lines.use_profile(connection_code=HTTP_DOOR, profile_code="files")


def build_world(
    *, tenant: UUID, bank_home: Path, bank_url: str, secret: str, at: datetime
) -> World:
    """Build people and house in a committed tenant; `far` is behind the HTTP door."""
    with bound(tenant, actor="system:chaos"):
        people = {
            name: make_user(name, role)
            for name, role in (("maker", "treasury_maker"), ("checker", "treasury_checker"))
        }
        # The same call again must carry the same body, and a code lasts half a minute only.
        policies.change(
            policy=approval_policies.STEP_UP_FOR_EVERY_APPROVAL,
            value=False,
            actor=people["checker"],
            reason="chaos",
        )
        tokens = {name: str(access_token(person)) for name, person in people.items()}
        with clock.frozen(at - timedelta(days=1)):
            house = build_house(bank_home)
        with clock.frozen(at):
            rates.record_usd_rate(
                currency="INR", usd_per_unit=Decimal("0.0117"), as_of=at, source="test"
            )
        lines.save_connection(
            wish=lines.ConnectionIn(
                code=HTTP_DOOR, name="Over HTTP", kind="HTTP", base_url=bank_url, secret=secret,
                connect_timeout_seconds=1, read_timeout_seconds=3, rate_per_minute=60_000,
            )
        )  # fmt: skip
        Bank.objects.filter(bic="OTHRINBBXXX").update(connection=HTTP_DOOR)
    world = World(
        tenant=tenant,
        maker=people["maker"].pk,
        tokens=tokens,
        accounts={name: str(getattr(house, name).pk) for name in ("home", "near", "far")},
        bank_url=bank_url,
        bank_secret=secret,
    )
    world.ask_bank("POST", "/accounts", accounts_at_the_bank())
    return world


class Ending(TypedDict):
    """How far the clock ran until the case was settled, and whether a person had to help."""

    seconds: float
    retries: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One proposal under test; `why` finds it before it has an id."""

    world: World
    why: str
    route: tuple[str, str]

    # --- passages: what a process does that may be killed; the same call again is the retry -----

    def submit(self) -> int:
        """Propose over the API."""
        debit, credit = (self.world.accounts[name] for name in self.route)
        body = {
            "debit_account": debit, "credit_account": credit, "amount": AMOUNT, "why": self.why
        }  # fmt: skip
        return self._post("maker", "/api/v1/proposals", body)

    def decide(self) -> int:
        """Approve over the API: the last decision also releases the transfer."""
        with bound(self.world.tenant):
            request = approval_reads.request_of(
                subject_type="treasury.proposal", subject_id=self._proposal().pk
            )
        assert request is not None
        body = {
            "version": request.subject_version,
            "content_hash": request.content_hash,
            "reason": "",
        }
        return self._post("checker", f"/api/v1/approvals/{request.pk}/approve", body)

    def execute(self) -> bool:
        """Queue the payment order, as `execute_due` does for each that is due."""
        with bound(self.world.tenant, actor="system:treasury.execute"):
            return transfers.execute(proposal_id=self._proposal().pk)

    def dispatch(self) -> None:
        """Hand it to the bank and take notice of the outcome."""
        lines.dispatch_due(tenant=self.world.tenant)
        lines.enquire_unknown(tenant=self.world.tenant)
        drain(tenant=self.world.tenant)

    def collect(self) -> None:
        """Fetch what the bank says and book it."""
        lines.collect_inbound(tenant=self.world.tenant)
        drain(tenant=self.world.tenant)

    def submit_carelessly(self) -> bool:
        """The mistake that must be noticed: the effect commits before the key that protects it."""
        key = {"actor": str(self.world.maker), "key": self.why}
        with bound(self.world.tenant, actor=self.world.maker):
            if IdempotencyKey.objects.filter(**key).exists():
                return False
        with bound(self.world.tenant, actor=self.world.maker):
            maker = User.objects.get(pk=self.world.maker)
            made = proposals.create_proposal(draft=self._draft(), maker=maker)
            proposals.submit_proposal(proposal_id=made.pk, actor=maker)
        with bound(self.world.tenant, actor=self.world.maker):
            IdempotencyKey.objects.create(request_hash="", **key)
        return True

    # --- around them ----------------------------------------------------------------------------

    def until_settled(self) -> Ending:
        """Let the system work, its clock running past every lease, until the case is settled.

        What certainly never reached the bank has failed; a person tries it again, once.
        """
        start, retries = clock.now(), 0
        for number in range(ROUNDS_MAX):
            leap = LEASES_ARE_OVER * min(max(number - 2, 0), ROUNDS_OF_LEASES)
            with clock.frozen(start + leap + timedelta(seconds=number)):
                self.dispatch()
                self.collect()
                state = self._state()
                if state == "FAILED" and not retries:
                    self._retry()
                    retries += 1
                if state == "SETTLED" and self._nothing_is_open():
                    seconds = (clock.now() - start).total_seconds()
                    return Ending(seconds=seconds, retries=retries)
            Event().wait(0.02)
        raise AssertionError(f"{self.why} does not settle: {self._state()}")

    def _nothing_is_open(self) -> bool:
        """Whether the bank's last word was heard, a killed sender's lease noticed, and all events
        were handled.
        """
        with bound(self.world.tenant):
            proposal = self._proposal()
            if proposal.transfer.bank_status != LAST_WORD:
                return False
            order = archive.payment_message(proposal.reference)
            waiting = Delivery.objects.filter(state=DeliveryState.WAITING)
            return order is not None and order.state == "SENT" and not waiting.exists()

    def _state(self) -> str:
        with bound(self.world.tenant):
            return str(self._proposal().state)

    def _retry(self) -> None:
        with bound(self.world.tenant, actor=self.world.maker):
            transfers.retry_transfer(
                transfer_id=self._proposal().transfer.pk,
                actor=User.objects.get(pk=self.world.maker),
            )

    def bank_has_spoken(self) -> bool:
        """Wait until the bank has booked both sides and written all its messages."""
        reference = self.reference()
        for _ in range(ROUNDS_MAX):
            known = self.world.ask_bank("GET", f"/payments/{reference}")
            if known["status"] == "ACCC":
                return True
            Event().wait(0.02)
        return False

    def reference(self) -> str:
        with bound(self.world.tenant):
            return self._proposal().reference

    def _proposal(self) -> Proposal:
        return Proposal.objects.get(why=self.why)

    def _draft(self) -> ProposalIn:
        debit, credit = (UUID(self.world.accounts[name]) for name in self.route)
        return ProposalIn(
            debit_account=debit, credit_account=credit, amount=Decimal(AMOUNT), why=self.why
        )

    def _post(self, who: str, path: str, body: dict[str, Any]) -> int:
        headers = {
            "Authorization": f"Bearer {self.world.tokens[who]}",
            "Idempotency-Key": f"{self.why} {path.rpartition('/')[2]}",
        }
        answer = Client(headers=headers).post(
            path, json.dumps(body), content_type="application/json"
        )
        assert answer.status_code in (200, 201), answer.content
        return answer.status_code


Passage = Callable[[Case], Any]

_PICTURES: Final = {
    "proposals": "SELECT state, version, amount, closing_reason FROM treasury_proposal"
    " WHERE why = %(why)s",
    "approvals": "SELECT state, required_count,"
    " (SELECT count(*) FROM approvals_decision d WHERE d.request_id = r.id)"
    " FROM approvals_approvalrequest r WHERE subject_id IN (SELECT id FROM mine)",
    "transfers": "SELECT bank_status, bank_status_rank, outcome_unknown_since IS NULL,"
    " debit_entry_id IS NOT NULL, credit_entry_id IS NOT NULL FROM treasury_transfer"
    " WHERE proposal_id IN (SELECT id FROM mine)",
    "statuses": "SELECT status FROM treasury_transferstatus s"
    " JOIN treasury_transfer t ON t.id = s.transfer_id"
    " WHERE t.proposal_id IN (SELECT id FROM mine) ORDER BY 1",
    "orders": "SELECT state, kind FROM integrations_message WHERE direction = 'OUT'"
    " AND state <> 'REFUSED' AND reference IN (SELECT reference FROM mine)",
    "flows": "SELECT amount, state FROM treasury_expectedflow"
    " WHERE source_ref IN (SELECT reference FROM mine) ORDER BY 1",
    "entries": "SELECT amount, status, state FROM treasury_bankentry"
    " WHERE end_to_end_id IN (SELECT reference FROM mine) ORDER BY 1",
    "keys": "SELECT status FROM core_idempotencykey WHERE key LIKE %(why)s || ' %%' ORDER BY 1",
    "undone": "SELECT consumer, state FROM core_delivery WHERE state <> 'DONE' ORDER BY 1",
}


def picture(world: World, why: str) -> dict[str, list[Any]]:
    """Return all that is known of one case, without ids and times: equal pictures, equal ends."""
    mine = "WITH mine AS (SELECT id, reference FROM treasury_proposal WHERE why = %(why)s) "
    with psycopg.connect(settings.TMS_OWNER_CONNINFO, autocommit=True) as owner:
        owner.execute("SELECT set_config('app.tenant', %s, false)", [str(world.tenant)])
        return {
            name: [[str(part) for part in row] for row in owner.execute(mine + query, {"why": why})]
            for name, query in _PICTURES.items()
        }
