"""Several orders in one file at a real bank: one call, one way, and each is answered by itself."""

import uuid
from datetime import timedelta
from pathlib import Path

import pytest

from core import clock
from core.tenancy import bound
from integrations import selectors, services
from integrations.models import Message
from integrations.services import dispatching
from tests.integrations.room.conftest import (
    House,
    MakeHouse,
    SandboxBank,
    folder_line,
    http_line,
    later,
    order,
)

GATHER_SECONDS = 20


def takes_files(house: House, *, at_most: int = 10) -> House:
    """Let the house's line take files of several payments."""
    writing = {"max_payments_per_file": at_most, "gather_seconds": GATHER_SECONDS}
    with bound(house.tenant, actor="system:test"):
        services.save_profile(wish=services.ProfileIn(code="files", name="Files", writing=writing))
        services.use_profile(connection_code=house.line, profile_code="files")
    return house


def queued(house: House, count: int = 3) -> list[Message]:
    made = []
    for _ in range(count):
        own = f"M{uuid.uuid4().hex[:30]}"
        made.append(
            house.queue(order(message_id=own, payment_information_id=own, instruction_id=own))
        )
    return made


def file_of(house: House, message: Message) -> Message:
    with bound(house.tenant, actor="system:test"):
        found = selectors.file_of(message.pk)
    assert found is not None
    return found


def test_they_wait_for_company_and_leave_in_one_call(bank: SandboxBank, house: MakeHouse) -> None:
    home = takes_files(house(http_line(bank.url)))
    orders = queued(home)
    assert home.dispatch().total == 0
    with later(seconds=GATHER_SECONDS):
        assert home.dispatch().sent == 1
    assert {home.state(one) for one in orders} == {"SENT"}
    assert file_of(home, orders[0]).orders_count == 3
    assert [bank.attempts(one.reference) for one in orders] == [1, 1, 1]
    assert home.topics().count("integrations.payment.sent") == 3


def test_a_full_file_waits_for_nobody(bank: SandboxBank, house: MakeHouse) -> None:
    home = takes_files(house(http_line(bank.url)), at_most=2)
    orders = queued(home, 3)
    assert home.dispatch().sent == 1
    sent = [home.state(one) for one in orders]
    assert sorted(sent) == ["QUEUED", "SENT", "SENT"]
    with later(seconds=GATHER_SECONDS):
        assert home.dispatch().sent == 1
    assert {home.state(one) for one in orders} == {"SENT"}


def test_nobody_waits_into_the_cut_off(bank: SandboxBank, house: MakeHouse) -> None:
    home = takes_files(house(http_line(bank.url)))
    house_of = home.queue(not_after=clock.now() + timedelta(seconds=65))
    wait = (house_of.due_at or clock.now()) - clock.now()
    assert wait <= timedelta(seconds=5)


def test_over_a_folder_one_file_lies_there(
    bank: SandboxBank, house: MakeHouse, tmp_path: Path
) -> None:
    home = takes_files(house(folder_line(tmp_path)))
    orders = queued(home)
    with later(seconds=GATHER_SECONDS):
        assert home.dispatch().sent == 1
    [lying] = [one for one in (tmp_path / "outbound").iterdir() if one.is_file()]
    assert lying.name == file_of(home, orders[0]).name
    assert lying.read_bytes().count(b"<CdtTrfTxInf>") == 3


def test_after_a_broken_call_the_bank_is_asked_about_each(
    bank: SandboxBank, house: MakeHouse
) -> None:
    bank.fault(kind="accept_then_timeout", rate=1.0, mode="close", seed=1)
    home = takes_files(house(http_line(bank.url)))
    orders = queued(home)
    with later(seconds=GATHER_SECONDS):
        assert home.dispatch().unknown == 1
    assert {home.state(one) for one in orders} == {"UNKNOWN"}
    bank.no_faults()
    with later(minutes=5):
        assert home.enquire().found == 3
    assert {home.state(one) for one in orders} == {"SENT"}
    assert home.state(file_of(home, orders[0])) == "SENT"
    assert [bank.attempts(one.reference) for one in orders] == [1, 1, 1]


def test_a_bank_that_is_away_postpones_all_and_keeps_the_file(house: MakeHouse) -> None:
    home = takes_files(house(http_line("http://127.0.0.1:9")))
    orders = queued(home)
    with later(seconds=GATHER_SECONDS):
        assert home.dispatch().postponed == 1
    assert {home.state(one) for one in orders} == {"QUEUED"}
    first = file_of(home, orders[0])
    with later(minutes=5):
        assert home.dispatch().postponed == 1
    assert file_of(home, orders[0]).pk == first.pk


@pytest.mark.parametrize(
    ("minutes", "states"), [((10, 10), ["REFUSED", "REFUSED"]), ((10, 60), ["REFUSED", "QUEUED"])]
)
def test_past_its_cut_off_an_order_is_refused_and_takes_no_other_along(
    house: MakeHouse, minutes: tuple[int, int], states: list[str]
) -> None:
    home = takes_files(house(http_line("http://127.0.0.1:9")))
    orders = []
    for limit in minutes:
        own = f"M{uuid.uuid4().hex[:30]}"
        wish = order(message_id=own, payment_information_id=own, instruction_id=own)
        orders.append(home.queue(wish, not_after=clock.now() + timedelta(minutes=limit)))
    with later(seconds=GATHER_SECONDS):
        assert home.dispatch().postponed == 1
    with later(minutes=11):
        home.dispatch()
    assert [home.state(one) for one in orders] == states
    refused = home.topics().count("integrations.payment.refused")
    assert refused == states.count("REFUSED")


def test_a_sender_that_went_silent_leaves_all_unknown(bank: SandboxBank, house: MakeHouse) -> None:
    home = takes_files(house(http_line(bank.url)))
    orders = queued(home)
    with later(seconds=GATHER_SECONDS):
        claim = dispatching._claim_next(home.tenant, set())
    assert isinstance(claim, dispatching.Claim)
    assert {home.state(one) for one in orders} == {"SENDING"}
    with later(minutes=5):
        assert home.dispatch().abandoned == 1
    assert {home.state(one) for one in orders} == {"UNKNOWN"}
    with later(minutes=20):
        assert home.enquire().not_found == 3
    assert {home.state(one) for one in orders} == {"REFUSED"}
    assert home.state(file_of(home, orders[0])) == "REFUSED"


def test_without_a_profile_each_goes_alone(bank: SandboxBank, house: MakeHouse) -> None:
    home = house(http_line(bank.url))
    orders = queued(home)
    assert home.dispatch().sent == 3
    with bound(home.tenant, actor="system:test"):
        assert all(selectors.file_of(one.pk) is None for one in orders)
