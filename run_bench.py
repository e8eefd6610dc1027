"""Run the benchmark: ``python run_bench.py --help``."""

import sys
from pathlib import Path

import bench

HERE, IMPORTED = Path(__file__).resolve().parent, Path(bench.__file__).resolve().parents[1]
# Looked at here and not in bench/: with two checkouts that share an environment, bench is the other one's.
MIXED = f"""\
error: this is the checkout {HERE},
but this Python runs the code installed from {IMPORTED}.
Give each checkout an environment of its own: python3 -m venv .venv && .venv/bin/pip install -e .
Or install this one into the environment in the other's place: {sys.executable} -m pip install -e {HERE}
"""

if __name__ == "__main__":
    if IMPORTED != HERE:
        sys.stderr.write(MIXED)
        raise SystemExit(2)
    from bench.app.main import main

    raise SystemExit(main())
