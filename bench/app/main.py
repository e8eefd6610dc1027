"""The command line: flags to a plan to a run. The only file that reaches into every room, each when it is needed."""

from __future__ import annotations

import argparse
import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.app.settings import build_settings, count, size
from bench.app.terminal import prepare_streams
from bench.contract import Context, UserError
from bench.pictures.catalog import SETS
from bench.records.saved_pictures import FOLDER

if TYPE_CHECKING:
    from bench.plan.discover import Registry

ROOT = Path(__file__).resolve().parents[2]
LOCAL_STORE = ROOT / "results" / "local"
PAGES = ROOT / "reports" / "out"
FORMATS = ("html", "latex", "md")
COMMANDS = {
    "data": "bench.app.data",
    "train": "bench.app.train",
    "report": "bench.app.report",
    "compare": "bench.app.compare",
}
"""Subcommand -> module whose ``main(argv) -> int`` it runs."""

EXAMPLES = """\
examples:
  run_bench.py --algos frb,bbcu --track infer          measure two methods on this machine
  run_bench.py --algos all --track all --preset smoke  everything once, quickly
  run_bench.py --algos my_algo.py:MyAlgo --track all   a class of your own, from its file
  run_bench.py --algos all --track all --dry-run       what would be measured, and why
  run_bench.py --check frb                             does the method keep its promises?
  run_bench.py data | train | report --help            data sets; training; pages from existing records

A finished cell is not measured again. Stop at any time: the same command continues.
Exit code: 0 all well, 1 a cell failed or none gave a number, 2 the command was wrong, 130 interrupted.
"""


@dataclass(frozen=True)
class Rooms:
    """Packages in which algorithms and tracks are looked for."""

    algorithms: str = "algorithms"
    tracks: str = "tracks"


def main(argv: Sequence[str] | None = None, rooms: Rooms = Rooms()) -> int:
    """Run the command line; the exit code. Mistakes of the user end in one message and code 2."""
    prepare_streams()
    words = list(sys.argv[1:] if argv is None else argv)
    try:
        if words and not words[0].startswith("-"):
            return _command(words)
        if not words:
            _parser().print_help(sys.stderr)
            return 2
        return _run(_parser().parse_args(words), rooms)
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


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="run_bench.py",
        description="Benchmark of binarized and low-bit image super-resolution.",
        epilog=EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        allow_abbrev=False,
    )
    grid = parser.add_argument_group("what to measure (lists are comma-separated, or 'all')")
    grid.add_argument("--algos", metavar="LIST", help="keys, or path/to/file.py:Class, or package.module:Class")
    grid.add_argument("--track", metavar="LIST", help="tracks (see --list)")
    grid.add_argument("--backbone", metavar="LIST", help="backbones; default: the preset's")
    grid.add_argument("--scale", metavar="LIST", help="upscaling factors, e.g. 2,4; default: the preset's")
    grid.add_argument("--task", default="sr", metavar="KEY", help="what is restored (see --list); default: sr")
    grid.add_argument("--level", metavar="LIST", help="levels of the task, e.g. x4; default: its usual ones")
    grid.add_argument("--preset", default="quick", metavar="NAME", help="smoke, quick (default) or paper: the grid")
    grid.add_argument(
        "--datasets", metavar="LIST",
        help=f"test sets of accuracy and robust: {', '.join(SETS)}; default: the preset's, without a data root sample",
    )  # fmt: skip
    how = parser.add_argument_group("how")
    how.add_argument("--threads", type=count, default=1, metavar="N", help="threads of a network (default 1)")
    how.add_argument("--seed", type=int, default=0, metavar="N", help="seed of everything random (default 0)")
    how.add_argument("--repeats", type=count, metavar="N", help="timed repeats; default: the preset's")
    how.add_argument("--lr-size", type=size, metavar="WxH", help="low-resolution input; default: the preset's")
    how.add_argument("--input", type=Path, metavar="FILE", help="your own picture for the infer track")
    how.add_argument("--baseline", metavar="LIST", help="infer track: peers timed beside full precision, or 'all'")
    how.add_argument("--fp-engine", metavar="NAME", help="infer track: fp32 (default) or bf16 for full-precision parts")
    how.add_argument("--data-root", type=Path, metavar="DIR", help="folder of test sets (see: data --help)")
    how.add_argument("--weights", action="append", default=[], metavar="KEY=PATH", help="weights of one algorithm")
    how.add_argument("--set", action="append", default=[], metavar="TRACK.OPTION=VALUE", help="an option of one track")
    how.add_argument("--allow-untrained", action="store_true", help="score networks without trained weights too")
    out = parser.add_argument_group("results")
    out.add_argument("--out", type=Path, metavar="DIR", help="folder of records; default: results/local")
    out.add_argument("--report", default="html", metavar="LIST", help="pages: html (default), latex, md")
    out.add_argument("--wide", action="store_true", help="tables with every column, wider than the terminal or not")
    out.add_argument("--force", action="store_true", help="measure finished cells again")
    out.add_argument("--dry-run", action="store_true", help="say what would be measured, and why; measure nothing")
    other = parser.add_argument_group("instead of a run")
    other.add_argument("--list", action="store_true", help="algorithms, backbones, tracks and presets")
    other.add_argument("--check", metavar="KEY|all", help="conformance checks of an algorithm, or file.py:Class")
    return parser


def _run(flags: argparse.Namespace, rooms: Rooms) -> int:
    from bench.plan.cells import load_preset, pick, pick_algorithms, pick_levels, plan
    from bench.plan.discover import discover
    from bench.tasks import load_task

    registry = discover(rooms.algorithms, rooms.tracks)
    if flags.list:
        from bench.app.listing import listing

        sys.stdout.write(listing(registry, flags.wide))
        return 0
    if flags.check is not None:
        backbones = pick("backbone", flags.backbone, list(registry.backbones)) if flags.backbone else None
        return _check(flags.check, registry, backbones)
    preset = load_preset(flags.preset)
    registry, algorithms = pick_algorithms(flags.algos, registry)
    tracks = [registry.tracks[name] for name in pick("track", flags.track, list(registry.tracks))]
    backbones = pick("backbone", flags.backbone, list(registry.backbones), preset.backbones)
    levels = pick_levels(load_task(flags.task), flags.level, flags.scale, registry, preset)
    formats = pick("report format", flags.report, FORMATS)
    settings = build_settings(flags, preset, registry)

    from bench.plan.identity import Stamp
    from bench.records.store import Store

    store = Store((flags.out or LOCAL_STORE).expanduser().resolve())
    stamp = Stamp(settings, registry)

    def planned() -> list[Any]:
        return plan(registry, tracks, algorithms, backbones, levels, settings, stamp, store, flags.force)

    if flags.dry_run:
        from bench.app.listing import dry_run

        sys.stdout.write(dry_run(planned(), flags.wide))
        return 0
    from bench.app.progress import Progress
    from bench.app.run import execute, show_plan, show_results

    with store.writing():
        cells = planned()
        show_plan(cells)
        bar = Progress(sum(item.fate != "done" for item in cells))
        context = Context(settings, registry.loader, registry.cards, bar.update, store.root / FOLDER)
        summary = execute(cells, tracks, context, stamp, store, bar)
    pages = store.root / "report" if flags.out else PAGES
    return show_results(summary, store, pages, formats, registry.cards, flags.wide)


def _check(text: str, registry: Registry, backbones: list[str] | None) -> int:
    """Conformance checks on the named backbones, or on each algorithm's first."""
    from bench.plan.cells import pick_algorithms
    from bench.plan.discover import load_class

    conformance = importlib.import_module("bench.conformance")
    registry, keys = pick_algorithms(text, registry)
    subjects = [load_class(registry.algorithms[key].card.adapter) if ":" in text else key for key in keys]
    return 1 if sum(conformance.run_checks(subject, print, backbones) for subject in subjects) else 0
