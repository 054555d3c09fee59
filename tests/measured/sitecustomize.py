"""Starts the measuring of coverage in the workers of the test suite.

Python imports a module of this name by itself, before everything else, when this folder is on
PYTHONPATH; so no module of ours is imported unseen. `make suite` names the folder for the
reports in TMS_COVERAGE_DIR. Processes that a test starts are not measured.
"""

import os
import sys

# How pytest-xdist's workers are started.
WORKER = "import sys;exec(eval(sys.stdin.readline()))"

if sys.orig_argv[-1:] == [WORKER] and "TMS_COVERAGE_DIR" in os.environ:
    import measuring

    measuring.start(os.environ["TMS_COVERAGE_DIR"])
