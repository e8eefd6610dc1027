"""Flags of a run. Imports nothing heavy: ``--help`` passes through here."""

from __future__ import annotations

import argparse
import re
from pathlib import Path

from bench.app.flags import Parser
from bench.app.launch import add_launcher
from bench.app.settings import count, seed, size
from bench.contract.part import fraction
from bench.pictures.catalog import SETS

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


def run_parser() -> Parser:
    """The parser of a run's flags."""
    about = "Benchmark of binarized and low-bit image super-resolution."
    parser = Parser(prog="run_bench.py", description=about, epilog=EXAMPLES)
    parser.add_config()
    grid = parser.add_argument_group("what to measure (lists are comma-separated, or 'all')")
    grid.add_argument("--algos", metavar="LIST", help="keys, or path/to/file.py:Class, or package.module:Class")
    grid.add_argument("--track", metavar="LIST", help="tracks (see --list)")
    grid.add_argument("--backbone", metavar="LIST", help="backbones, or file.py:function; default: the preset's")
    grid.add_argument("--scale", metavar="LIST", help="upscaling factors, e.g. 2,4; default: the preset's")
    grid.add_argument("--task", default="sr", metavar="KEY", help="what is restored (see --list); default: sr")
    grid.add_argument("--level", metavar="LIST", help="levels of the task, e.g. x4; default: its usual ones")
    grid.add_argument(
        "--preset", default="quick", metavar="NAME", help="smoke, quick (default), board or paper: the grid"
    )
    grid.add_argument(
        "--datasets", metavar="LIST",
        help=f"test sets of accuracy and robust: {', '.join(SETS)}; default: the preset's, without a data root sample",
    )  # fmt: skip
    add_part(grid)
    how = parser.add_argument_group("how")
    how.add_argument("--threads", type=count, default=1, metavar="N", help="threads of a network (default 1)")
    how.add_argument("--seed", type=seed, default=0, metavar="N", help="seed of everything random (default 0)")
    how.add_argument("--repeats", type=count, metavar="N", help="timed repeats; default: the preset's")
    how.add_argument("--lr-size", type=size, metavar="WxH", help="low-resolution input; default: the preset's")
    how.add_argument("--input", type=Path, metavar="FILE", help="your own picture for the infer track")
    how.add_argument("--baseline", metavar="LIST", help="infer track: peers timed beside full precision, or 'all'")
    how.add_argument(
        "--fp-engine",
        metavar="NAME",
        help="infer track, full-precision parts: fp32 (default), bf16, openvino-fp32, openvino-bf16",
    )
    how.add_argument("--kernel", metavar="NAME", help="run this native kernel (default: the fastest that runs here)")
    how.add_argument("--data-root", type=Path, metavar="DIR", help="folder of test sets (see: data --help)")
    how.add_argument("--weights", action="append", default=[], metavar="KEY=PATH",
                     help="weights of an algorithm, or of one network: KEY@BACKBONE.x2=PATH")  # fmt: skip
    how.add_argument("--set", action="append", default=[], metavar="TRACK.OPTION=VALUE", help="an option of one track")
    how.add_argument("--allow-untrained", action="store_true", help="score networks without trained weights too")
    add_launcher(parser.add_argument_group("in pieces, on many machines"), count)
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


def follow_cells(flags: argparse.Namespace) -> None:
    """Lists that the user did not give follow from the cells named with ``--cell``, in place."""
    found = [re.fullmatch(r"([^/.]+)/([^/.]+)\.([^/.]+)\.([^/.]+)\.[^/]+", name) for name in flags.cell]
    if not found or None in found:
        return

    def named(group: int) -> str | None:
        return ",".join(dict.fromkeys(match[group] for match in found if match and match[group] != "none")) or None

    flags.track, flags.algos = flags.track or named(1), flags.algos or named(2)
    flags.backbone = flags.backbone or named(3)
    if flags.scale is None:
        flags.level = flags.level or named(4)


def add_part(group: argparse._ArgumentGroup) -> None:
    """Flags that choose a part of a grid."""
    group.add_argument(
        "--cells", type=fraction, metavar="I/N", help="only part I of N of the cells, the same on every machine"
    )
    group.add_argument(
        "--cell", action="append", default=[], metavar="NAME", help="only this cell, as --dry-run names it; repeatable"
    )
