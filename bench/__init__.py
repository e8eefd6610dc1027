"""Nouns, plumbing and shared building blocks of the benchmark (the whole stands in README.md)."""

import os
import sys
from typing import Any

from bench import former_names

_API = ("LayerFacts", "PackedNetwork", "load_packed")

if sys.orig_argv[1:2] == ["-m"] and sys.orig_argv[2:3] != ["tracks.infer.worker"]:
    # `python -m bench...` in one checkout, with another one installed: see run_bench.py.
    _here = os.path.join(os.getcwd(), "bench", "__init__.py")
    if os.path.isfile(_here) and not os.path.samefile(_here, __file__):
        sys.exit(f"error: {os.getcwd()} is another checkout than the code installed from {os.path.dirname(__file__)}.")

former_names.install()


def __getattr__(name: str) -> Any:
    """The public interface (docs/api.md), imported when it is asked for: most of the program needs no torch."""
    if name not in _API:
        raise AttributeError(f"module 'bench' has no attribute {name!r}; it offers {', '.join(_API)}")
    from bench.app import api

    return getattr(api, name)
