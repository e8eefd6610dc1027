"""Nouns, plumbing and shared building blocks of the benchmark (the whole stands in README.md)."""

import os
import sys

if sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2:3] != ["tracks.infer.worker"]:
    # `python -m bench...` in one checkout, with another one installed: see run_bench.py.
    _here = os.path.join(os.getcwd(), "bench", "__init__.py")
    if os.path.isfile(_here) and not os.path.samefile(_here, __file__):
        sys.exit(f"error: {os.getcwd()} is another checkout than the code installed from {os.path.dirname(__file__)}.")
