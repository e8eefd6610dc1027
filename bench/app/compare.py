"""``run_bench.py compare A B``: two sets of records, and the table of what changed between them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Collection, Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

from tabulate import tabulate

from bench.app.flags import Parser
from bench.app.main import ROOT
from bench.contract import UserError
from bench.records.changes import ALPHA, LEAST, Change, cells_of, compare
from bench.records.record import Record
from bench.records.store import load

VERDICTS = ("better", "worse", "changed", "not comparable")
"""Of cells that both have, in the order of the summary"""
REFERENCE = "results/reference"
"""The committed store that a commit stands for."""


def main(argv: Sequence[str]) -> int:
    """Compare two stores or commits; exit code 1 when something became worse, with ``--complete`` also gone, else 0.

    Raises:
        UserError: neither a folder nor a commit with committed records.
    """
    about = "What became better or worse beyond noise."
    parser = Parser(prog="run_bench.py compare", description=about)
    what = f"folder of records, or a git commit (its {REFERENCE}); several, comma-separated: repeated runs"
    parser.add_argument("before", metavar="A", help=what)
    parser.add_argument("after", metavar="B", help="the same, newer")
    parser.add_argument(
        "--alpha", type=float, default=ALPHA, help=f"chance of a false timed change on a board (default {ALPHA:g})"
    )
    parser.add_argument(
        "--least", type=float, default=LEAST, metavar="PERCENT", help=f"smallest timed change told (default {LEAST:g})"
    )
    parser.add_argument("--complete", action="store_true", help="a cell of A that B lacks is a failure, and is listed")
    flags = parser.parse_args(argv)
    with ExitStack() as stack:
        before, after = (_records(text, stack) for text in (flags.before, flags.after))
        changes = compare(before, after, flags.alpha, flags.least)
    common = cells_of(before) & cells_of(after)
    sys.stdout.write(report(changes, common, flags.complete) + "\n")
    failures = ("worse", "gone") if flags.complete else ("worse",)
    return 1 if any(change.verdict in failures for change in changes) else 0


def report(changes: Sequence[Change], common: Collection[str], complete: bool = False) -> str:
    """The changes of the cells that both have, as a table; then how many of these are equal, and how many are in one.

    With ``complete``, the cells that are gone stand in the table too.
    """
    alone = Counter(change.verdict for change in changes if change.verdict in ("gone", "new"))
    told = [change for change in changes if change.verdict not in alone or (complete and change.verdict == "gone")]
    rows = [
        [c.verdict, c.cell, c.metric, _number(c.before), _number(c.after), _percent(c), _number(c.p, 1), c.note]
        for c in told
    ]
    heads = ["", "cell", "metric", "A", "B", "change", "p", ""]
    table = tabulate(rows, headers=heads, disable_numparse=True) + "\n\n" if rows else ""
    cells: dict[str, set[str]] = {}
    for change in told:
        cells.setdefault(change.verdict, set()).add(change.cell)
    touched = set().union(*cells.values()) if cells else set()
    parts = [f"{len(set(common) - touched)} equal within noise"]
    parts += [f"{len(cells[verdict])} {verdict}" for verdict in VERDICTS if verdict in cells]
    return (
        f"{table}Cells in both: {len(common)}, of which {', '.join(parts)}. "
        f"Only in A: {alone['gone']}. Only in B: {alone['new']}."
    )


def _records(text: str, stack: ExitStack) -> list[Record]:
    """Records of one folder or commit, or of several, comma-separated: repeated runs of the same cells."""
    names = [text] if Path(text).is_dir() else text.split(",")
    return [record for name in names for record in _one_store(name, stack)]


def _one_store(text: str, stack: ExitStack) -> list[Record]:
    """Records of a folder, or of the reference store as a commit holds it. Raises UserError when it is neither."""
    if Path(text).is_dir():
        loaded = load([Path(text)])
    else:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        _extract(text, folder)
        loaded = load([folder / REFERENCE])
    for problem in loaded.problems:
        sys.stderr.write(f"not compared: {problem}\n")
    if not loaded.records:
        raise UserError(f"{text}: no records there. Give a folder that a run named as 'Records', or a git commit.")
    return loaded.records


def _extract(commit: str, folder: Path) -> None:
    command = ["git", "-C", str(ROOT), "archive", "--format=tar", "--end-of-options", commit, REFERENCE]
    try:
        done = subprocess.run(command, capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        raise UserError(
            f"{commit!r} is neither a folder of records nor a commit that holds {REFERENCE}. "
            "Give the folder that a run named as 'Records', or a commit, branch or tag."
        ) from None
    with tarfile.open(fileobj=BytesIO(done.stdout)) as archive:
        archive.extractall(folder, filter="data")


def _number(value: float | None, digits: int = 6) -> str:
    return "" if value is None else f"{value:.{digits}g}"


def _percent(change: Change) -> str:
    if not change.before or change.after is None:
        return ""
    return f"{100 * (change.after / change.before - 1):+.2g}%"
