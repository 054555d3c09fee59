"""Run riskfolio-lib's historical VaR and CVaR in an environment of its own, one line a time.

Our process names a file with a matrix of flows, one row for each portfolio, and where the figures
shall go; this one answers with the processor time. Nothing of ours is imported here.
"""

import json
import sys
import time

import numpy as np
from riskfolio.src.RiskFunctions import CVaR_Hist, VaR_Hist


def main() -> None:
    """Answer one line of JSON for each that comes, until there are no more."""
    for line in sys.stdin:
        flows_path, figures_path, alpha = json.loads(line)
        flows = np.load(flows_path)
        start = time.process_time()
        figures = [(VaR_Hist(row, alpha), CVaR_Hist(row, alpha)) for row in flows]
        seconds = time.process_time() - start
        np.save(figures_path, np.array(figures))
        sys.stdout.write(f"{json.dumps({'seconds': seconds})}\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
