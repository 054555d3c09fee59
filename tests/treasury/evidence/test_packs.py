"""Whoever asks how a payment came about gets one pack that proves every step of it."""

import json
from datetime import timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from core import clock
from core.audit import anchors, chain, verification
from core.identity.models import User
from core.tenancy import Tenant
from tests.conftest import MakeUser
from tests.tms.desk.conftest import client_of, stranger
from tests.treasury.movement.conftest import House, approve, at_work, house, propose
from tests.treasury.movement.test_transfers import _booked, _heard
from treasury import evidence
from treasury.models import Proposal, Transfer
from treasury.services import transfers
from verifier import verify as verifier

__all__ = ["at_work", "house", "stranger"]


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path: Path, settings: Any) -> None:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"


@pytest.fixture
def settled(house: House, tenant: Tenant, maker: User, checker: User) -> Transfer:
    """A transfer that went all the way, on a sealed and verified trail."""
    proposal = propose(house, maker)
    approve(tenant, proposal, checker)
    transfers.execute(proposal_id=proposal.pk)
    transfers.mark_sent(reference=proposal.reference, bank_reference="BANK-1")
    proposal = Proposal.objects.get(pk=proposal.pk)
    _heard(proposal, "ACSC")
    _booked(house.near, proposal, -proposal.amount, locator="Ntfctn[1]/Ntry[1]")
    _booked(house.home, proposal, proposal.amount, locator="Ntfctn[1]/Ntry[2]")
    chain.seal_all(tenant=tenant.id)
    verification.ask(by="test")
    verification.carry_out(tenant=tenant.id)
    return Transfer.objects.get(proposal=proposal)


def test_the_pack_tells_the_whole_way_from_origin_to_statement_line(
    settled: Transfer, maker: User, checker: User
) -> None:
    pack = evidence.build(transfer_id=settled.pk)
    assert pack.proposal["state"] == "SETTLED"
    assert pack.origin["made_by"] == maker.display_name
    (version,) = pack.versions
    assert [one["checker_name"] for one in version.decisions] == [checker.display_name]
    assert [one["direction"] for one in pack.messages] == ["OUT"]
    assert [one["status"] for one in pack.bank_answers] == ["ACSC"]
    assert {one["locator"] for one in pack.statement_entries} >= {"Ntfctn[1]/Ntry[1]"}
    assert {one["file_sha256"] for one in pack.statement_entries} == {"0" * 64}
    titles = [one.what for one in pack.timeline]
    assert titles.index("Proposed") < titles.index("Approved") < titles.index("Sent to the bank")
    tables = {one["table"] for one in pack.audit}
    assert tables >= {
        "treasury_proposal", "treasury_transfer", "approvals_approvalrequest",
        "approvals_decision", "integrations_message",
    }  # fmt: skip


def test_everything_that_was_hashed_can_be_hashed_again(settled: Transfer) -> None:
    pack = evidence.build(transfer_id=settled.pk)
    for version in pack.versions:
        assert sha256(version.hashed_text.encode()).hexdigest() == version.content_hash
        assert version.hash_holds
    assert pack.audit
    for entry in pack.audit:
        linked = sha256((entry["previous_hash"] + entry["hashed_text"]).encode()).hexdigest()
        assert linked == entry["hash"]
    assert all(message["archived_bytes_hold"] for message in pack.messages)
    known = pack.verification
    assert known.holding_count == known.sealed_count == known.entries_count
    text, _, signature = known.anchor.rpartition(" ")
    assert verifier.signed_by(known.public_key, text.encode(), signature)
    assert known.verified_intact


def test_no_account_number_leaves_with_a_pack(settled: Transfer, house: House) -> None:
    pack = evidence.build(transfer_id=settled.pk)
    assert pack.debit["number_ends_with"] == house.near.number_hint
    for account in (house.near, house.home):
        assert account.number not in pack.canonical()


def test_the_manifest_signs_the_canonical_text(settled: Transfer) -> None:
    packed = evidence.pack_of(evidence.build(transfer_id=settled.pk))
    text = json.dumps(packed["evidence"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    manifest = packed["manifest"]
    assert sha256(text.encode()).hexdigest() == manifest["sha256"]
    signed = manifest["sha256"].encode()
    assert verifier.signed_by(manifest["public_key"], signed, manifest["signature"])


def test_the_same_pack_is_the_same_paper(settled: Transfer) -> None:
    pack = evidence.build(transfer_id=settled.pk)
    paper = evidence.draw(pack)
    assert paper.startswith(b"%PDF-")
    assert paper.count(b"/Type /Page\n") >= 2
    assert evidence.draw(pack) == paper


def test_the_api_gives_json_and_pdf_to_those_who_may(
    settled: Transfer, maker: User, user_with: MakeUser
) -> None:
    address = f"/api/v1/transfers/{settled.pk}/evidence"
    client = client_of(maker)
    told = client.get(address)
    assert told.status_code == 200
    assert told.json()["evidence"]["reference"] == settled.end_to_end_id
    paper = client.get(address, {"format": "pdf"})
    assert paper["Content-Type"] == "application/pdf"
    assert paper["Content-Disposition"] == f'attachment; filename="{settled.end_to_end_id}.pdf"'
    assert paper.content.startswith(b"%PDF-")
    dealer = client_of(user_with("dealer", name="dealer"))
    for query in ({}, {"format": "pdf"}):
        refused = dealer.get(address, query)
        assert refused.status_code == 403
        assert refused["Content-Type"] == "application/problem+json"


def test_a_foreign_transfer_is_as_unknown_as_none(settled: Transfer, stranger: Client) -> None:
    for found in (settled.pk, uuid4()):
        assert stranger.get(f"/api/v1/transfers/{found}/evidence").status_code == 404


def test_the_transfer_page_offers_the_evidence(settled: Transfer, maker: User) -> None:
    page = client_of(maker).get(f"/proposals/{settled.proposal_id}").content.decode()
    assert f"/api/v1/transfers/{settled.pk}/evidence?format=pdf" in page


def test_a_refused_attempt_is_part_of_the_story(settled: Transfer, user_with: MakeUser) -> None:
    client = client_of(user_with("dealer", name="dealer"))
    assert client.get(f"/api/v1/transfers/{settled.pk}/evidence").status_code == 403
    pack = evidence.build(transfer_id=settled.pk)
    assert "Dealer: forbidden" in [one.words for one in pack.timeline]


def test_a_period_comes_with_an_index_and_a_signed_manifest(
    settled: Transfer, tmp_path: Path
) -> None:
    today = clock.now().date()
    folder = tmp_path / "pack"
    out = StringIO()
    call_command(
        "evidence", "--tenant", "north", "--out", str(folder),
        "--from", str(today - timedelta(days=1)), "--to", str(today), stdout=out,
    )  # fmt: skip
    index = json.loads((folder / "index.json").read_text())
    (line,) = index["payments"]
    assert line["reference"] == settled.end_to_end_id
    assert sha256((folder / line["pack"]).read_bytes()).hexdigest() == line["sha256"]
    manifest = (folder / "manifest.json").read_text()
    files = json.loads(manifest)["files"]
    assert set(files) == {
        "index.json", "index.pdf", f"{line['reference']}.json", f"{line['reference']}.pdf"
    }  # fmt: skip
    signature = (folder / "manifest.sig").read_text().strip()
    assert verifier.signed_by(anchors.public_key(), manifest.encode(), signature)


def test_one_payment_by_its_reference(settled: Transfer, tmp_path: Path) -> None:
    wanted = ["evidence", "--tenant", "north", "--out", str(tmp_path / "one")]
    call_command(*wanted, "--transfer", settled.end_to_end_id, stdout=StringIO())
    assert (tmp_path / "one" / f"{settled.end_to_end_id}.pdf").is_file()
    with pytest.raises(CommandError, match="not empty"):
        call_command(*wanted, "--transfer", settled.end_to_end_id)
    with pytest.raises(CommandError, match="There is no transfer X"):
        call_command(*wanted, "--transfer", "X")
    with pytest.raises(CommandError, match="Name a payment"):
        call_command("evidence", "--tenant", "north", "--out", str(tmp_path / "none"))
