"""An hour of balances at ten a second, decided as they arrive: `benchmarks/sweep_hour.py`.

Other rates and lengths: `--rate 100 --seconds 600`. The requirement is 95 of 100 decisions within
half a second.
"""

import argparse
import sys
from pathlib import Path

sys.path[0] = str(Path(__file__).resolve().parent.parent)

from benchmarks.measure import as_text, machine  # noqa: E402
from benchmarks.run import prepare  # noqa: E402


def main() -> int:
    """Run it and print what came out."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rate", type=int, default=10)
    parser.add_argument("--seconds", type=int, default=3_600)
    wanted = parser.parse_args()
    print(", ".join(f"{name} {value}" for name, value in machine(prepare()).items()), flush=True)
    from benchmarks import sweep_latency

    report = sweep_latency.measure(
        rate=wanted.rate, seconds=wanted.seconds, goals=sweep_latency.REQUIRED
    )
    print(as_text(report))
    return 0


if __name__ == "__main__":
    sys.exit(main())
