"""A shortfall becomes one proposal per currency and day, from an account that can spare it."""

import threading
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import psycopg
import pytest
from django.db import connection

from core import clock, policies
from core.changes.models import ChangeRequest
from core.changes.selectors import preview_of
from core.changes.services import open_tenant
from core.errors import Forbidden, Invalid
from core.events.drain import drain
from core.events.models import Delivery, DeliveryState, OutboxEvent
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.conftest import make_user
from tests.scenes import scene
from tests.treasury.movement.conftest import NEAR_YEARS, TUESDAY, House, build_house, put_balance
from treasury.models import PrefundingRequest, Proposal, SuppressedShortfall
from treasury.policies import (
    PREFUNDING_BUFFER_PCT,
    PREFUNDING_MIN_TRANSFER,
    PREFUNDING_TOP_UP_PCT,
)
from treasury.services import prefunding
from treasury.services.prefunding import Shortfall


def _shortfall(house: House, missing: str = "2500000.00", **more: Any) -> Shortfall:
    return Shortfall(
        event_id=more.pop("event_id", uuid4()),
        currency="INR",
        account_id=more.pop("account_id", house.home.pk),
        need_date=date(2026, 11, 17),
        required=Decimal(10_000_000),
        available=Decimal(10_000_000) - Decimal(missing),
        shortfall=Decimal(missing),
        occurred_at=more.pop("occurred_at", clock.now()),
    )


def test_a_shortfall_is_prefunded_with_its_buffer_from_the_same_bank(house: House) -> None:
    request = prefunding.handle_shortfall(shortfall=_shortfall(house))
    assert isinstance(request, PrefundingRequest)
    proposal = request.proposal
    assert proposal is not None
    assert (proposal.amount, proposal.rail) == (Decimal("2750000.00"), "BOOK")
    assert proposal.debit_account == house.near
    assert proposal.state == "PENDING"
    for word in ("10,000,000.00", "2,500,000.00", "10%", "Collection"):
        assert word in proposal.why


def test_the_source_keeps_its_own_floor(house: House) -> None:
    put_balance(house.near, "2000000.00", at=clock.now() + timedelta(seconds=1))
    with clock.frozen(clock.now() + timedelta(minutes=1)):
        request = prefunding.handle_shortfall(shortfall=_shortfall(house))
    assert isinstance(request, PrefundingRequest)
    assert request.proposal is not None
    assert (request.proposal.debit_account, request.proposal.rail) == (house.far, "RTGS_IN")


def test_without_a_source_the_problem_is_said_in_words(house: House) -> None:
    request = prefunding.handle_shortfall(shortfall=_shortfall(house, "900000000.00"))
    assert isinstance(request, PrefundingRequest)
    assert request.proposal is None
    assert "FX deal" in request.problem


def test_the_same_event_again_changes_nothing(house: House) -> None:
    shortfall = _shortfall(house)
    first = prefunding.handle_shortfall(shortfall=shortfall)
    assert prefunding.handle_shortfall(shortfall=shortfall) == first
    assert Proposal.objects.count() == 1


def test_a_second_shortfall_of_the_day_is_kept_and_advises_a_top_up(house: House) -> None:
    prefunding.handle_shortfall(shortfall=_shortfall(house))
    small = prefunding.handle_shortfall(shortfall=_shortfall(house, "2600000.00"))
    large = prefunding.handle_shortfall(shortfall=_shortfall(house, "5000000.00"))
    assert isinstance(small, SuppressedShortfall)
    assert isinstance(large, SuppressedShortfall)
    assert (small.top_up_advised, large.top_up_advised) == (False, True)
    assert Proposal.objects.count() == 1


def test_the_next_local_day_is_another_prefunding(house: House) -> None:
    """18:29:59Z and 18:30:00Z are two days in Kolkata (domain 12.2)."""
    late = datetime(2026, 11, 17, 18, 29, 59, tzinfo=UTC)
    for instant in (late, late + timedelta(seconds=1)):
        prefunding.handle_shortfall(shortfall=_shortfall(house, occurred_at=instant))
    assert PrefundingRequest.objects.count() == 2


def test_a_person_tops_up_and_rearms_with_a_reason(
    house: House, maker: User, checker: User
) -> None:
    first = prefunding.handle_shortfall(shortfall=_shortfall(house))
    later = prefunding.handle_shortfall(shortfall=_shortfall(house, "5000000.00"))
    assert isinstance(first, PrefundingRequest)
    assert isinstance(later, SuppressedShortfall)
    with pytest.raises(Forbidden):
        prefunding.propose_top_up(suppressed_id=later.pk, actor=checker)
    prefunding.propose_top_up(suppressed_id=later.pk, actor=maker)
    top_up = Proposal.objects.get(purpose="TOP_UP")
    assert top_up.amount == Decimal("2750000.00")
    with pytest.raises(Invalid, match="already"):
        prefunding.propose_top_up(suppressed_id=later.pk, actor=maker)
    with pytest.raises(Invalid):
        prefunding.rearm(request_id=first.pk, actor=maker, reason=" ")
    again = prefunding.rearm(request_id=first.pk, actor=maker, reason="rejected by mistake")
    assert again.sequence == 2
    assert again.proposal is not None
    assert again.proposal.maker == maker


@pytest.mark.parametrize("missing", ["0", "-1", "NaN"])
def test_an_impossible_shortfall_is_refused(house: House, missing: str) -> None:
    with pytest.raises(Invalid):
        prefunding.handle_shortfall(shortfall=_shortfall(house, missing))


def test_a_malformed_event_becomes_a_dead_letter_with_its_reason(
    house: House, tenant: Tenant
) -> None:
    row = OutboxEvent.objects.create(
        topic="forecast.rda.shortfall",
        aggregate="x",
        payload={"currency": "INR", "required": "ten"},
        occurred_at=clock.now(),
        correlation_id=uuid4(),
        producer="test",
    )
    Delivery.objects.create(
        event=row, consumer="treasury.prefunding", aggregate="x", due_at=clock.now()
    )
    drain(tenant=tenant.id)
    dead = Delivery.objects.get(event=row)
    assert dead.state == DeliveryState.DEAD
    assert "malformed" in dead.last_error


WORKERS = 6


@pytest.mark.parametrize("guarded", [True, False])
def test_workers_with_different_events_race_for_one_prefunding(
    committed_tenant: UUID,
    tmp_path: Path,
    owner_connection: psycopg.Connection[Any],
    guarded: bool,
) -> None:
    """The unique key decides; with the key dropped by its owner the race shows."""
    key = "prefunding_once_per_currency_and_day"
    with clock.frozen(TUESDAY), bound(committed_tenant):
        make_user("checker", "treasury_checker")
        house = build_house(tmp_path, years=NEAR_YEARS)
    if not guarded:
        owner_connection.execute(f"ALTER TABLE treasury_prefundingrequest DROP CONSTRAINT {key}")
    gate = threading.Barrier(WORKERS)

    def work() -> None:
        with clock.frozen(TUESDAY), bound(committed_tenant):
            gate.wait()
            prefunding.handle_shortfall(shortfall=_shortfall(house))
        connection.close()

    try:
        workers = [threading.Thread(target=work) for _ in range(WORKERS)]
        for worker in workers:
            worker.start()
        for worker in workers:
            worker.join()
        with bound(committed_tenant):
            count = PrefundingRequest.objects.count()
    finally:
        if not guarded:
            owner_connection.execute("TRUNCATE core_tenant CASCADE")
            owner_connection.execute(
                f"ALTER TABLE treasury_prefundingrequest ADD CONSTRAINT {key}"
                " UNIQUE (tenant_id, currency, local_date, purpose, sequence)"
            )
    assert (count == 1) is guarded


def _shown(policy: policies.Policy[Decimal], value: str, risk: User) -> dict[str, Any]:
    """Propose a value in a tenant under four eyes and return what its checkers are shown."""
    change = policies.change(policy=policy, value=value, actor=risk, reason="audit")
    assert isinstance(change, ChangeRequest)
    preview = preview_of(change)
    assert preview is not None
    return asdict(preview)


@scene
def risk(house: House) -> User:
    """Return who proposes policies in a tenant under four eyes, where others may approve them."""
    officer = make_user("risk", "risk_officer")
    make_user("one", "treasury_manager")
    make_user("two", "treasury_checker")
    open_tenant(actor=None)
    return officer


def test_other_terms_are_replayed_over_past_prefundings(house: House, risk: User) -> None:
    prefunding.handle_shortfall(shortfall=_shortfall(house))
    later = clock.now() + timedelta(days=1)
    prefunding.handle_shortfall(shortfall=_shortfall(house, "40.00", occurred_at=later))

    buffer = _shown(PREFUNDING_BUFFER_PCT, "0.20", risk)
    assert "Of 2 prefundings" in buffer["summary"]
    assert "in all +250,004.00 INR" in buffer["summary"]
    assert ("INR 2026-11-17", "2,750,000.00 INR", "3,000,000.00 INR") in buffer["lines"]

    least = _shown(PREFUNDING_MIN_TRANSFER, "1000", risk)
    assert least["lines"] == (("INR 2026-11-18", "44.00 INR", "1,000.00 INR"),)

    same = _shown(PREFUNDING_BUFFER_PCT, "0.10", risk)
    assert (same["lines"], "0 would have moved" in same["summary"]) == ((), True)


def test_another_threshold_for_top_ups_is_replayed(house: House, risk: User) -> None:
    for missing in ("2500000.00", "2600000.00", "5000000.00"):
        prefunding.handle_shortfall(shortfall=_shortfall(house, missing))

    found = _shown(PREFUNDING_TOP_UP_PCT, "0.01", risk)

    assert found["summary"].startswith("Of 2 later shortfalls in the last 90 days, 1 would")
    assert [line[1:] for line in found["lines"]] == [("none advised", "top-up advised")]
