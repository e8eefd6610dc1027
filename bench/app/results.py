"""What a run says of its plan and of its end: tables, pages, failures, the exit code."""

from __future__ import annotations

import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path

from bench.app import terminal
from bench.app.run import Summary, reason_of, write_log
from bench.contract import Card, Cell, UserError
from bench.contract.part import WHOLE, Part
from bench.plan.cells import PlannedCell
from bench.records.claims import PATIENCE
from bench.records.store import Store


def show_plan(planned: Sequence[PlannedCell], part: Part = WHOLE) -> None:
    """One line per fate and reason: how many cells."""
    if not part.whole:
        count = "1 cell" if len(planned) == 1 else f"{len(planned)} cells"
        sys.stderr.write(f"{part}: {count}. Pages are for the whole: run_bench.py report, once all parts are there.\n")
    for (fate, why), count in Counter((item.fate, item.why) for item in planned).items():
        sys.stderr.write(f"{count} {'cell' if count == 1 else 'cells'} {fate}{': ' + why if why else ''}\n")


def reports_exist() -> bool:
    """False when somebody removed ``reports/``: runs go on without it."""
    spec = find_spec("reports")
    return spec is not None and spec.origin is not None


def show_results(
    summary: Summary, store: Store, pages: Path, formats: list[str], cards: Mapping[str, Card], wide: bool = False
) -> int:
    """Print the tables, make the pages, say where everything is; the run's exit code. ``wide``: every column."""
    # A run that ends without a single number is no success, whatever the reasons.
    numberless = bool(summary.records) and not any(record.status == "ok" for record in summary.records)
    code = 1 if summary.failed or numberless else 0
    if not reports_exist():
        sys.stderr.write("reports/ is not there: records only, no table and no page.\n")
    elif summary.records:
        for name in dict.fromkeys(record.cell.track for record in summary.records):
            _attempt(f"the table of {name}", store, lambda name=name: _show_table(summary, name, cards, wide))
        for name in [] if summary.interrupted else formats:
            _attempt(f"the page ({name})", store, lambda name=name: _make_page(store, pages, name, cards))
    sys.stdout.write(f"Records: {store.root}\n")
    sys.stdout.flush()
    _show_failures(summary.failed)
    _show_elsewhere(summary.elsewhere)
    if summary.interrupted:
        total = summary.measured + summary.left
        sys.stderr.write(
            f"interrupted: {summary.measured} of {total} cells measured and kept. "
            "The same command continues with the rest.\n"
        )
        return 130
    return code


def _show_failures(failed: Iterable[tuple[Cell, str, Path]]) -> None:
    """Each reason once, with the cells it holds for and the first logs."""
    reasons: dict[str, list[tuple[Cell, Path]]] = {}
    for cell, reason, log in failed:
        reasons.setdefault(reason, []).append((cell, log))
    for reason, cells in reasons.items():
        names = ", ".join(str(cell) for cell, _ in cells)
        logs = "".join(f"  log: {log}\n" for _, log in cells[:3])
        sys.stderr.write(f"failed: {names}\n  {reason}\n{logs}")


def _show_elsewhere(elsewhere: Sequence[tuple[Cell, str]]) -> None:
    """Which cells other processes are at work on, and when they will be taken over."""
    if not elsewhere:
        return
    (cell, who), count = elsewhere[0], len(elsewhere)
    cells = "1 cell" if count == 1 else f"{count} cells"
    sys.stderr.write(
        f"not waited for: {cells} that other runs are at work on ({cell}: {who or 'just finished'}). The same command "
        "shows them once they are done; a cell whose process was killed is taken over at once on the same machine, "
        f"after {PATIENCE:.0f} s on another.\n"
    )


def _attempt(what: str, store: Store, make: Callable[[], None]) -> None:
    """Make a part of the report. One that fails is told and costs neither the other parts nor the exit code."""
    try:
        make()
    except Exception as error:
        log = store.root / "logs" / "report.log"
        write_log(log, traceback.format_exc())
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        sys.stderr.write(
            f"not made: {what} ({kind}{reason_of(error)})\n  log: {log}\n"
            f"  Every record is written. Once it is mended: python run_bench.py report --store {store.root}\n"
        )


def _show_table(summary: Summary, track: str, cards: Mapping[str, Card], wide: bool) -> None:
    import reports

    chosen = [record for record in summary.records if record.cell.track == track]
    text = reports.table_text(chosen, track, cards, None if wide else terminal.width(), terminal.colours(sys.stdout))
    sys.stdout.write(f"\n{text}\n\n")


def _make_page(store: Store, pages: Path, name: str, cards: Mapping[str, Card]) -> None:
    import reports

    for page in reports.build([store.root], pages, [name], cards):
        sys.stdout.write(f"Page:    {page}\n")
