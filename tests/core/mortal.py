"""A worker that is killed over one event: run in a process of its own by `test_events_killed.py`.

Arguments: tenant, the number that kills, the most taken together, how many lives it has at most,
minutes that have gone by, and whether attempts are counted beforehand. Every life is a process
that drains until it is killed or nothing is left. Prints how many were killed.
"""

import json
import os
import signal
import sys
from collections.abc import Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

sys.path[0] = str(Path(__file__).resolve().parent.parent.parent)

CONSUMER = "test.mortal"
TOPIC = "test.mortal.happened"


def main(wish: dict[str, Any]) -> int:
    """Live until a life ends by itself; return how many did not."""
    import django

    django.setup()
    from core import clock
    from core.events import Envelope, drain, subscribe_many
    from core.events.bus import Many

    drain.MANY_MAX = wish["most"]  # type: ignore[misc]
    if not wish["counted"]:
        begun = drain._Begun(takes=wish["most"], counted=(), oldest=drain.EVER + drain.OVERLAP)

        def uncounted(tenant: UUID, many: Many, *, since: datetime) -> drain._Begun:
            return begun

        drain._begin = uncounted

    def handler(envelopes: Sequence[Envelope]) -> None:
        if wish["poison"] in [one.payload["number"] for one in envelopes]:
            os.kill(os.getpid(), signal.SIGKILL)

    subscribe_many(TOPIC, consumer=CONSUMER)(handler)
    moment = clock.now() + timedelta(minutes=wish["minutes"])
    for killed in range(wish["lives"]):
        life = os.fork()
        if not life:
            with clock.frozen(moment):
                drain.drain(tenant=UUID(wish["tenant"]))
            os._exit(0)
        if not os.WIFSIGNALED(os.waitpid(life, 0)[1]):
            return killed
    return int(wish["lives"])


if __name__ == "__main__":
    sys.stdout.write(f"{main(json.loads(sys.argv[1]))}\n")
