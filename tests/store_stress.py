"""Many processes, one store, `kill -9` at random: in the end it equals that of one undisturbed process.

python tests/store_stress.py [PROCESSES [SECONDS [SEED]]]      the heavy form: 16 processes, 60 seconds of killing
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]

sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from test_resume import content, files  # noqa: E402

from bench.records.claims import UNWRITTEN  # noqa: E402

SCALES = "2,3,4"
WORDS = ["--algos", "all", "--track", "count,clock", "--scale", SCALES, "--preset", "smoke", "--report", "md"]


def start(store: Path, seconds: float) -> subprocess.Popen[bytes]:
    """One run over the whole plan. Its output is nobody's; what counts is the store."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])}
    words = [*WORDS, "--set", f"count.sleep={seconds}", "--out", str(store)]
    command = [sys.executable, str(ROOT / "tests/fakes/run.py"), *words]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)


def disturb(store: Path, processes: int, seconds: float, chance: random.Random) -> int:
    """Keep so many runs at work on a store for some seconds, kill one at random again and again; how many were killed.

    A run that has ended by itself, or was killed, is started anew, as a scheduler would.
    """
    running, killed, end = [start(store, 0.2) for _ in range(processes)], 0, time.monotonic() + seconds
    try:
        while time.monotonic() < end:
            time.sleep(chance.uniform(0.0, 0.6 * seconds / processes))
            place = chance.randrange(processes)
            if running[place].poll() is None:
                running[place].kill()
                killed += 1
            running[place].wait()
            running[place] = start(store, 0.2)
    finally:
        for process in running:
            process.kill()
            process.wait()
    return killed


def finish(store: Path) -> None:
    """The same command, undisturbed. A claim that its owner could not write yet is taken over a little later."""
    if start(store, 0.0).wait() != 0 or any((store / ".claims").iterdir()):
        time.sleep(UNWRITTEN)
        assert start(store, 0.0).wait() == 0


def compare(processes: int, seconds: float, seed: int, folder: Path) -> str:
    """Disturb one store, leave another alone, and compare them; what was seen. Raises AssertionError."""
    disturbed, alone = folder / "disturbed", folder / "alone"
    killed = disturb(disturbed, processes, seconds, random.Random(seed))
    half = len(list(disturbed.glob("*/*/*.json")))
    finish(disturbed)
    finish(alone)
    assert content(disturbed) == content(alone)
    assert files(disturbed) == files(alone), files(disturbed) ^ files(alone)
    return f"{processes} processes, {killed} killed, {half} records before the last run, {len(content(alone))} after"


if __name__ == "__main__":
    processes, seconds, seed = (int(word) for word in (sys.argv[1:] + ["16", "60", "0"][len(sys.argv) - 1 :]))
    with tempfile.TemporaryDirectory() as folder:
        sys.stdout.write(compare(processes, seconds, seed, Path(folder)) + "\n")
