"""One command, many pieces: the same command with ``--cells I/N``, as processes here or as tasks of a Slurm array.

A piece's result is the files it leaves, never what its process returns; so a piece that is killed, requeued or started
twice does no harm, and whoever launched it may go away.
"""

from __future__ import annotations

import argparse
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.contract import UserError
from bench.contract.extras import require

LAUNCHERS = ("none", "local", "slurm")
SLURM_PIECES = 1000
"""Slurm's usual longest array is 1001 tasks."""
SLURM_DEFAULT = 20
RESTARTS = 1000
"""Times that a piece may run into the time limit and go on: a training of days has many."""
EVERY = 30.0
"""Seconds between two lines of how far the pieces are."""
DEAF = ("env", "--ignore-signal=USR2")
"""In front of a command: Slurm sends its warning to every process; the piece passes it on as SIGTERM."""
AFTERLIFE = 120.0
"""Seconds that a piece which was told to end waits for the scheduler, so that it does not count as completed."""


@dataclass(frozen=True)
class Batch:
    """Pieces that may run at the same time."""

    title: str
    words: list[str]
    """Of the command, without ``--cells``"""
    cells: int
    exclusive: bool = False
    """A node to itself: these cells are timed."""

    def pieces(self, wanted: int) -> list[list[str]]:
        """The words of each piece."""
        count = max(1, min(wanted, self.cells))
        return [[*self.words, "--launcher", "none", "--cells", f"{n}/{count}"] for n in range(1, count + 1)]


def add_launcher(group: argparse._ArgumentGroup, count: Callable[[str], int]) -> None:
    """Flags of a command that can run in pieces."""
    group.add_argument(
        "--launcher", choices=LAUNCHERS, default="none", help="run in pieces: local processes, or a Slurm array"
    )
    group.add_argument("--jobs", type=count, metavar="N", help="pieces; default: what this machine holds, on Slurm 20")
    group.add_argument("--at-once", type=count, metavar="N", help="pieces at the same time; default: all")
    group.add_argument(
        "--slurm", action="append", default=[], metavar="KEY=VALUE",
        help="an option of sbatch: time (minutes), partition, cpus_per_task, mem, constraint, account; repeatable",
    )  # fmt: skip


def check_launcher(flags: argparse.Namespace) -> None:
    """Raises UserError for flags that contradict each other, and when submitit is not installed."""
    if flags.cells or flags.cell:
        raise UserError(f"--launcher {flags.launcher} makes the pieces itself. Leave out --cells and --cell.")
    if flags.slurm and flags.launcher != "slurm":
        raise UserError("--slurm options are for --launcher slurm.")
    if flags.launcher == "slurm":
        require({"--launcher slurm": ("cluster",)})
        _slurm_options(flags.slurm)


def launch_local(batches: Iterable[Batch], jobs: int, at_once: int, logs: Path, told: Callable[[], str]) -> None:
    """Run every piece as a process of this machine, batch after batch, and wait. ``told`` says how far they are.

    Output goes to files under ``logs``. Ctrl-C ends the pieces as it ends a run, each after what is already written.
    """
    for batch in batches:
        running, waiting = list[subprocess.Popen[bytes]](), list(enumerate(batch.pieces(jobs), 1))
        sys.stderr.write(f"{batch.title}: {batch.cells} in {len(waiting)} local pieces; their output: {logs}\n")
        line = time.monotonic() + EVERY
        try:
            while waiting or running:
                while waiting and len(running) < at_once:
                    number, words = waiting.pop(0)
                    running.append(_start(words, logs / f"{batch.title}-{number}.log"))
                time.sleep(0.1)
                running = [process for process in running if process.poll() is None]
                if time.monotonic() >= line:
                    line = time.monotonic() + EVERY
                    sys.stderr.write(f"{told()}, {len(running)} pieces running, {len(waiting)} waiting\n")
        finally:
            for process in running:
                process.terminate()
            for process in running:
                process.wait()


def _start(words: Sequence[str], log: Path) -> subprocess.Popen[bytes]:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "wb") as file:
        return subprocess.Popen([*program(), *words], stdin=subprocess.DEVNULL, stdout=file, stderr=file)


def program() -> list[str]:
    """This program, as it was started."""
    return [sys.executable, str(Path(sys.argv[0]).resolve())]


def launch_slurm(batches: Sequence[Batch], flags: argparse.Namespace, logs: Path, in_order: bool = False) -> list[str]:
    """Submit each batch as one array and return the jobs' numbers, without waiting; ``in_order``: one after another."""
    from submitit import SlurmExecutor

    found: list[str] = []
    for batch in batches:
        pieces = batch.pieces(min(flags.jobs or SLURM_DEFAULT, SLURM_PIECES))
        options = {"time": 240, "job_name": "bisrbench", "array_parallelism": flags.at_once or len(pieces)}
        options |= {"exclusive": True} if batch.exclusive else {}
        options |= {"dependency": f"afterany:{found[-1]}"} if in_order and found else {}
        executor = SlurmExecutor(logs, max_num_timeout=RESTARTS)
        try:
            executor.update_parameters(**(options | _slurm_options(flags.slurm)))
            with executor.batch():
                jobs = [executor.submit(Piece([*program(), *words])) for words in pieces]
        except (RuntimeError, OSError, subprocess.SubprocessError) as error:
            raise UserError(f"Slurm took no job ({' '.join(str(error).split())[:300]}). Is sbatch here?") from None
        found.append(jobs[0].job_id.partition("_")[0])
        sys.stderr.write(f"{batch.title}: {batch.cells} in {len(pieces)} tasks of job {found[-1]}; output: {logs}\n")
    return found


def _slurm_options(pairs: Sequence[str]) -> dict[str, Any]:
    """Parameters of submitit, and as additional ones what only sbatch knows."""
    from submitit.slurm.slurm import _get_default_parameters

    known, more = {}, {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not key or not equals:
            raise UserError(f"--slurm {pair!r}: expected KEY=VALUE, as in --slurm partition=gpu.")
        place = known if key in _get_default_parameters() else more
        place[key.replace("-", "_") if place is more else key] = int(value) if value.isdecimal() else value
    return {**known, **({"additional_parameters": more} if more else {})}


@dataclass
class Piece:
    """What a task of the array calls: the command as a process of its own, which ends cleanly when it is told to."""

    command: list[str]
    child: subprocess.Popen[bytes] | None = field(default=None, repr=False)

    def __call__(self) -> int:
        """The command's exit code. Raises RuntimeError where the command itself was wrong."""
        self.child = subprocess.Popen([*DEAF, *self.command])
        while (code := self.child.poll()) is None:  # not wait(): `checkpoint` runs inside it, and waits too
            time.sleep(0.5)
        if code in (130, -signal.SIGTERM):
            time.sleep(AFTERLIFE)
        if code not in (0, 1):
            raise RuntimeError(f"{' '.join(self.command)} ended with {code}; see the output above")
        return code

    def checkpoint(self) -> Any:
        """Called shortly before the time limit: end the command, after what it can keep, and run it again later."""
        from submitit.helpers import DelayedSubmission

        if self.child is not None:
            self.child.terminate()
            while self.child.poll() is None:
                time.sleep(0.1)
        return DelayedSubmission(Piece(self.command))
