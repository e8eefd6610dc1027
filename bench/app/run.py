"""The run itself: one cell after another into the store; whatever happens, what is done stays done."""

from __future__ import annotations

import signal
import sys
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib.util import find_spec
from pathlib import Path

from bench.app import terminal
from bench.app.progress import Progress
from bench.contract import Card, Cell, Context, Outcome, Track, Unsupported, UserError
from bench.contract.errors import method_line
from bench.plan.cells import PlannedCell
from bench.plan.identity import Identity, Stamp
from bench.records.plausible import contradictions, strange
from bench.records.record import Record, Status, measured
from bench.records.store import Store

SHORT = 300
"""Longest reason in a record, characters. The whole story is in the log."""


@dataclass
class Summary:
    """How a run ended."""

    records: list[Record] = field(default_factory=list)
    """Of every planned cell that has one now, in plan order; a failure of this run included."""
    failed: list[tuple[Cell, str, Path]] = field(default_factory=list)
    """Cell, reason, log file."""
    measured: int = 0
    left: int = 0
    """Cells not reached."""
    interrupted: bool = False


def execute(
    planned: Sequence[PlannedCell], tracks: Iterable[Track], context: Context, stamp: Stamp, store: Store, bar: Progress
) -> Summary:
    """Measure every planned cell that is not done. The store must be held (`Store.writing`).

    A cell that fails becomes a record and a log file; the run goes on. Ctrl-C ends it after what is already written.

    Raises:
        UserError: the store cannot be written any more.
    """
    by_name = {track.name: track for track in tracks}
    summary = Summary()
    todo = [item for item in planned if item.fate != "done"]
    try:
        for item in planned:
            if item.fate == "done":
                if (record := store.read(item.path)) is not None:
                    summary.records.append(record)
                continue
            bar.begin(item.cell)
            log = store.root / "logs" / item.cell.track / f"{item.cell.name}.log"
            record = _measure(item.identity, by_name[item.cell.track], context, stamp, log)
            with _uninterrupted():
                store.write(record)
                summary.records.append(record)
                summary.measured += 1
                if record.status == "failed":
                    summary.failed.append((item.cell, record.reason, log))
                bar.end(record.status, record.reason)
    except KeyboardInterrupt:
        summary.interrupted = True
    finally:
        bar.close()
    summary.left = len(todo) - summary.measured
    return summary


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the block ends: a record is written and counted, or neither."""
    pressed: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, _: pressed.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
    if pressed:
        signal.raise_signal(signal.SIGINT)


def _measure(identity: Identity, track: Track, context: Context, stamp: Stamp, log: Path) -> Record:
    cell = identity.cell
    try:
        outcome = track.run(cell, context)
        if wrong := contradictions(outcome.metrics, outcome.samples):
            raise RuntimeError(f"the figures contradict each other, so no number: {'; '.join(wrong)}")
        record = _record("ok", "", identity, track, stamp, outcome)
    except Unsupported as error:
        record = _record("unsupported", _reason(error), identity, track, stamp)
    except UserError as error:
        record = _record("failed", _reason(error), identity, track, stamp)
        _write_log(log, f"{cell}\n\n{error}\n")
    except (Exception, SystemExit) as error:
        kind = "" if type(error) is RuntimeError else f"{type(error).__name__}: "
        record = _record("failed", kind + _reason(error) + method_line(error), identity, track, stamp)
        _write_log(log, f"{cell}\n\n{traceback.format_exc()}")
    else:
        log.unlink(missing_ok=True)
    return record


def _record(
    status: Status, reason: str, identity: Identity, track: Track, stamp: Stamp, outcome: Outcome | None = None
) -> Record:
    outcome = outcome or Outcome()
    provenance = stamp.provenance(identity, outcome)
    return Record(
        cell=identity.cell,
        status=status,
        reason=reason,
        machine_bound=track.machine_bound,
        metrics=measured(outcome, track.metrics),
        samples=outcome.samples,
        flags=sorted({*outcome.flags, *strange(outcome.metrics), *(["dirty"] if provenance.dirty else [])}),
        details=outcome.details,
        kernels=outcome.kernels,
        provenance=provenance,
    )


def _reason(error: BaseException) -> str:
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= SHORT else text[: SHORT - 3] + "..."


def _write_log(path: Path, text: str) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}). Earlier records are safe.") from None


def show_plan(planned: Sequence[PlannedCell]) -> None:
    """One line per fate and reason: how many cells."""
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


def _attempt(what: str, store: Store, make: Callable[[], None]) -> None:
    """Make a part of the report. One that fails is told and costs neither the other parts nor the exit code."""
    try:
        make()
    except Exception as error:
        log = store.root / "logs" / "report.log"
        _write_log(log, traceback.format_exc())
        kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
        sys.stderr.write(
            f"not made: {what} ({kind}{_reason(error)})\n  log: {log}\n"
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
