"""`run_bench.py` over the fakes, for tests that need a process of its own."""

from __future__ import annotations

import signal

from bench.app.main import Rooms, main

if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell may have started the tests with it ignored
    raise SystemExit(main(rooms=Rooms("fakes.algorithms", "fakes.tracks")))
