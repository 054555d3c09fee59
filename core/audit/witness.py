"""Hand every anchor line to somebody outside, who keeps it where we cannot reach.

`TMS_AUDIT_WITNESS` names an https address (lines are POSTed as text) or a command (lines on its
standard input). Nothing waits for the witness: the sealer only appends to the anchor file, this
runs beside it, remembers how far it came, tries again at the next beat and shows in `/health`
when it is behind. Lines may arrive twice; they never arrive out of order.
"""

import json
import os
import shlex
import subprocess
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final
from uuid import UUID

import httpx
import structlog
from django.conf import settings

from core import clock
from core.audit.anchors import anchor_lines
from core.errors import DomainError
from core.health import component

logger = structlog.get_logger(__name__)

LINES_PER_CALL_MAX: Final = 500
WAIT_SECONDS_MAX: Final = 10


class WitnessAway(DomainError):
    """The witness did not take the lines; they are offered again."""

    code = "witness_away"
    status = 503


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How many lines of one anchor file the witness has, and how often it failed in a row."""

    lines_count: int = 0
    failures_in_a_row: int = 0
    last_error: str = ""
    at: str = ""


def progress_path(tenant: UUID) -> Path:
    """Return the file that remembers how far the witness came."""
    return Path(settings.TMS_AUDIT_ANCHOR_DIR) / f"{tenant}.witness.json"


def progress(tenant: UUID) -> Progress:
    """Return how far the witness came for `tenant`; a damaged note starts from the beginning."""
    try:
        return Progress(**json.loads(progress_path(tenant).read_text(encoding="utf-8")))
    except (FileNotFoundError, ValueError, TypeError):
        return Progress()


def tell(*, tenant: UUID) -> int:
    """Hand the lines that the witness lacks over; return how many it took."""
    target = settings.TMS_AUDIT_WITNESS
    known = progress(tenant)
    lines = anchor_lines(tenant)[known.lines_count :][:LINES_PER_CALL_MAX] if target else []
    if not lines:
        return 0
    now = clock.now().isoformat()
    try:
        _hand_over(target, lines)
    except WitnessAway as trouble:
        logger.warning("witness_away", tenant=str(tenant), error=trouble.message)
        failures = known.failures_in_a_row + 1
        _remember(
            tenant,
            Progress(
                lines_count=known.lines_count,
                failures_in_a_row=failures,
                last_error=trouble.message,
                at=now,
            ),
        )
        return 0
    _remember(tenant, Progress(lines_count=known.lines_count + len(lines), at=now))
    return len(lines)


def _remember(tenant: UUID, reached: Progress) -> None:
    path = progress_path(tenant)
    draft = path.with_suffix(f".{os.getpid()}")
    draft.write_text(json.dumps(asdict(reached)), encoding="utf-8")
    draft.replace(path)


def _hand_over(target: str, lines: Sequence[str]) -> None:
    body = "".join(f"{line}\n" for line in lines)
    if target.startswith(("https://", "http://")):
        _post(target, body)
    else:
        _run(target, body)


def _post(url: str, body: str) -> None:
    try:
        answer = httpx.post(
            url,
            content=body.encode(),
            headers={"Content-Type": "text/plain; charset=utf-8"},
            timeout=WAIT_SECONDS_MAX,
        )
    except httpx.HTTPError as error:
        raise WitnessAway(type(error).__name__) from error
    if not answer.is_success:
        raise WitnessAway(f"status {answer.status_code}")


def _run(command: str, body: str) -> None:
    try:
        done = subprocess.run(  # noqa: S603 - the operator's own command, no shell
            shlex.split(command),
            input=body.encode(),
            timeout=WAIT_SECONDS_MAX,
            capture_output=True,
            check=False,
        )
    except (OSError, ValueError, subprocess.TimeoutExpired) as error:
        raise WitnessAway(type(error).__name__) from error
    if done.returncode:
        raise WitnessAway(f"exit code {done.returncode}")


def _health() -> dict[str, Any]:
    if not settings.TMS_AUDIT_WITNESS:
        return {"status": "ok", "detail": "no external witness is configured"}
    folder = Path(settings.TMS_AUDIT_ANCHOR_DIR)
    reached = [progress(UUID(path.stem)) for path in folder.glob("*.anchor")]
    is_behind = any(one.failures_in_a_row for one in reached)
    return {"status": "degraded" if is_behind else "ok"}


component("audit_witness", _health)
