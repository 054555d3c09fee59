"""An exported trail proves itself: one file of the standard library finds every change."""

import ast
import json
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from hashlib import sha256
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from django.core.management import CommandError, call_command
from django.db import connection

from core import clock, policies
from core.audit import anchors, chain
from core.audit import export as exporting
from core.tenancy import bound
from tests.core.audited import KNOB
from verifier import verify as verifier

VERIFIER = Path(verifier.__file__)
MUTATIONS = 200
CLEAN = 20
SEED = 20261122

# RFC 8032, section 7.1: public key, message, signature.
VECTORS = (
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
)


def run(folder: Path, *more: str) -> "subprocess.CompletedProcess[str]":
    """Run the verifier as an auditor would: alone, without site packages, in isolated mode."""
    return subprocess.run(
        [sys.executable, "-I", "-S", str(VERIFIER), str(folder), *more],
        capture_output=True,
        text=True,
        check=False,
    )


def test_the_vectors_of_rfc_8032_verify_and_every_flipped_bit_fails() -> None:
    rng = random.Random(SEED)
    for public, message, signature in VECTORS:
        assert verifier.signed_by(public, bytes.fromhex(message), signature)
        raw = bytearray.fromhex(signature)
        bit = rng.randrange(len(raw) * 8)
        raw[bit // 8] ^= 1 << bit % 8
        assert not verifier.signed_by(public, bytes.fromhex(message), raw.hex())
        assert not verifier.signed_by(public, b"something else", signature)


def test_signatures_agree_with_the_library_and_malleable_ones_are_refused() -> None:
    rng = random.Random(SEED)
    for _ in range(20):
        key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
        message = rng.randbytes(rng.randrange(200))
        signature, public = key.sign(message), key.public_key().public_bytes_raw()
        assert verifier.ed25519_verifies(public, message, signature)
        raised = int.from_bytes(signature[32:], "little") + verifier.L
        shifted = signature[:32] + raised.to_bytes(32, "little")
        assert not verifier.ed25519_verifies(public, message, shifted)
    assert not verifier.signed_by("zz", b"", "zz")
    assert not verifier.signed_by(verifier.P.to_bytes(32, "little").hex(), b"", "00" * 64)


def test_the_verifier_is_written_for_python_3_9_and_the_standard_library() -> None:
    tree = ast.parse(VERIFIER.read_text(), feature_version=(3, 9))
    names = {
        name.name.partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    } | {
        str(node.module).partition(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.ImportFrom)
    }
    assert names <= set(sys.stdlib_module_names)


@pytest.fixture(autouse=True)
def anchor_dir(tmp_path: Path, settings: Any) -> None:
    settings.TMS_AUDIT_ANCHOR_DIR = tmp_path / "anchor"


def grow(tenant: UUID, count: int) -> None:
    for number in range(count):
        with bound(tenant, actor="system:test"):
            policies.change(policy=KNOB, value=number, actor=None, reason=f"Wünsche {number}")
        if number % 7 == 6:
            chain.seal(tenant=tenant)


@pytest.fixture
def exported(committed_tenant: UUID, tmp_path: Path) -> Path:
    grow(committed_tenant, 40)
    return exporting.export(tenant=committed_tenant, folder=tmp_path / "export").folder


def test_a_clean_export_passes_and_says_what_it_saw(exported: Path) -> None:
    done = run(exported, "--key", anchors.public_key(), "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    found = json.loads(done.stdout)
    assert found["intact"]
    assert found["entries"] >= 40
    assert found["key_is_yours"]
    assert "INTACT" in run(exported, "--key", anchors.public_key()).stdout


def test_without_your_own_key_the_words_say_so(exported: Path) -> None:
    done = run(exported)
    assert done.returncode == 0
    assert "Compare it with the one you were given" in done.stdout


def test_twenty_clean_exports_of_all_shapes_pass(committed_tenant: UUID, tmp_path: Path) -> None:
    rng = random.Random(SEED)
    instants: list[datetime] = []
    for number in range(CLEAN):
        grow(committed_tenant, rng.randrange(1, 9))
        with bound(committed_tenant), connection.cursor() as cursor:
            cursor.execute("SELECT clock_timestamp()")
            instants.append(cursor.fetchone()[0])
        since = rng.choice([None, *instants[:-1]])
        until = rng.choice([None, instants[-1]])
        folder = tmp_path / f"clean-{number}"
        exporting.export(tenant=committed_tenant, folder=folder, since=since, until=until)
        found = verifier.verify(folder, anchors.public_key())
        assert found["intact"], found["faults"]


def _edit(path: Path, change: Callable[[list[str]], None]) -> None:
    lines = path.read_text(encoding="utf-8").split("\n")[:-1]
    change(lines)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _refresh(folder: Path) -> None:
    """Do what a careful forger does: make the manifest fit the changed files."""
    path = folder / exporting.MANIFEST
    manifest = json.loads(path.read_text())
    for name in manifest["files"]:
        manifest["files"][name]["sha256"] = sha256((folder / name).read_bytes()).hexdigest()
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _sign_anew(folder: Path) -> None:
    """Sign the manifest with a key of the forger's own, and put that key into the export."""
    key = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    public = key.public_key().public_bytes_raw().hex()
    (folder / exporting.KEYS).write_text(f"{public}\n")
    _refresh(folder)
    path = folder / exporting.MANIFEST
    manifest = json.loads(path.read_text())
    manifest["key_id"] = anchors.key_id(public)
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    path.write_text(text)
    (folder / exporting.SIGNATURE).write_text(key.sign(text.encode()).hex() + "\n")


def _rechain(folder: Path) -> None:
    """Recompute all links over the changed entries, and the manifest over both."""
    manifest = json.loads((folder / exporting.MANIFEST).read_text())
    head, links = manifest["previous_hash"], []
    texts = (folder / exporting.ENTRIES).read_text(encoding="utf-8").split("\n")[:-1]
    for number, text in enumerate(texts, start=manifest["first_sequence"]):
        head = chain.link_hash(head, text)
        links.append(f"{number} {json.loads(text)['id']} {head}\n")
    (folder / exporting.LINKS).write_text("".join(links))
    manifest |= {"head": head, "entries_count": len(texts), "last_sequence": len(texts)}
    (folder / exporting.MANIFEST).write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


Mutation = Callable[[Path, random.Random], None]


def _edit_a_value(folder: Path, rng: random.Random) -> None:
    def change(lines: list[str]) -> None:
        number = rng.randrange(len(lines))
        entry = json.loads(lines[number])
        entry[rng.choice(["actor", "reason", "at", "row_id", "request"])] = "forged"
        lines[number] = json.dumps(entry, ensure_ascii=False)

    _edit(folder / exporting.ENTRIES, change)


def _delete(folder: Path, rng: random.Random) -> None:
    number = rng.randrange(20)
    for name in rng.choice([(exporting.ENTRIES,), (exporting.ENTRIES, exporting.LINKS)]):
        _edit(folder / name, lambda lines: lines.__delitem__(number))


def _swap(folder: Path, rng: random.Random) -> None:
    a, b = rng.sample(range(20), 2)

    def change(lines: list[str]) -> None:
        lines[a], lines[b] = lines[b], lines[a]

    for name in rng.choice([(exporting.ENTRIES,), (exporting.ENTRIES, exporting.LINKS)]):
        _edit(folder / name, change)


def _duplicate(folder: Path, rng: random.Random) -> None:
    number = rng.randrange(20)
    for name in (exporting.ENTRIES, exporting.LINKS):
        _edit(folder / name, lambda lines: lines.insert(number, lines[number]))


def _insert(folder: Path, rng: random.Random) -> None:
    number = rng.randrange(20)

    def change(lines: list[str]) -> None:
        lines.insert(number, json.dumps({**json.loads(lines[number]), "id": 10**9}))

    _edit(folder / exporting.ENTRIES, change)


def _cut_the_tail(folder: Path, rng: random.Random) -> None:
    keep = rng.randrange(1, 39)
    for name in (exporting.ENTRIES, exporting.LINKS):
        _edit(folder / name, lambda lines: lines.__delitem__(slice(keep, None)))


def _change_an_anchor(folder: Path, rng: random.Random) -> None:
    def change(lines: list[str]) -> None:
        number = rng.randrange(len(lines))
        fields = lines[number].split(" ")
        place = rng.randrange(len(fields))
        text = fields[place]
        at = rng.randrange(len(text))
        fields[place] = text[:at] + ("1" if text[at] != "1" else "2") + text[at + 1 :]
        lines[number] = " ".join(fields)

    _edit(folder / exporting.ANCHORS, change)


def _drop_the_anchors(folder: Path, rng: random.Random) -> None:
    _edit(folder / exporting.ANCHORS, lambda lines: lines.clear())


def _flip_a_hash(folder: Path, rng: random.Random) -> None:
    def change(lines: list[str]) -> None:
        number = rng.randrange(len(lines))
        lines[number] = lines[number][:-1] + ("0" if lines[number][-1] != "0" else "1")

    _edit(folder / exporting.LINKS, change)


def _change_the_key(folder: Path, rng: random.Random) -> None:
    key = Ed25519PrivateKey.from_private_bytes(rng.randbytes(32))
    (folder / exporting.KEYS).write_text(key.public_key().public_bytes_raw().hex() + "\n")


def _change_the_manifest(folder: Path, rng: random.Random) -> None:
    path = folder / exporting.MANIFEST
    manifest = json.loads(path.read_text())
    manifest[rng.choice(["from", "to", "exported_at", "previous_hash", "head"])] = "2026-01-01"
    path.write_text(json.dumps(manifest, indent=1, sort_keys=True) + "\n")


def _change_the_signature(folder: Path, rng: random.Random) -> None:
    path = folder / exporting.SIGNATURE
    raw = bytearray.fromhex(path.read_text().strip())
    raw[rng.randrange(len(raw))] ^= 1 << rng.randrange(8)
    path.write_text(f"{raw.hex()}\n")


def _lose_a_file(folder: Path, rng: random.Random) -> None:
    names = (exporting.ENTRIES, exporting.LINKS, exporting.ANCHORS, exporting.KEYS)
    (folder / rng.choice([*names, exporting.SIGNATURE])).unlink()


def _flip_a_byte(folder: Path, rng: random.Random) -> None:
    path = rng.choice(sorted(folder.iterdir()))
    raw = bytearray(path.read_bytes())
    raw[rng.randrange(len(raw) - 1)] ^= 1 << rng.randrange(8)
    path.write_bytes(raw)


MUTATION_KINDS: tuple[Mutation, ...] = (
    _edit_a_value, _delete, _swap, _duplicate, _insert, _cut_the_tail, _change_an_anchor,
    _drop_the_anchors, _flip_a_hash, _change_the_key, _change_the_manifest, _change_the_signature,
    _lose_a_file, _flip_a_byte,
)  # fmt: skip
# How far the forger goes afterwards: not at all, the manifest fits, all links fit, own signature.
COVER_UPS: tuple[tuple[Callable[[Path], None], ...], ...] = (
    (),
    (_refresh,),
    (_rechain, _refresh),
    (_rechain, _sign_anew),
)
_CONTENT = MUTATION_KINDS[:6]


def mutations(count: int) -> Iterator[tuple[int, Mutation, tuple[Callable[[Path], None], ...]]]:
    for number in range(count):
        kind = MUTATION_KINDS[number % len(MUTATION_KINDS)]
        cover = COVER_UPS[number // len(MUTATION_KINDS) % len(COVER_UPS)]
        yield number, kind, cover if kind in _CONTENT else ()


def test_two_hundred_mutations_are_all_found(exported: Path, tmp_path: Path) -> None:
    """Each on a fresh copy; every tenth through the command line, all with the trusted key."""
    key = anchors.public_key()
    for number, mutate, cover_up in mutations(MUTATIONS):
        copy = tmp_path / "mutated"
        shutil.copytree(exported, copy)
        mutate(copy, random.Random(SEED + number))
        for step in cover_up:
            step(copy)
        label = f"{number} {mutate.__name__} {[step.__name__ for step in cover_up]}"
        if number % 10 == 0:
            assert run(copy, "--key", key).returncode == 1, label
        assert not verifier.verify(copy, key)["intact"], label
        shutil.rmtree(copy)
    assert verifier.verify(exported, key)["intact"]


def test_the_trusted_key_is_what_finds_a_complete_forgery(exported: Path) -> None:
    """The negative control of `--key`: a forger with a key of their own passes without it."""
    _edit_a_value(exported, random.Random(SEED))
    _rechain(exported)
    (exported / exporting.ANCHORS).write_text("")
    manifest = json.loads((exported / exporting.MANIFEST).read_text())
    forger = Ed25519PrivateKey.from_private_bytes(b"f" * 32)
    name = anchors.key_id(forger.public_key().public_bytes_raw().hex())
    text = f"{manifest['tenant']} {manifest['last_sequence']} {manifest['head']} now {name}"
    signature = forger.sign(text.encode()).hex()
    (exported / exporting.ANCHORS).write_text(f"{text} {signature}\n")
    _sign_anew(exported)
    assert run(exported).returncode == 0
    assert run(exported, "--key", anchors.public_key()).returncode == 1


def test_a_period_verifies_against_the_hash_before_it(
    committed_tenant: UUID, tmp_path: Path
) -> None:
    grow(committed_tenant, 10)
    with bound(committed_tenant), connection.cursor() as cursor:
        cursor.execute("SELECT max(at) + interval '1 microsecond' FROM core_auditentry")
        border = cursor.fetchone()[0]
    grow(committed_tenant, 10)
    folder = tmp_path / "later"
    made = exporting.export(tenant=committed_tenant, folder=folder, since=border)
    assert made.first_sequence > 1
    assert run(folder, "--key", anchors.public_key()).returncode == 0
    first = exporting.export(tenant=committed_tenant, folder=tmp_path / "earlier", until=border)
    assert not first.is_complete
    assert first.last_sequence + 1 == made.first_sequence
    assert run(tmp_path / "earlier", "--key", anchors.public_key()).returncode == 0


def test_nothing_to_verify_is_told_apart_from_a_fault(tmp_path: Path) -> None:
    assert run(tmp_path).returncode == 2
    (tmp_path / "manifest.json").write_text("[")
    assert run(tmp_path).returncode == 1


def test_the_command_exports_and_names_the_key(committed_tenant: UUID, tmp_path: Path) -> None:
    grow(committed_tenant, 3)
    out = StringIO()
    today = clock.now().date()
    period = [f"--from={today - timedelta(days=1)}", f"--to={today + timedelta(days=1)}"]
    folder = str(tmp_path / "by-command")
    call_command("audit_export", "--tenant", "north", "--out", folder, *period, stdout=out)
    assert f"--key {anchors.public_key()}" in out.getvalue()
    assert run(Path(folder), "--key", anchors.public_key()).returncode == 0
    with pytest.raises(CommandError, match="not empty"):
        call_command("audit_export", "--tenant", "north", "--out", folder)
    with pytest.raises(CommandError, match="no sealed entry"):
        call_command(
            "audit_export", "--tenant", "north", "--out", f"{folder}2", "--to", "2020-01-01"
        )
