"""What was approved together with one second factor is proven without this system."""

import json
import random
from collections.abc import Callable
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from approvals import selectors as approval_reads
from approvals import services as approvals
from approvals.models import DecisionList
from core.audit import anchors, chain
from core.identity.models import User
from core.tenancy import Tenant, bound
from tests.approvals.factories import EVIDENCE
from tests.conftest import stepped_up
from tests.core.test_audit_export import run
from tests.scenes import scene
from tests.treasury.movement.conftest import House, at_work, house, propose, to_see
from treasury import evidence
from treasury.models import Proposal, Transfer
from treasury.services import transfers
from verifier import verify as verifier

__all__ = ["at_work", "house"]

Forged = dict[str, Any]
FORGER = Ed25519PrivateKey.from_private_bytes(b"f" * 32)


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path: Path, settings: Any) -> None:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"


def approve_together(tenant: Tenant, proposals: list[Proposal], checker: User) -> None:
    """Open each proposal, and approve all with one second factor."""
    with bound(tenant.id, actor=checker.pk):
        items = []
        for proposal in proposals:
            request = approval_reads.request_of(
                subject_type="treasury.proposal",
                subject_id=proposal.pk,
                subject_version=proposal.version,
            )
            assert request is not None
            approvals.record_viewing(request=request, viewer=checker)
            items.append(
                approvals.ListedItem(
                    request_id=request.pk,
                    version=request.subject_version,
                    content_hash=request.content_hash,
                    acknowledged=to_see(request),
                )
            )
        digest = approvals.list_digest([item.content_hash for item in items])
        shown = replace(EVIDENCE, step_up=stepped_up(checker, digest))
        found = approvals.approve_together(items=items, checker=checker, evidence=shown)
        assert all(one.result for one in found), found


@scene
def listed(house: House, tenant: Tenant, maker: User, checker: User) -> Transfer:
    """One of two transfers that were approved together."""
    made = [propose(house, maker, amount) for amount in ("250000.00", "260000.00")]
    approve_together(tenant, made, checker)
    for proposal in made:
        transfers.execute(proposal_id=proposal.pk)
    chain.seal_all(tenant=tenant.id)
    return Transfer.objects.get(proposal=made[0])


@pytest.fixture
def packed(listed: Transfer) -> Forged:
    return evidence.pack_of(evidence.build(transfer_id=listed.pk))


def found_in(packed: Forged, folder: Path, key: str) -> list[str]:
    path = folder / "pack.json"
    path.write_text(json.dumps(packed))
    return [fault["code"] for fault in verifier.verify_any(path, key)["faults"]]


def test_a_pack_carries_the_list_its_digest_and_what_the_second_factor_was_shown_for(
    listed: Transfer,
) -> None:
    (version,) = evidence.build(transfer_id=listed.pk).versions
    (decision,) = version.decisions
    told = decision["list"]
    assert len(told["content_hashes"]) == 2
    assert version.content_hash in told["content_hashes"]
    assert sha256(told["hashed_text"].encode()).hexdigest() == told["digest"]
    assert decision["step_up_proof"]["row"]["content_hash"] == told["digest"]
    assert told["digest_holds"]
    assert told["is_on_it"]
    made = DecisionList.objects.get()
    assert told["id"] == str(made.pk)
    assert verifier.list_digest(made.content_hashes) == approvals.list_digest(made.content_hashes)


def test_the_trail_of_the_list_is_part_of_the_pack(packed: Forged) -> None:
    tables = {entry["table"] for entry in packed["evidence"]["audit"]}
    assert tables >= {"approvals_decisionlist", "core_stepup", "approvals_decision"}


def test_the_paper_shows_the_list(listed: Transfer) -> None:
    assert evidence.draw(evidence.build(transfer_id=listed.pk)).startswith(b"%PDF-")


def test_an_auditor_verifies_the_pack_with_the_standard_library_alone(
    packed: Forged, tmp_path: Path
) -> None:
    path = tmp_path / "pack.json"
    path.write_text(json.dumps(packed))
    done = run(path, "--key", anchors.public_key())
    assert done.returncode == 0, done.stdout + done.stderr
    assert "INTACT: evidence of 1 payments" in done.stdout
    assert "Compare it with the one you were given" in run(path).stdout


def test_a_folder_of_packs_is_verified_too(listed: Transfer, tmp_path: Path) -> None:
    folder = tmp_path / "packs"
    evidence.write_pack(transfer_id=listed.pk, folder=folder)
    assert run(folder, "--key", anchors.public_key()).returncode == 0
    path = folder / f"{listed.end_to_end_id}.json"
    path.write_text(path.read_text().replace("Payouts of tomorrow", "Payouts of yesterday"))
    codes = [one["code"] for one in verifier.verify_any(folder, anchors.public_key())["faults"]]
    assert "file_differs" in codes
    path.unlink()
    codes = [one["code"] for one in verifier.verify_any(folder, anchors.public_key())["faults"]]
    assert codes == ["file_missing"]


def _decision(packed: Forged) -> Forged:
    found: Forged = packed["evidence"]["versions"][0]["decisions"][0]
    return found


def _add_a_hash(packed: Forged, rng: random.Random) -> None:
    _decision(packed)["list"]["content_hashes"].append(rng.randbytes(32).hex())


def _drop_the_other(packed: Forged, _rng: random.Random) -> None:
    own = packed["evidence"]["versions"][0]["content_hash"]
    _decision(packed)["list"]["content_hashes"] = [own]


def _drop_its_own(packed: Forged, _rng: random.Random) -> None:
    own = packed["evidence"]["versions"][0]["content_hash"]
    _decision(packed)["list"]["content_hashes"].remove(own)


def _swap_the_list_and_its_digest(packed: Forged, rng: random.Random) -> None:
    told = _decision(packed)["list"]
    told["content_hashes"] = sorted([told["content_hashes"][0], rng.randbytes(32).hex()])
    told["digest"] = verifier.list_digest(told["content_hashes"])


def _swap_list_digest_and_proof(packed: Forged, rng: random.Random) -> None:
    own = packed["evidence"]["versions"][0]["content_hash"]
    told = _decision(packed)["list"]
    told["content_hashes"] = sorted([own, rng.randbytes(32).hex()])
    told["digest"] = verifier.list_digest(told["content_hashes"])
    _decision(packed)["step_up_proof"]["row"]["content_hash"] = told["digest"]


def _forget_the_list(packed: Forged, _rng: random.Random) -> None:
    _decision(packed)["list"] = None


def _forget_the_proof(packed: Forged, _rng: random.Random) -> None:
    _decision(packed)["step_up_proof"] = None


def _change_the_entry(packed: Forged, _rng: random.Random) -> None:
    for entry in packed["evidence"]["audit"]:
        if entry["table"] == "approvals_decisionlist":
            entry["hashed_text"] = entry["hashed_text"].replace("content_hashes", "content_hasheS")


def _change_the_content(packed: Forged, _rng: random.Random) -> None:
    version = packed["evidence"]["versions"][0]
    version["hashed_text"] = version["hashed_text"].replace("250000", "950000")


MUTATIONS: tuple[Callable[[Forged, random.Random], None], ...] = (
    _add_a_hash, _drop_the_other, _drop_its_own, _swap_the_list_and_its_digest,
    _swap_list_digest_and_proof, _forget_the_list, _forget_the_proof, _change_the_entry,
    _change_the_content,
)  # fmt: skip


def _sign(packed: Forged) -> None:
    """Do what whoever holds the installation's key could do: sign the changed pack."""
    text = json.dumps(packed["evidence"], sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    digest = sha256(text.encode()).hexdigest()
    packed["manifest"] |= {"sha256": digest, "signature": anchors.sign(digest)}


def test_every_change_of_a_list_is_found_even_when_it_is_signed_anew(
    packed: Forged, tmp_path: Path
) -> None:
    key = anchors.public_key()
    assert found_in(packed, tmp_path, key) == []
    for mutate in MUTATIONS:
        for sign in (False, True):
            forged = json.loads(json.dumps(packed))
            mutate(forged, random.Random(20261122))
            if sign:
                _sign(forged)
            codes = found_in(forged, tmp_path, key)
            assert codes, (mutate.__name__, sign)
            assert ("evidence_differs" in codes) is not sign


def test_a_pack_signed_with_another_key_is_not_believed(packed: Forged, tmp_path: Path) -> None:
    digest = packed["manifest"]["sha256"]
    packed["manifest"] |= {
        "public_key": FORGER.public_key().public_bytes_raw().hex(),
        "signature": FORGER.sign(digest.encode()).hex(),
    }
    assert found_in(packed, tmp_path, "") == []  # the negative control of a key of one's own
    assert found_in(packed, tmp_path, anchors.public_key()) == ["manifest_signature"]


def test_what_is_no_pack_is_told_apart_from_a_fault(tmp_path: Path) -> None:
    for number, text in enumerate(("[", "{}", '{"manifest": {}, "evidence": {}}')):
        path = tmp_path / f"{number}.json"
        path.write_text(text)
        assert run(path).returncode == 2


def entries_of(packed: Forged) -> list[Forged]:
    """Return the audit entries of a pack as an export carries them."""
    return [json.loads(entry["hashed_text"]) for entry in packed["evidence"]["audit"]]


def faults_of(entries: list[Forged], *, is_from_the_start: bool = True) -> list[str]:
    read = verifier.Approvals()
    for entry in entries:
        read.read(json.dumps(entry))
    return [fault.code for fault in read.faults(is_from_the_start=is_from_the_start)]


def test_an_export_proves_the_list_and_finds_every_change_of_it(packed: Forged) -> None:
    """What a forger does who can also write all links and signatures anew."""
    assert faults_of(entries_of(packed)) == []

    def changed(table: str, **fields: Any) -> list[Forged]:
        entries = entries_of(packed)
        for entry in entries:
            if entry["table_name"] == table and entry["action"] == "INSERT":
                entry["after"] |= fields
        return entries

    def without(table: str) -> list[Forged]:
        return [entry for entry in entries_of(packed) if entry["table_name"] != table]

    own = packed["evidence"]["versions"][0]["content_hash"]
    lists, proofs = "approvals_decisionlist", "core_stepup"
    assert faults_of(changed(lists, content_hashes=[own])) == ["second_factor_differs"]
    assert faults_of(changed(lists, content_hashes=["0" * 64]))[0] == "not_on_list"
    assert faults_of(changed(lists, content_hashes=None)) == ["list_differs"]
    assert faults_of(changed(proofs, content_hash=own)) == ["second_factor_differs"]
    assert faults_of(changed("approvals_approvalrequest", content_hash="1" * 64)) == ["not_on_list"]
    assert faults_of(changed("approvals_decision", listed_id=None)) == ["second_factor_differs"]
    for table, code in ((lists, "list_missing"), (proofs, "second_factor_missing")):
        assert faults_of(without(table)) == [code]
        assert faults_of(without(table), is_from_the_start=False) == []
