"""VaR and expected shortfall of 10,000 portfolios, 250 days each (quick: 2,000).

Ours: `risk.engine.tails`, all portfolios in one call. Peers: riskfolio-lib's `VaR_Hist` and
`CVaR_Hist` for each portfolio, in a process of its own (`make peers`), and the same two figures by
numpy for each portfolio. All must find the same numbers: 99 % by the definition that riskfolio
has (of 250 days the third worst) and the mean of the worst two and a half days.
Beside: selecting with `np.partition` instead of sorting. Limit: adding the matrix up once.
"""

import json
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.measure import CPU, Contestant, Report, Role, race, timed
from benchmarks.peers import PYTHON
from risk.engine.tails import Quantile, tails

Floats = NDArray[np.float64]
DAYS = 250
ALPHA = 0.01
REPEATS = 7
ABSENT = "riskfolio-lib is not installed (make peers): no ratio to it."


class _Riskfolio:
    """The other process; it answers with its processor time and leaves its figures in a file."""

    def __init__(self, flows: Floats, folder: Path) -> None:
        self.figures = folder / "figures.npy"
        np.save(folder / "flows.npy", flows)
        self._question = json.dumps([str(folder / "flows.npy"), str(self.figures), ALPHA])
        self._process = subprocess.Popen(
            [str(PYTHON), str(Path(__file__).with_name("peer_risk.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def work(self) -> float:
        """Let it measure all portfolios; return the seconds that took."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(f"{self._question}\n")
        self._process.stdin.flush()
        seconds: float = json.loads(self._process.stdout.readline())["seconds"]
        return seconds

    def close(self) -> None:
        """Let the process end."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(timeout=30)


def run(*, quick: bool) -> Iterator[Report]:
    """Yield one report; all contestants take turns over the same matrix."""
    count = 2_000 if quick else 10_000
    flows = np.random.default_rng(7).standard_t(4, size=(count, DAYS)) * 1e6
    with tempfile.TemporaryDirectory() as folder:
        peer = _Riskfolio(flows, Path(folder)) if _has_riskfolio() else None
        try:
            yield _report(flows, peer)
        finally:
            if peer is not None:
                peer.close()


def _has_riskfolio() -> bool:
    if not PYTHON.is_file():
        return False
    command = [str(PYTHON), "-c", "import riskfolio"]
    return subprocess.run(command, capture_output=True, check=False).returncode == 0


def _report(flows: Floats, peer: _Riskfolio | None) -> Report:
    contestants = [
        _contestant("numpy, each portfolio by itself", "peer", lambda: _each(flows), flows),
        _contestant("tails", "ours", lambda: tails(flows, quantile=Quantile.HF1), flows),
        _contestant("tails, default definition (hf6)", "part", lambda: tails(flows), flows),
        _contestant("np.partition, all at once", "part", lambda: _partition(flows), flows),
        _contestant("adding the matrix up", "limit", flows.sum, flows),
    ]
    ours = tails(flows, quantile=Quantile.HF1)
    figures = np.column_stack([ours.var, ours.es])
    assert np.allclose(figures, _each(flows), rtol=1e-12)
    assert np.allclose(figures, _partition(flows), rtol=1e-12)
    notes: tuple[str, ...] = (ABSENT,)
    if peer is not None:
        peer.work()
        theirs = np.load(peer.figures)
        assert np.allclose(figures, theirs, rtol=1e-9)
        off = float(np.abs(figures / theirs - 1).max())
        notes = (f"Largest relative difference to riskfolio-lib: {off:.1e}.",)
        units: dict[str, float] = {"portfolios/s": len(flows)}
        contestants.append(
            Contestant(name="riskfolio-lib", role="peer", work=peer.work, units=units)
        )
    return Report(
        name="var",
        what=f"VaR and expected shortfall of {len(flows):,} portfolios × {DAYS} days",
        clock="processor",
        repeats=REPEATS,
        rows=race(contestants, repeats=REPEATS),
        notes=notes,
    )


def _contestant(name: str, role: Role, work: Callable[[], object], flows: Floats) -> Contestant:
    return Contestant(
        name=name,
        role=role,
        work=lambda: timed(work, clock=CPU),
        units={"portfolios/s": len(flows)},
    )


def _partition(flows: Floats) -> Floats:
    """Return the same figures by selecting the three worst days of all portfolios."""
    worst = np.sort(np.partition(flows, 2, axis=1)[:, :3], axis=1)
    es = -(worst[:, 0] + worst[:, 1] + 0.5 * worst[:, 2]) / 2.5
    return np.column_stack([-worst[:, 2], es])


def _each(flows: Floats) -> Floats:
    """Return the same figures with one call of numpy for each portfolio."""
    figures = np.empty((len(flows), 2))
    for number, row in enumerate(flows):
        worst = np.sort(row)[:3]
        figures[number] = -worst[2], -(worst[0] + worst[1] + 0.5 * worst[2]) / 2.5
    return figures
