#!/usr/bin/env python3
"""Verify an export of the audit trail, or evidence of payments, without trusting who wrote it.

One file, Python 3.9 or later, nothing but the standard library, no network:

    python3 verify.py EXPORT --key PUBLIC_KEY_HEX [--json]
    python3 verify.py PACK.json --key PUBLIC_KEY_HEX [--json]
    python3 verify.py FOLDER_OF_PACKS --key PUBLIC_KEY_HEX [--json]

Keep this file and the public key (64 hex digits) from a day on which you trusted them. Without
`--key` the key inside the export is used, and the words say so: whoever can forge the whole export
can put another key into it.

What is checked: every file against the manifest, the manifest's Ed25519 signature, every link as
sha256(previous hash + entry exactly as exported), every sequence number, and every anchor line's
signature and hash. A partial export is verified against the hash that precedes its first entry.

Every decision with a second factor is held against what that was shown for: the content that was
approved, or the digest of the list that was approved together, which is computed again from the
content hashes on it. A pack is checked the same way, with each content hash and each audit entry.

Exit code 0: intact. 1: at least one fault, each named. 2: there is nothing to verify here.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

FORMAT, PACK_FORMAT = "tms-audit-export/1", "tms-evidence/1"
PERIOD_FORMAT = "tms-evidence-period/1"
ENTRIES, LINKS, ANCHORS = "entries.jsonl", "links.txt", "anchors.txt"
MANIFEST, SIGNATURE, KEYS = "manifest.json", "manifest.sig", "public-keys.txt"
INDEX = "index.json"
GENESIS = "0" * 64
FAULTS_SHOWN_MAX = 100
HMAC_FIELDS, SIGNED_FIELDS, LINK_FIELDS = 4, 5, 3

# --- Ed25519 verification (RFC 8032, sections 5.1.3 and 5.1.7) ---------------------------------
P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, P - 2, P) % P
ROOT = pow(2, (P - 1) // 4, P)  # a square root of -1
KEY_BYTES, SIGNATURE_BYTES = 32, 64
Point = tuple[int, int, int, int]  # X, Y, Z, T with x = X/Z, y = Y/Z, x*y = T/Z


def add(a: Point, b: Point) -> Point:
    """Return the sum of two points of the curve."""
    e = (a[1] - a[0]) * (b[1] - b[0]) % P
    f = (a[1] + a[0]) * (b[1] + b[0]) % P
    g = 2 * a[3] * b[3] * D % P
    h = 2 * a[2] * b[2] % P
    s, t, u, v = f - e, h - g, h + g, f + e
    return (s * t % P, u * v % P, t * u % P, s * v % P)


def multiply(factor: int, point: Point) -> Point:
    """Return `factor` times a point, by doubling and adding."""
    total: Point = (0, 1, 1, 0)
    while factor:
        if factor & 1:
            total = add(total, point)
        point = add(point, point)
        factor >>= 1
    return total


def same(a: Point, b: Point) -> bool:
    """Return whether two points are equal."""
    return not ((a[0] * b[2] - b[0] * a[2]) % P or (a[1] * b[2] - b[1] * a[2]) % P)


def decode(raw: bytes) -> Point | None:
    """Return the point that 32 bytes stand for, or None."""
    number = int.from_bytes(raw, "little")
    sign, y = number >> 255, number & (2**255 - 1)
    if len(raw) != KEY_BYTES or y >= P:
        return None
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if (x * x - square) % P:
        x = x * ROOT % P
    if (x * x - square) % P or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = P - x
    return (x, y, 1, x * y % P)


BASE = decode((4 * pow(5, P - 2, P) % P).to_bytes(32, "little"))


def ed25519_verifies(public: bytes, message: bytes, signature: bytes) -> bool:
    """Return whether `signature` over `message` was made with the private half of `public`."""
    if len(signature) != SIGNATURE_BYTES or BASE is None:
        return False
    key, commitment = decode(public), decode(signature[:32])
    s = int.from_bytes(signature[32:], "little")
    if key is None or commitment is None or s >= L:
        return False
    digest = hashlib.sha512(signature[:32] + public + message).digest()
    challenge = int.from_bytes(digest, "little") % L
    return same(multiply(s, BASE), add(commitment, multiply(challenge, key)))


def is_hex(text: str, size_bytes: int) -> bool:
    """Return whether a text is so many bytes in lower-case hex and nothing else."""
    return len(text) == 2 * size_bytes and set(text) <= set("0123456789abcdef")


def signed_by(public_hex: str, message: bytes, signature_hex: str) -> bool:
    """Return whether a signature in hex verifies; malformed hex does not."""
    if not (is_hex(public_hex, KEY_BYTES) and is_hex(signature_hex, SIGNATURE_BYTES)):
        return False
    return ed25519_verifies(bytes.fromhex(public_hex), message, bytes.fromhex(signature_hex))


def key_id(public_hex: str) -> str:
    """Return the short name of a key: the start of its sha256."""
    return hashlib.sha256(bytes.fromhex(public_hex)).hexdigest()[:16]


# --- what is found -----------------------------------------------------------------------------
class Fault(NamedTuple):
    """One place where the export is not what was sealed."""

    code: str
    where: str
    words: str


def listed(faults: list[Fault]) -> list[dict[str, str]]:
    """Return the first faults as dictionaries."""
    shown = faults[:FAULTS_SHOWN_MAX]
    return [{"code": one.code, "where": one.where, "words": one.words} for one in shown]


class Chain(NamedTuple):
    """What the entries and links amount to."""

    length: int
    head: str
    hashes: dict[int, str]


class Unusable(Exception):
    """There is nothing here that can be verified."""


# --- approvals ---------------------------------------------------------------------------------
REQUESTS, DECISIONS = "approvals_approvalrequest", "approvals_decision"
LISTS, SECOND_FACTORS = "approvals_decisionlist", "core_stepup"


def list_digest(hashes: Any) -> str | None:
    """Return what one second factor for several contents was shown for."""
    if not is_texts(hashes):
        return None
    text = "\n".join(["approvals list", *sorted(set(hashes))])
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()


class Approvals:
    """Requests, lists, second factors and decisions as they were made, by their ids."""

    def __init__(self) -> None:
        self.rows: dict[str, dict[str, dict[str, Any]]] = {
            table: {} for table in (REQUESTS, DECISIONS, LISTS, SECOND_FACTORS)
        }

    def read(self, text: str) -> None:
        """Keep what an audit entry says about a row of these, when it was made."""
        if not any(f'"{table}"' in text for table in self.rows):
            return
        try:
            entry = json.loads(text)
            table, made = entry["table_name"], entry["after"]
            if entry["action"] == "INSERT" and table in self.rows and type(made) is dict:
                self.rows[table][str(entry["row_id"])] = made
        except (ValueError, KeyError, TypeError):
            return  # such an entry does not hash to its link either

    def faults(self, *, is_from_the_start: bool) -> Iterator[Fault]:
        """Hold each decision against what its second factor was shown for.

        In a part of the trail, what was made before its first entry cannot be held against it.
        """
        for decision, made in self.rows[DECISIONS].items():
            where = f"decision {decision}"
            content = self.rows[REQUESTS].get(str(made.get("request_id")), {}).get("content_hash")
            list_id, proof = made.get("listed_id"), made.get("step_up_id")
            expected = content
            if list_id is not None:
                listed = self.rows[LISTS].get(str(list_id))
                if listed is None and is_from_the_start:
                    yield Fault("list_missing", where, f"list {list_id} is not there")
                hashes = None if listed is None else listed.get("content_hashes")
                expected = list_digest(hashes)
                if listed is not None:
                    yield from check_list(where, hashes, content)
            shown = self.rows[SECOND_FACTORS].get(str(proof), {}).get("content_hash")
            if proof and shown is None and is_from_the_start:
                yield Fault("second_factor_missing", where, f"second factor {proof} is not there")
            if None not in (shown, expected) and shown != expected:
                yield Fault("second_factor_differs", where, "it was shown for something else")


def check_list(where: str, hashes: Any, content: str | None) -> Iterator[Fault]:
    """See that a list holds content hashes, and the one that was decided."""
    if not is_texts(hashes):
        yield Fault("list_differs", where, "its list holds no content hashes")
    elif content is not None and content not in hashes:
        yield Fault("not_on_list", where, "its content is not on the list")


def is_texts(value: Any) -> bool:
    """Return whether this is a list of texts."""
    return type(value) is list and all(type(one) is str for one in value)


def read_lines(path: Path) -> Iterator[str]:
    """Yield the lines of a file, split at line feeds only, as they stand there."""
    with path.open("rb") as file:
        for raw in file:
            yield raw.removesuffix(b"\n").decode("utf-8", "surrogateescape")


def sha256_of(path: Path) -> str:
    """Return the sha256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def check_files(folder: Path, manifest: dict[str, Any]) -> Iterator[Fault]:
    """Compare every file with what the manifest says about it."""
    listed = manifest["files"]
    for name in (ENTRIES, LINKS, ANCHORS, KEYS):
        if name not in listed:
            yield Fault("file_unlisted", name, "the manifest does not know this file")
        elif not (folder / name).is_file():
            yield Fault("file_missing", name, "the file is not there")
        elif sha256_of(folder / name) != listed[name]["sha256"]:
            yield Fault("file_differs", name, "its sha256 is not the manifest's")


def check_signature(folder: Path, manifest_bytes: bytes, key: str) -> Iterator[Fault]:
    """Verify the signature of the manifest."""
    path = folder / SIGNATURE
    lines = list(read_lines(path)) if path.is_file() else []
    if len(lines) != 1 or not signed_by(key, manifest_bytes, lines[0]):
        yield Fault("manifest_signature", SIGNATURE, "the manifest is not signed with this key")


def check_chain(
    folder: Path, manifest: dict[str, Any], faults: list[Fault], approvals: Approvals
) -> Chain:
    """Recompute every link from the entries as exported, and gather the approvals among them."""
    number, previous = manifest["first_sequence"] - 1, manifest["previous_hash"]
    hashes, count = {number: previous}, 0
    if number == 0 and previous != GENESIS:
        faults.append(Fault("start_differs", "manifest", "a chain starts from zeros"))
    entries, links = read_lines(folder / ENTRIES), read_lines(folder / LINKS)
    for link in links:
        text = next(entries, None)
        number, count = number + 1, count + 1
        fields = link.split(" ")
        if text is None or len(fields) != LINK_FIELDS:
            faults.append(Fault("entry_missing", f"link {number}", "no entry for this link"))
            break
        faults.extend(check_link(number, fields, text, previous, manifest["tenant"]))
        approvals.read(text)
        previous = hashes[number] = fields[2]
    if next(entries, None) is not None:
        faults.append(Fault("entry_unlinked", f"after {number}", "entries without a link"))
    if (count, number) != (manifest["entries_count"], manifest["last_sequence"]):
        faults.append(Fault("count_differs", "links", f"{count} links up to {number}"))
    if previous != manifest["head"]:
        faults.append(Fault("head_differs", f"link {number}", "the chain ends in another hash"))
    return Chain(count, previous, hashes)


def check_link(
    number: int, fields: list[str], text: str, previous: str, tenant: str
) -> Iterator[Fault]:
    """Compare one link with its entry and its predecessor."""
    where = f"link {number}"
    if fields[0] != str(number):
        yield Fault("link_missing", where, f"link {fields[0]} stands in its place")
    data = (previous + text).encode("utf-8", "surrogateescape")
    if hashlib.sha256(data).hexdigest() != fields[2]:
        yield Fault("hash_differs", where, f"entry {fields[1]} is not as it was sealed")
    try:
        entry = json.loads(text)
        named = (str(entry["id"]), entry["tenant_id"])
    except (ValueError, KeyError, TypeError):
        named = ("", "")
    if named != (fields[1], tenant):
        yield Fault("entry_differs", where, f"not entry {fields[1]} of this tenant")


def check_anchors(
    folder: Path, manifest: dict[str, Any], chain: Chain, keys: dict[str, str]
) -> Iterator[Fault]:
    """Verify every anchor line and compare it with the chain."""
    reached = 0
    last = manifest["last_sequence"]
    for number, line in enumerate(read_lines(folder / ANCHORS), start=1):
        where = f"anchor line {number}"
        text, _, signature = line.rpartition(" ")
        fields = text.split(" ")
        if len(fields) == HMAC_FIELDS:
            continue  # from before the key pair: only the installation itself can check it
        key = keys.get(fields[-1], "") if len(fields) == SIGNED_FIELDS else ""
        if not signed_by(key, text.encode("utf-8", "surrogateescape"), signature):
            yield Fault("anchor_signature", where, "not signed with a key of this export")
            continue
        at = int(fields[1])
        reached = max(reached, at)
        if fields[0] != manifest["tenant"]:
            yield Fault("anchor_tenant", where, "belongs to another tenant")
        elif chain.hashes.get(at, fields[2]) != fields[2]:
            yield Fault("anchor_differs", where, f"link {at} is not as anchored")
    if manifest["is_complete"] and reached > last:
        yield Fault("tail_cut", f"link {last + 1}", f"links up to {reached} were anchored")
    if chain.length and reached < last:
        yield Fault("anchor_missing", f"link {last}", "no anchor reaches the end of this export")


def read_manifest(folder: Path) -> tuple[bytes, dict[str, Any]]:
    """Return the manifest, as bytes and as what it says.

    Raises:
        Unusable: the folder holds no export.
    """
    path = folder / MANIFEST
    if not path.is_file():
        raise Unusable(f"There is no {MANIFEST} in {folder}.")
    raw = path.read_bytes()
    try:
        manifest = json.loads(raw)
        numbers = [manifest[name] for name in ("first_sequence", "last_sequence", "entries_count")]
        words = [manifest[name] for name in ("tenant", "previous_hash", "head", "key_id")]
        sound = all(type(n) is int for n in numbers) and all(type(w) is str for w in words)
        sound = sound and type(manifest["is_complete"]) is bool
        sound = sound and all(type(f["sha256"]) is str for f in manifest["files"].values())
    except (ValueError, KeyError, TypeError, AttributeError):
        sound, manifest = False, {}
    return raw, manifest if sound and manifest.get("format") == FORMAT else {}


def exported_keys(folder: Path) -> list[str]:
    """Return the public keys that the export itself carries."""
    path = folder / KEYS
    lines = list(read_lines(path)) if path.is_file() else []
    return [line for line in lines if is_hex(line, KEY_BYTES)]


def verify(folder: Path, trusted: str = "") -> dict[str, Any]:
    """Return what was found, as a dictionary for people and machines.

    Raises:
        Unusable: the folder holds no export.
    """
    raw, manifest = read_manifest(folder)
    carried = exported_keys(folder)
    key = trusted or (carried[0] if carried else "")
    faults: list[Fault] = []
    chain = Chain(0, "", {})
    if not manifest:
        faults.append(Fault("manifest_unreadable", MANIFEST, "not a manifest of this format"))
    else:
        faults.extend(check_files(folder, manifest))
        faults.extend(check_signature(folder, raw, key))
        if key and manifest["key_id"] != key_id(key):
            faults.append(Fault("key_differs", KEYS, "signed with another key than yours"))
        if all((folder / name).is_file() for name in (ENTRIES, LINKS, ANCHORS)):
            approvals = Approvals()
            chain = check_chain(folder, manifest, faults, approvals)
            faults.extend(approvals.faults(is_from_the_start=manifest["first_sequence"] == 1))
            # The manifest vouches for retired keys; the current one is the one you trust.
            keys = {key_id(known): known for known in [*carried, *([trusted] if trusted else [])]}
            faults.extend(check_anchors(folder, manifest, chain, keys))
    return {
        "intact": not faults,
        "entries": chain.length,
        "head": chain.head,
        "tenant": manifest.get("tenant", ""),
        "first_sequence": manifest.get("first_sequence"),
        "last_sequence": manifest.get("last_sequence"),
        "complete": manifest.get("is_complete"),
        "key": key,
        "key_is_yours": bool(trusted),
        "faults_count": len(faults),
        "faults": listed(faults),
    }


# --- evidence of payments ----------------------------------------------------------------------
def verify_pack(path: Path, trusted: str = "") -> dict[str, Any]:
    """Return what was found in one evidence pack: a manifest and the evidence that it signs.

    Raises:
        Unusable: the file is no pack.
    """
    try:
        packed = json.loads(path.read_text(encoding="utf-8"))
        manifest, evidence = packed["manifest"], packed["evidence"]
        digest, carried, signature = (
            str(manifest[name]) for name in ("sha256", "public_key", "signature")
        )
        packs = [evidence]
        if evidence["format"] == PERIOD_FORMAT:
            packs = list(evidence["packs"])
        sound = all(pack["format"] == PACK_FORMAT for pack in packs)
    except (ValueError, KeyError, TypeError) as problem:
        raise Unusable(f"{path} is not an evidence pack.") from problem
    if not sound:
        raise Unusable(f"{path} is not an evidence pack of this format.")
    key = trusted or carried
    faults = []
    if canonical_sha256(evidence) != digest:
        faults.append(Fault("evidence_differs", path.name, "its sha256 is not the manifest's"))
    if not signed_by(key, digest.encode(), signature):
        faults.append(Fault("manifest_signature", path.name, "not signed with this key"))
    for pack in packs:
        faults.extend(check_evidence(pack, key))
    faults.extend(check_index(evidence, packs))
    first = packs[0] if packs else {}
    return told_of(first, faults, key=key, trusted=trusted, count=len(packs))


def verify_packs(folder: Path, trusted: str = "") -> dict[str, Any]:
    """Return what was found in a folder of evidence packs with its signed manifest."""
    raw = (folder / MANIFEST).read_bytes()
    manifest = json.loads(raw)
    key = trusted or str(manifest.get("public_key", ""))
    faults = list(check_signature(folder, raw, key))
    files, count, evidence = manifest.get("files", {}), 0, {}
    for name, digest in sorted(files.items()):
        path = folder / Path(name).name
        if not path.is_file():
            faults.append(Fault("file_missing", name, "the file is not there"))
            continue
        if sha256_of(path) != digest:
            faults.append(Fault("file_differs", name, "its sha256 is not the manifest's"))
        if path.suffix != ".json" or name == INDEX:
            continue
        try:
            evidence, count = json.loads(path.read_text(encoding="utf-8")), count + 1
            faults.extend(check_evidence(evidence, key))
        except ValueError:
            faults.append(Fault("evidence_unreadable", name, "it is not JSON"))
    return told_of(evidence, faults, key=key, trusted=trusted, count=count)


def check_evidence(evidence: dict[str, Any], key: str) -> list[Fault]:
    """Compute again what can be computed again: hashes, lists, second factors, the anchor."""
    reference = str(evidence.get("reference", ""))
    try:
        approvals = Approvals()
        faults = list(check_trail(evidence, approvals))
        for version in evidence["versions"]:
            faults.extend(check_version(version, approvals))
        faults.extend(check_pack_anchor(evidence["verification"], key))
    except (KeyError, TypeError, AttributeError, ValueError) as problem:
        return [Fault("evidence_unreadable", reference, f"it lacks or bends {problem}")]
    return [Fault(one.code, f"{reference}, {one.where}", one.words) for one in faults]


def canonical_sha256(evidence: Any) -> str:
    """Return the sha256 of evidence as JSON with sorted keys and no spare space."""
    text = json.dumps(evidence, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def check_index(evidence: dict[str, Any], packs: list[dict[str, Any]]) -> Iterator[Fault]:
    """See that the index of a period lists exactly the packs that follow it."""
    if evidence.get("format") != PERIOD_FORMAT:
        return
    try:
        listed = [(line["reference"], line["sha256"]) for line in evidence["index"]["payments"]]
    except (KeyError, TypeError):
        listed = []
    if listed != [(pack.get("reference"), canonical_sha256(pack)) for pack in packs]:
        yield Fault("index_differs", "index", "it does not list exactly these packs")


def check_trail(evidence: dict[str, Any], approvals: Approvals) -> Iterator[Fault]:
    """Hash every sealed audit entry again."""
    for entry in evidence["audit"]:
        text = entry["hashed_text"]
        data = (entry["previous_hash"] + text).encode("utf-8", "surrogatepass")
        if entry["hash"] and hashlib.sha256(data).hexdigest() != entry["hash"]:
            yield Fault("hash_differs", f"entry {entry['id']}", "it is not as it was sealed")
        approvals.read(text)


def check_version(version: dict[str, Any], approvals: Approvals) -> Iterator[Fault]:
    """Hash the content again, and hold each decision against its second factor and its list."""
    content = version["content_hash"]
    where = f"version {version['request']['subject_version']}"
    hashed = hashlib.sha256(version["hashed_text"].encode("utf-8", "surrogatepass")).hexdigest()
    if hashed != content or version["request"]["content_hash"] != content:
        yield Fault("content_differs", where, "the content does not hash to its hash")
    for decision in version["decisions"]:
        yield from check_decision(decision, content, approvals)


def check_decision(decision: dict[str, Any], content: str, approvals: Approvals) -> Iterator[Fault]:
    """Compute the digest of its list again, and compare with what the audit trail recorded."""
    where = f"decision {decision['id']}"
    listed, proof = decision.get("list"), decision["step_up_proof"]
    if (listed is None) != (decision.get("listed_id") is None):
        yield Fault("list_missing", where, "the list that it stands on is not there")
    expected: str | None = content
    if listed is not None:
        hashes = listed["content_hashes"]
        yield from check_list(where, hashes, content)
        expected = list_digest(hashes)
        recorded = approvals.rows[LISTS].get(listed["id"], {})
        if listed["digest"] != expected or listed["id"] != decision["listed_id"]:
            yield Fault("list_differs", where, "the list does not hash to its digest")
        if recorded.get("content_hashes", hashes) != hashes:
            yield Fault("list_differs", where, "the audit trail recorded another list")
    if proof is None:
        if decision.get("step_up_id"):
            yield Fault("second_factor_missing", where, "its second factor is not there")
        return
    recorded = approvals.rows[SECOND_FACTORS].get(proof["id"], {})
    shown = proof["row"]["content_hash"]
    if shown != expected or recorded.get("content_hash", shown) != shown:
        yield Fault("second_factor_differs", where, "it was shown for something else")


def check_pack_anchor(verification: dict[str, Any], key: str) -> Iterator[Fault]:
    """Verify the anchor line that covers the entries, when there is one that can be verified."""
    text, _, signature = str(verification["anchor"]).rpartition(" ")
    fields = text.split(" ")
    if len(fields) != SIGNED_FIELDS or not is_hex(key, KEY_BYTES) or fields[-1] != key_id(key):
        return  # none yet, or signed with a key from before
    if not signed_by(key, text.encode("utf-8", "surrogatepass"), signature):
        yield Fault("anchor_signature", "anchor", "not signed with this key")


def told_of(
    evidence: dict[str, Any], faults: list[Fault], *, key: str, trusted: str, count: int
) -> dict[str, Any]:
    """Return what was found in packs, as a dictionary for people and machines."""
    return {
        "intact": not faults,
        "packs": count,
        "tenant": str((evidence.get("tenant") or {}).get("id", "")),
        "key": key,
        "key_is_yours": bool(trusted),
        "faults_count": len(faults),
        "faults": listed(faults),
    }


def is_of_packs(folder: Path) -> bool:
    """Return whether a folder holds evidence packs rather than an export of the trail."""
    try:
        manifest = json.loads((folder / MANIFEST).read_bytes())
        return bool(manifest["format"] == PACK_FORMAT) and type(manifest["files"]) is dict
    except (OSError, ValueError, KeyError, TypeError):
        return False


def verify_any(path: Path, trusted: str = "") -> dict[str, Any]:
    """Return what was found in an export, a pack or a folder of packs.

    Raises:
        Unusable: it is none of these.
    """
    if path.is_file():
        return verify_pack(path, trusted)
    return verify_packs(path, trusted) if is_of_packs(path) else verify(path, trusted)


def in_words(found: dict[str, Any]) -> str:
    """Return the verdict for people."""
    lines = []
    if found["intact"] and "packs" in found:
        lines.append(f"INTACT: evidence of {found['packs']} payments")
    elif found["intact"]:
        span = f"links {found['first_sequence']} to {found['last_sequence']}"
        lines.append(f"INTACT: {found['entries']} entries, {span}, head {found['head']}")
    else:
        lines.append(f"NOT INTACT: {found['faults_count']} faults")
        lines += [f"  {f['code']} at {f['where']}: {f['words']}" for f in found["faults"]]
    if not found["key_is_yours"]:
        lines.append("The key is the export's own. Compare it with the one you were given:")
    lines.append(f"key {found['key'] or 'none'}")
    return "\n".join(lines) + "\n"


def main(arguments: list[str]) -> int:
    """Verify one export and say what was found."""
    parser = argparse.ArgumentParser(description="Verify an export or evidence packs.")
    parser.add_argument("export", type=Path, help="the folder of the export, or a pack")
    parser.add_argument("--key", default="", help="the public key that you trust, 64 hex digits")
    parser.add_argument("--json", action="store_true", help="print the verdict as JSON")
    wanted = parser.parse_args(arguments)
    key = wanted.key.strip().lower()
    if key and not is_hex(key, KEY_BYTES):
        parser.error("--key takes 64 hex digits")
    try:
        found = verify_any(wanted.export, key)
    except Unusable as problem:
        sys.stderr.write(f"{problem}\n")
        return 2
    sys.stdout.write(json.dumps(found, indent=1) + "\n" if wanted.json else in_words(found))
    return 0 if found["intact"] else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
