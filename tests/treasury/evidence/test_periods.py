"""The evidence of some days: counted first, in one piece or in parts, for those who may."""

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import date, timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.test import Client

from core import clock
from core.audit import anchors
from core.errors import Invalid
from core.identity.models import User
from core.tenancy import Tenant
from tests.conftest import MakeUser
from tests.scenes import scene
from tests.tms.desk.conftest import client_of, stranger
from tests.treasury.movement.conftest import TUESDAY, House, approve, at_work, house, propose
from treasury import evidence
from treasury.evidence import periods
from treasury.models import Transfer
from treasury.services import transfers
from verifier import verify as verifier

__all__ = ["at_work", "house", "stranger"]

DAY = TUESDAY.date()
PERIOD = evidence.Period(first=DAY - timedelta(days=3), last=DAY)
Move = Callable[..., Transfer]


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path: Path, settings: Any) -> None:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"


@scene
def moved(house: House, tenant: Tenant, maker: User, checker: User) -> Move:
    """Make a transfer, at the frozen moment or some days later."""

    def make(amount: str, **more: Any) -> Transfer:
        proposal = propose(house, maker, amount, **more)
        approve(tenant, proposal, checker)
        transfers.execute(proposal_id=proposal.pk)
        return Transfer.objects.get(proposal=proposal)

    return make


@pytest.fixture
def two_to_a_pack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(periods, "PAYMENTS_MAX", 2)


def days_and_counts(period: evidence.Period) -> list[tuple[date, date, int, int]]:
    found = evidence.parts_of(period)
    return [(one.period.first, one.period.last, one.period.part, one.count) for one in found]


def test_the_days_are_counted_before_anything_is_built(moved: Move) -> None:
    moved("250000.00")
    moved("260000.00")
    assert evidence.count_of(PERIOD) == 2
    assert days_and_counts(PERIOD) == [(DAY, DAY, 1, 2)]
    earlier = replace(PERIOD, last=DAY - timedelta(days=1))
    assert evidence.count_of(earlier) == 0
    assert evidence.parts_of(earlier) == []


def test_one_account_has_the_payments_of_both_its_sides(moved: Move, house: House) -> None:
    moved("250000.00")
    for account, count in ((house.near, 1), (house.home, 1), (house.usd, 0)):
        assert evidence.count_of(replace(PERIOD, account=account.pk)) == count


@pytest.mark.usefixtures("two_to_a_pack")
def test_days_that_are_too_many_for_one_pack_come_in_several(moved: Move) -> None:
    for number in range(3):
        moved(f"25000{number}.00")
    with clock.frozen(TUESDAY + timedelta(days=1)):
        moved("260000.00")
    after = DAY + timedelta(days=1)
    period = replace(PERIOD, last=after)
    assert days_and_counts(period) == [
        (DAY, DAY, 1, 2), (DAY, DAY, 2, 1), (after, after, 1, 1)
    ]  # fmt: skip
    with pytest.raises(Invalid, match="fewer days"):
        evidence.build_period(period)
    parts = [evidence.build_period(one.period) for one in evidence.parts_of(period)]
    references = [line.reference for part in parts for line in part.index.payments]
    every = Transfer.objects.order_by("created_at", "id")
    assert references == [one.end_to_end_id for one in every]


def test_impossible_periods_are_refused_by_name(house: House) -> None:
    for period, words in (
        (replace(PERIOD, last=DAY - timedelta(days=9)), "before the first"),
        (replace(PERIOD, first=DAY - timedelta(days=400)), "at most 366"),
        (replace(PERIOD, part=0), "no such part"),
    ):
        with pytest.raises(Invalid, match=words):
            evidence.build_period(period)


def test_an_auditor_verifies_a_period_and_finds_a_pack_that_is_missing(
    moved: Move, tmp_path: Path
) -> None:
    moved("250000.00")
    moved("260000.00")
    packed = evidence.pack_of(evidence.build_period(PERIOD))
    path = tmp_path / "period.json"
    path.write_text(json.dumps(packed))
    found = verifier.verify_any(path, anchors.public_key())
    assert found["intact"], found["faults"]
    assert found["packs"] == 2
    packed["evidence"]["packs"].pop()
    path.write_text(json.dumps(packed))
    codes = [fault["code"] for fault in verifier.verify_any(path, anchors.public_key())["faults"]]
    assert codes == ["evidence_differs", "index_differs"]


def test_the_paper_of_a_period_holds_the_index_and_every_payment(moved: Move) -> None:
    moved("250000.00")
    one = evidence.build_period(PERIOD)
    paper = evidence.draw_period(one)
    assert paper.startswith(b"%PDF-")
    assert evidence.draw_period(one) == paper
    alone = evidence.draw(one.packs[0])
    assert paper.count(b"/Type /Page\n") == alone.count(b"/Type /Page\n") + 1


def test_the_page_counts_first_and_offers_both_papers(moved: Move, maker: User) -> None:
    moved("250000.00")
    client = client_of(maker)
    page = client.get("/evidence", {"first": f"{DAY}", "last": f"{DAY}"}).content.decode()
    assert "1 payment<" in page
    asked = f"first={DAY}&last={DAY}&part=1"
    for kind, media in (("json", "application/json"), ("pdf", "application/pdf")):
        address = f"/api/v1/evidence?{asked}&format={kind}"
        assert address.replace("&", "&amp;") in page
        answer = client.get(address)
        assert answer.status_code == 200
        assert answer["Content-Type"].startswith(media)
        assert f'evidence-{DAY}-{DAY}.{kind}"' in answer["Content-Disposition"]
    assert client.get("/api/v1/evidence").json()["evidence"]["index"]["payments"]


def test_the_page_says_what_is_wrong_with_the_days(house: House, maker: User) -> None:
    client = client_of(maker)
    empty = client.get("/evidence", {"first": "2020-01-01", "last": "2020-01-02"})
    assert "No payments" in empty.content.decode()
    for asked, words in (
        ({"first": "soon", "last": f"{DAY}"}, "Write the day as"),
        ({"first": f"{DAY}", "last": "2020-01-02"}, "before the first"),
        ({"first": f"{DAY}", "last": f"{DAY}", "account": f"{uuid4()}"}, "no such account"),
    ):
        answer = client.get("/evidence", asked)
        assert answer.status_code == 200
        assert words in answer.content.decode()


@pytest.mark.usefixtures("two_to_a_pack")
def test_the_page_offers_to_split(moved: Move, maker: User) -> None:
    for number in range(3):
        moved(f"25000{number}.00")
    page = client_of(maker).get("/evidence", {"first": f"{DAY}", "last": f"{DAY}"}).content.decode()
    assert "3 payments" in page
    assert "come in 2 packs" in page
    refused = client_of(maker).get(
        "/api/v1/evidence", {"first": f"{DAY - timedelta(days=1)}", "last": f"{DAY}"}
    )
    assert refused.status_code == 422


def test_only_readers_of_evidence_get_in(house: House, user_with: MakeUser) -> None:
    dealer, auditor = (client_of(user_with(role, name=role)) for role in ("dealer", "auditor"))
    for address in ("/evidence", "/api/v1/evidence"):
        assert dealer.get(address).status_code == 403
        assert auditor.get(address).status_code == 200
    assert "/evidence" in auditor.get("/audit").content.decode()


def test_another_company_sees_none_of_it(moved: Move, stranger: Client) -> None:
    moved("250000.00")
    told = stranger.get("/api/v1/evidence", {"first": f"{DAY}", "last": f"{DAY}"})
    assert told.status_code in (200, 403)
    assert b"250000" not in told.content
