"""Many processes, one store, `kill -9` at random: in the end it equals that of one undisturbed process.

python tests/store_stress.py [PROCESSES [SECONDS [SEED]]]      the heavy form: 16 processes, 60 seconds of killing
"""

from __future__ import annotations

import multiprocessing
import os
import random
import sys
import tempfile
import time
from multiprocessing.process import BaseProcess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from test_resume import content, files  # noqa: E402

from bench.app.main import Rooms, main  # noqa: E402
from bench.records.claims import UNWRITTEN  # noqa: E402
from bench.records.store import Store  # noqa: E402

LIFE = 8.0
"""Seconds that a run lives on average before it is killed."""
FAKES = Rooms("fakes.algorithms", "fakes.tracks")
WORDS = ["--algos", "all", "--track", "count,clock", "--scale", "2,3,4", "--preset", "smoke", "--report", "md"]


def start(store: Path, seconds: float) -> BaseProcess:
    """One run over the whole plan, in a copy of this process: a new interpreter would spend its life importing."""
    words = [*WORDS, "--set", f"count.sleep={seconds}", "--out", str(store)]
    process = multiprocessing.get_context("fork").Process(target=_run, args=(words,))
    process.start()
    return process


def _run(words: list[str]) -> None:
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1), os.dup2(nowhere, 2)
    os._exit(main(words, FAKES))


def disturb(store: Path, processes: int, seconds: float, chance: random.Random) -> int:
    """Keep so many runs at work on a store for some seconds, kill one at random again and again; how many were killed.

    A run that has ended by itself, or was killed, is started anew, as a scheduler would.
    """
    running, killed, end = [start(store, 1.0) for _ in range(processes)], 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.0, 2 * LIFE / processes))
            place = chance.randrange(processes)
            killed += running[place].is_alive()
            running[place].kill()
            running[place].join()
            running[place] = start(store, 1.0)
    finally:
        for process in running:
            process.kill()
            process.join()
    return killed


def finish(store: Path) -> None:
    """The same command, undisturbed. A claim that its owner could not write yet is taken over a little later."""
    for wait in (0.0, UNWRITTEN):
        if wait and not any((store / ".claims").iterdir()):
            break
        time.sleep(wait)
        last = start(store, 0.0)
        last.join()
        assert last.exitcode == 0, last.exitcode


def compare(processes: int, seconds: float, seed: int, folder: Path) -> str:
    """Disturb one store, leave another alone, and compare them; what was seen. Raises AssertionError."""
    disturbed, alone = folder / "disturbed", folder / "alone"
    main([*WORDS, "--out", str(disturbed), "--dry-run"], FAKES)  # imports everything once
    killed = disturb(disturbed, processes, seconds, random.Random(seed))
    half = len(list(Store(disturbed).files()))
    finish(disturbed)
    finish(alone)
    assert content(disturbed) == content(alone)
    assert files(disturbed) == files(alone), files(disturbed) ^ files(alone)
    return f"{processes} processes, {killed} killed, {half} records before the last run, {len(content(alone))} after"


if __name__ == "__main__":
    processes, seconds, seed = (int(word) for word in (sys.argv[1:] + ["16", "60", "0"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(compare(processes, seconds, seed, Path(folder)) + "\n")
