"""A feed of balances in a process of its own: what is due by now is recorded in one commit.

Argument: a JSON object with `tenant`, `rate` (events a second), `seconds`, `sweeping` and `quiet`
(how many accounts of each kind; one more warms the connection) and `offset` (clock file). It says
`ready`, and begins when a line comes in. It hands over what is due once a tick, as a feed does that
has a commit to pay for; where a commit took longer than that, whatever has come due meanwhile.
The balance's own instant is when it was due, so that whoever decides on it can tell how long that
took, waiting included: an open loop.
"""

import json
import math
import sys
import time
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

sys.path[0] = str(Path(__file__).resolve().parent.parent)

BATCH_MAX = 500
TICK_SECONDS = 0.005
SWEEPING_EACH = 10
WARMING = 8


def main(wish: dict[str, Any]) -> None:
    """Feed until the last event is recorded."""
    from benchmarks import database

    database.connect()
    from benchmarks.sweep_scene import number_of
    from core import clock
    from core.tenancy import bound
    from treasury.services import reported

    clock.configure(Path(wish["offset"]))

    def send(reports: list[reported.ReportedBalance]) -> None:
        with bound(wish["tenant"], actor="system:feed"):
            told = reported.record_balances(balances=reports)
        assert not [one.why for one in told if one.why]

    def event(number: int, account: int, amount: Decimal, at: datetime) -> Any:
        return reported.ReportedBalance(
            event_id=f"feed-{number}",
            account=number_of(account),
            currency="USD",
            balance_type="ITAV",
            amount=amount,
            as_of=at,
        )

    for warming in range(WARMING):
        spare = wish["sweeping"] + wish["quiet"]
        send([event(-warming, spare, Decimal(warming), clock.now())])
    print("ready", flush=True)
    sys.stdin.readline()
    start = clock.now() + timedelta(seconds=0.1)
    total, sent, tick = int(wish["rate"] * wish["seconds"]), 0, 0.0
    while sent < total:
        passed = (clock.now() - start).total_seconds()
        # Rounded down, also before the start: what is not due is ahead of the clock.
        until = min(math.floor(passed * wish["rate"]) + 1, total, sent + BATCH_MAX)
        if passed < tick or until <= sent:
            time.sleep(max(0.0, max(tick, sent / wish["rate"]) - passed))
            continue
        tick = passed + TICK_SECONDS
        reports = []
        for number in range(sent, until):
            turn, place = divmod(number, SWEEPING_EACH)
            if place == 0:
                # Each of these has one report, and an order comes of it.
                account, amount = turn % wish["sweeping"], Decimal(1_000_000)
            else:
                account = wish["sweeping"] + (number - turn) % wish["quiet"]
                amount = Decimal(4_000_000 + number % 900_000) / 100
            at = start + timedelta(seconds=number / wish["rate"])
            reports.append(event(number + 1, account, amount, at))
        send(reports)
        sent = until


if __name__ == "__main__":
    main(json.loads(sys.argv[1]))
