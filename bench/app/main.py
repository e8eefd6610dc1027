"""The command line: flags to a plan to a run. The only file that reaches into every room, each when it is needed."""

from __future__ import annotations

import argparse
import importlib
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.app.run_flags import follow_cells, run_parser
from bench.app.settings import build_settings
from bench.app.terminal import prepare_streams
from bench.contract import Context, UserError
from bench.contract.part import part_of
from bench.records.saved_pictures import FOLDER

if TYPE_CHECKING:
    from bench.plan.discover import Registry

ROOT = Path(__file__).resolve().parents[2]
LOCAL_STORE = ROOT / "results" / "local"
PAGES = ROOT / "reports" / "out"
FORMATS = ("html", *sorted(path.stem for path in (ROOT / "reports" / "formats").glob("[!_]*.py")))
"""Of reports; not imported, since runs go on without ``reports/``"""
COMMANDS = {
    "data": "bench.app.data",
    "train": "bench.app.train",
    "report": "bench.app.report",
    "compare": "bench.app.compare",
    "config": "bench.app.config",
    "weights": "bench.app.weights",
    "export": "bench.app.export",
}
"""Subcommand -> module whose ``main(argv) -> int`` it runs."""


@dataclass(frozen=True)
class Rooms:
    """Packages in which algorithms and tracks are looked for."""

    algorithms: str = "algorithms"
    tracks: str = "tracks"


def main(argv: Sequence[str] | None = None, rooms: Rooms = Rooms()) -> int:
    """Run the command line; the exit code. Mistakes of the user end in one message and code 2."""
    prepare_streams()
    with ended_by_sigterm():
        return _main(argv, rooms)


@contextmanager
def ended_by_sigterm() -> Iterator[None]:
    """Inside the block SIGTERM does what Ctrl-C does: what is done stays done, one sentence, exit code 130."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    try:
        before = signal.signal(signal.SIGTERM, stop)
    except ValueError:  # not the main thread: signals are somebody else's
        yield
        return
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _main(argv: Sequence[str] | None, rooms: Rooms) -> int:
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and not words[0].startswith("-"):
            return _command(words)
        if not words:
            run_parser().print_help(sys.stderr)
            return 2
        flags = run_parser().parse_args(words)
        flags.words = words
        return _run(flags, rooms)
    except UserError as error:
        sys.stderr.write(f"error: {error}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("interrupted. What was measured is kept; the same command continues with the rest.\n")
        return 130


def _command(words: list[str]) -> int:
    if words[0] not in COMMANDS:
        from bench.contract import unknown

        raise unknown("command", words[0], COMMANDS)
    return importlib.import_module(COMMANDS[words[0]]).main(words[1:])


def _run(flags: argparse.Namespace, rooms: Rooms) -> int:
    from bench.plan.cells import load_preset, pick, pick_algorithms, pick_backbones, pick_levels, plan
    from bench.plan.discover import discover
    from bench.tasks import load_task

    if flags.kernel:
        from bench.packed.kernels import KERNEL_VARIABLE

        os.environ[KERNEL_VARIABLE] = flags.kernel
    registry = discover(rooms.algorithms, rooms.tracks)
    if flags.list:
        from bench.app.listing import listing

        sys.stdout.write(listing(registry, flags.wide))
        return 0
    if flags.check is not None:
        backbones = pick_backbones(flags.backbone, registry, []) if flags.backbone else None
        return _check(flags.check, registry, backbones)
    follow_cells(flags)
    preset = load_preset(flags.preset)
    registry, algorithms = pick_algorithms(flags.algos, registry)
    tracks = [registry.tracks[name] for name in pick("track", flags.track, list(registry.tracks))]
    backbones = pick_backbones(flags.backbone, registry, preset.backbones)
    levels = pick_levels(load_task(flags.task), flags.level, flags.scale, registry, preset)
    formats = pick("report format", flags.report, FORMATS)
    settings = build_settings(flags, preset, registry)

    from bench.plan.identity import Stamp
    from bench.records.store import Store

    part = part_of(flags)
    store = Store((flags.out or LOCAL_STORE).expanduser().resolve())
    stamp = Stamp(settings, registry)

    def planned() -> list[Any]:
        return plan(registry, tracks, algorithms, backbones, levels, settings, stamp, store, flags.force, part)

    if flags.dry_run:
        from bench.app.listing import dry_run

        sys.stdout.write(dry_run(planned(), flags.wide))
        return 0
    from bench.app.progress import Progress
    from bench.app.results import show_plan, show_results
    from bench.app.run import execute
    from bench.app.weights import announce

    announce(settings.weights)

    if flags.launcher != "none":
        from bench.app.pieces import run_in_pieces

        if (code := run_in_pieces(flags, tracks, planned(), store)) is not None:
            return code
    with store.writing() as claims:
        cells = planned()
        show_plan(cells, part)
        bar = Progress(sum(item.fate != "done" for item in cells))
        context = Context(settings, registry.loader, registry.cards, bar.update, store.root / FOLDER)
        summary = execute(cells, tracks, context, stamp, store, bar, claims)
    pages = store.root / "report" if flags.out else PAGES
    return show_results(summary, store, pages, formats if part.whole else [], registry.cards, flags.wide)


def _check(text: str, registry: Registry, backbones: list[str] | None) -> int:
    """Conformance checks on the named backbones, or on each algorithm's first."""
    from bench.plan.cells import pick_algorithms
    from bench.plan.discover import load_class

    conformance = importlib.import_module("bench.conformance")
    registry, keys = pick_algorithms(text, registry)
    subjects = [load_class(registry.algorithms[key].card.adapter) if ":" in text else key for key in keys]
    return 1 if sum(conformance.run_checks(subject, print, backbones) for subject in subjects) else 0
