"""Setting the stage for the walkthrough: which tenant, which bank, what can be inspected."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings

from core import clock
from core.audit import chain
from core.errors import Forbidden, NotFound
from tms.demo.places import BankPlace, bank_place, people_facts, refuse_outside_demo
from tms.demo.seeding import BEGUN
from tms.ops.proofs import audit_proofs, books_proofs
from tms.ops.tenants import TenantName, chosen_tenants
from tms.run.config import runtime
from tms.run.parts import BANK_SECRET_VARIABLE
from tms.run.supervisor import address_of
from tms.story.cast import People
from tms.story.codes import CodeBook
from tms.story.narrator import SAID, Line
from tms.story.patience import wait_for
from tms.story.scene import Finding, Stage

CODES_FILE: Final = "demo_codes.json"
BANK_START_SECONDS_MAX: Final = 15.0
BANK_STOP_SECONDS_MAX: Final = 10.0
PAST_SECONDS_MAX: Final = 600.0


@contextmanager
def stage_for(*, slug: str, url: str, listen: Callable[[Line], None]) -> Iterator[Stage]:
    """Set the stage for the tenant; its bank is started for the play when it is not running.

    Raises:
        Forbidden: not a local or test system.
        NotFound: no such tenant was seeded.
    """
    refuse_outside_demo()
    facts, number = _with_a_past(slug, listen)
    tenant = chosen_tenants(slug)[0]
    place = bank_place(number)
    with bank_running(place):
        yield Stage(
            base_url=url or _running_address(),
            bank=place.client(),
            people=People.from_facts(facts),
            codes=CodeBook(Path(settings.TMS_HOME) / CODES_FILE),
            inspect=lambda: inspect(tenant),
            listen=listen,
            move_clock=_move_clock if settings.TMS_MODE == "local" else None,
        )


def _running_address() -> str:
    """Return where the web process of this home answers: its own word, else the configured one."""
    config = runtime().config
    return address_of("web", home=config.home) or config.url


def _with_a_past(slug: str, listen: Callable[[Line], None]) -> tuple[dict[str, Any], int]:
    """Return the seeded tenant; while its last weeks are still being taken in, wait for them.

    Raises:
        NotFound: no such tenant was seeded.
        StoryFailed: its last weeks did not come.
    """
    if _seeded(slug)[0]["stage"] == BEGUN:
        words = "The demo's last weeks are still being taken in; the story begins after them."
        listen(Line(kind=SAID, seconds=0.0, chapter=0, text=words))
    return wait_for(
        lambda: None if (found := _seeded(slug))[0]["stage"] == BEGUN else found,
        what="the demo's last weeks",
        seconds=PAST_SECONDS_MAX,
    )


def _seeded(slug: str) -> tuple[dict[str, Any], int]:
    tenants = people_facts().get("tenants", [])
    for number, facts in enumerate(tenants, start=1):
        if facts["slug"] == slug:
            return facts, number
    raise NotFound(
        f"No demo tenant {slug} is there yet: a start makes it in the background (log/demo.log),"
        " seed_demo at once.",
        field="tenant",
    )


def _move_clock(step: timedelta) -> None:
    clock.advance(step)


@contextmanager
def bank_running(place: BankPlace) -> Iterator[None]:
    """Have the tenant's bank run for the block; `up` keeps the first tenant's running anyway.

    Raises:
        Forbidden: there is no bank to start.
    """
    if place.client().answers():
        yield
        return
    if not (place.home / "book.sqlite3").exists():
        raise Forbidden(f"No sandbox bank answers at {place.base_url}, and none can be started.")
    with subprocess.Popen(  # noqa: S603 - our own command
        [
            *(sys.executable, "-m", "integrations.sandbox_bank", "serve", "--follow-parent"),
            *("--home", str(place.home), "--port", str(place.port)),
            *("--secret-env", BANK_SECRET_VARIABLE),
        ],
        cwd=settings.BASE_DIR,
        env={**os.environ, BANK_SECRET_VARIABLE: settings.TMS_BANK_HTTP_SECRET},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            wait_for(
                lambda: place.client().answers() or None,
                what="the sandbox bank",
                seconds=BANK_START_SECONDS_MAX,
            )
            yield
        finally:
            process.terminate()
            process.wait(BANK_STOP_SECONDS_MAX)


def inspect(tenant: TenantName) -> Sequence[Finding]:
    """Verify what only the house itself can see: the sealed trail and the books."""
    while chain.seal(tenant=tenant.id):
        pass
    audit, books = audit_proofs([tenant])[0], books_proofs([tenant])[0]
    return [
        Finding(name="Audit trail", holds=audit.holds, words=audit.as_text()),
        Finding(name="Books", holds=books.holds, words=books.as_text()),
    ]
