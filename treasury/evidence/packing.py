"""Pack evidence into files: canonical JSON, PDF, and a signed manifest with their sha256."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import UUID

from core.audit import anchors
from core.errors import Invalid
from core.identity.roles import (
    AUDITOR,
    RISK_OFFICER,
    TREASURY_CHECKER,
    TREASURY_MAKER,
    TREASURY_MANAGER,
)
from core.tenancy import Tenant, current_tenant_id
from treasury.evidence.building import FORMAT, build
from treasury.evidence.facts import facts_of, now_text
from treasury.evidence.paper import draw, draw_index
from treasury.evidence.records import (
    IndexLine,
    PeriodEvidence,
    PeriodIndex,
    TransferEvidence,
    index_line,
)
from treasury.selectors import movement

READERS: Final = (AUDITOR, TREASURY_MANAGER, TREASURY_CHECKER, TREASURY_MAKER, RISK_OFFICER)
PACKS_MAX: Final = 5_000
MANIFEST: Final = "manifest.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class Packed:
    """The files that were written."""

    folder: Path
    names: tuple[str, ...]


def pack_of(evidence: TransferEvidence | PeriodEvidence) -> dict[str, Any]:
    """Return a pack as one JSON object: the evidence and the manifest that signs its sha256."""
    digest = evidence.sha256()
    return {
        "manifest": {
            "sha256": digest,
            "of": "evidence as JSON with sorted keys and no spare space, UTF-8",
            "public_key": anchors.public_key(),
            "signature": anchors.sign(digest),
        },
        "evidence": json.loads(evidence.canonical()),
    }


def write_pack(*, transfer_id: UUID, folder: Path) -> Packed:
    """Write the pack of one transfer into an empty folder.

    Raises:
        NotFound: there is no such transfer.
        Invalid: the folder holds something.
    """
    _make_empty(folder)
    names = list(_write_one(build(transfer_id=transfer_id), folder))
    return _finish(folder, names)


def write_period(*, since: datetime, until: datetime, folder: Path) -> Packed:
    """Write the packs of all transfers made in [since, until), and their index.

    Raises:
        Invalid: the folder holds something, or the period holds more than a folder should.
    """
    _make_empty(folder)
    found = movement.transfers().filter(created_at__gte=since, created_at__lt=until)
    wanted = list(found.order_by("created_at").values_list("pk", flat=True)[: PACKS_MAX + 1])
    if len(wanted) > PACKS_MAX:
        raise Invalid(f"More than {PACKS_MAX:,} payments: choose a shorter period.")
    names: list[str] = []
    lines: list[IndexLine] = []
    for transfer_id in wanted:
        evidence = build(transfer_id=transfer_id)
        names += _write_one(evidence, folder)
        lines.append(index_line(evidence))
    index = PeriodIndex(
        format=FORMAT,
        tenant=facts_of(Tenant.objects.get(pk=current_tenant_id()), without=("created_at",)),
        since=since.isoformat(),
        until=until.isoformat(),
        made_at=now_text(),
        payments=tuple(lines),
    )
    (folder / "index.json").write_text(index.canonical(), encoding="utf-8")
    (folder / "index.pdf").write_bytes(draw_index(index))
    return _finish(folder, ["index.json", "index.pdf", *names])


def _write_one(evidence: TransferEvidence, folder: Path) -> Iterator[str]:
    (folder / f"{evidence.reference}.json").write_text(evidence.canonical(), encoding="utf-8")
    yield f"{evidence.reference}.json"
    (folder / f"{evidence.reference}.pdf").write_bytes(draw(evidence))
    yield f"{evidence.reference}.pdf"


def _make_empty(folder: Path) -> None:
    if folder.exists() and any(folder.iterdir()):
        raise Invalid(f"{folder} is not empty; evidence goes into a folder of its own.")
    folder.mkdir(parents=True, exist_ok=True)


def _finish(folder: Path, names: list[str]) -> Packed:
    """Write the manifest over all files, signed with the key of the audit anchors."""
    digests = {name: sha256((folder / name).read_bytes()).hexdigest() for name in names}
    manifest = {"format": FORMAT, "public_key": anchors.public_key(), "files": digests}
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (folder / MANIFEST).write_text(text, encoding="utf-8")
    (folder / "manifest.sig").write_text(f"{anchors.sign(text)}\n", encoding="ascii")
    return Packed(folder=folder, names=(*names, MANIFEST, "manifest.sig"))
