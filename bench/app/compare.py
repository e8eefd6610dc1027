"""``run_bench.py compare A B``: two sets of records, and the table of what changed between them."""

from __future__ import annotations

import subprocess
import sys
import tarfile
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from io import BytesIO
from pathlib import Path

from tabulate import tabulate

from bench.app.flags import Parser
from bench.app.main import ROOT
from bench.contract import UserError
from bench.records.changes import ALPHA, LEAST, Change, compare
from bench.records.record import Record
from bench.records.store import load

REFERENCE = "results/reference"
"""The committed store that a commit stands for."""


def main(argv: Sequence[str]) -> int:
    """Compare two stores or commits; exit code 1 when something became worse or is gone, else 0.

    Raises:
        UserError: neither a folder nor a commit with committed records.
    """
    about = "What became better or worse beyond noise."
    parser = Parser(prog="run_bench.py compare", description=about)
    parser.add_argument("before", metavar="A", help=f"folder of records, or a git commit (its {REFERENCE})")
    parser.add_argument("after", metavar="B", help="the same, newer")
    parser.add_argument(
        "--alpha", type=float, default=ALPHA, help=f"share of chance among timed changes told (default {ALPHA:g})"
    )
    parser.add_argument(
        "--least", type=float, default=LEAST, metavar="PERCENT", help=f"smallest timed change told (default {LEAST:g})"
    )
    flags = parser.parse_args(argv)
    with ExitStack() as stack:
        before, after = (_records(text, stack) for text in (flags.before, flags.after))
        changes = compare(before, after, flags.alpha, flags.least)
    sys.stdout.write(report(changes) + "\n")
    return 1 if any(change.verdict in ("worse", "gone") for change in changes) else 0


def report(changes: Sequence[Change]) -> str:
    """The changes as a table, and one line that counts them."""
    rows = [
        [c.verdict, c.cell, c.metric, _number(c.before), _number(c.after), _percent(c), _number(c.p, 1), c.note]
        for c in changes
    ]
    heads = ["", "cell", "metric", "A", "B", "change", "p", ""]
    counts = Counter(change.verdict for change in changes)
    summary = ", ".join(f"{count} {verdict}" for verdict, count in counts.items()) or "nothing changed"
    table = tabulate(rows, headers=heads, disable_numparse=True) + "\n\n" if rows else ""
    return f"{table}{summary[0].upper()}{summary[1:]}."


def _records(text: str, stack: ExitStack) -> list[Record]:
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
