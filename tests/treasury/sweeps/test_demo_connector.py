"""The demo's connector: an order is checked, booked by the sandbox bank, and answered."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from core import clock
from tests.chaos.live import PROJECT
from tests.treasury.sweeps.conftest import CUTOFF, Sweeping
from tests.treasury.sweeps.test_deciding import order_of
from tests.treasury.sweeps.test_sending import carried, fresh
from tms.demo.bank import SandboxBank
from tms.demo.connector import execute_sent
from treasury.models import SweepOrder
from treasury.services import sweeps

SECRET: Final = "a secret that only this bank and this test share"
ACCOUNT: Final = {
    "bank_bic": "SBNKUS33XXX",
    "number": "3000000001",
    "clearing_system": "USABA",
    "clearing_code": "021000021",
    "currency": "USD",
    "owner_name": "North Remit Limited",
    "timezone": "America/New_York",
    "channel": "folder",
    "opening_balance": "1000000.00",
}


@pytest.fixture(scope="module")
def bank(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SandboxBank]:
    home = tmp_path_factory.mktemp("bank")
    with subprocess.Popen(
        [
            *(sys.executable, "-m", "integrations.sandbox_bank", "serve", "--port", "0"),
            *("--home", str(home), "--secret-env", "BANK_SECRET", "--pace", "0.001"),
            *("--interim-minutes", "0", "--follow-parent"),
        ],
        cwd=PROJECT,
        env={**os.environ, "BANK_SECRET": SECRET},
        stdout=subprocess.PIPE,
    ) as process:
        assert process.stdout is not None
        try:
            url = json.loads(process.stdout.readline())["listening"]
            found = SandboxBank(base_url=url, secret=SECRET)
            found.put_accounts([ACCOUNT])
            yield found
        finally:
            process.terminate()


@pytest.fixture
def sent(sweeping: Sweeping) -> SweepOrder:
    made = order_of(sweeping)
    sweeps.sign_due(tenant=sweeping.tenant.id)
    carried(sweeping)
    assert sweeps.mark_sent() == 1
    return fresh(made)


def test_a_sent_order_is_booked_and_answered_once(
    sweeping: Sweeping, sent: SweepOrder, bank: SandboxBank
) -> None:
    assert execute_sent(tenant=sweeping.tenant.id, bank=bank) == 1
    held = fresh(sent)
    assert (held.state, held.bank_ref) == ("ACK", f"SANDBOX-{sent.order_id}")
    assert execute_sent(tenant=sweeping.tenant.id, bank=bank) == 0


def test_a_bank_that_is_away_leaves_the_order_waiting(sweeping: Sweeping, sent: SweepOrder) -> None:
    away = SandboxBank(base_url="http://127.0.0.1:9")
    assert execute_sent(tenant=sweeping.tenant.id, bank=away) == 0
    assert fresh(sent).state == "SENT"


def test_an_order_that_has_run_out_is_not_executed(
    sweeping: Sweeping, sent: SweepOrder, bank: SandboxBank
) -> None:
    with clock.frozen(CUTOFF):
        assert execute_sent(tenant=sweeping.tenant.id, bank=bank) == 0
    assert fresh(sent).state == "SENT"


def test_another_key_does_not_open_the_bank(
    sweeping: Sweeping, sent: SweepOrder, bank: SandboxBank, signing_folder: Path
) -> None:
    """The negative control: the key that signed it is not published any more."""
    for path in signing_folder.glob("*.pem"):
        path.unlink()
    assert execute_sent(tenant=sweeping.tenant.id, bank=bank) == 0
    assert fresh(sent).state == "SENT"
