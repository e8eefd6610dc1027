"""The run itself: one cell after another into the store; whatever happens, what is done stays done."""

from __future__ import annotations

import signal
import traceback
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.app.progress import Progress
from bench.contract import Cell, Context, Outcome, Track, Unsupported, UserError
from bench.contract.errors import method_line
from bench.contract.surroundings import NUMPY_ONLY
from bench.plan.cells import PlannedCell
from bench.plan.identity import Identity, Stamp
from bench.records.claims import Claims
from bench.records.conditions import Conditions, Watch
from bench.records.plausible import contradictions, strange
from bench.records.record import Provenance, Record, Status, measured
from bench.records.store import Store
from bench.timing.global_state import unchanged

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
    elsewhere: list[tuple[Cell, str]] = field(default_factory=list)
    """Cell, who is at work on it: not waited for."""
    interrupted: bool = False


def execute(
    planned: Sequence[PlannedCell],
    tracks: Iterable[Track],
    context: Context,
    stamp: Stamp,
    store: Store,
    bar: Progress,
    claims: Claims,
) -> Summary:
    """Measure every planned cell that is not done and that no other process is at work on (`Store.writing`).

    A cell that fails becomes a record and a log file; the run goes on. Ctrl-C or SIGTERM ends it after what is
    already written.

    Raises:
        UserError: the store cannot be written any more.
    """
    by_name = {track.name: track for track in tracks}
    run = _Run(Summary(), context, stamp, store, bar)
    todo = [item for item in planned if item.fate != "done"]
    store.tidy(claims, [item.path for item in planned if item.fate == "done"])
    made = {item.path: item.earlier for item in planned if item.fate == "done"}
    try:
        others = [item for item in todo if not run.attend(item, by_name[item.cell.track], claims, made)]
        others = [item for item in others if not run.attend(item, by_name[item.cell.track], claims, made)]
        run.summary.elsewhere = [(item.cell, claims.holder(item.path)) for item in others]
    except KeyboardInterrupt:
        run.summary.interrupted = True
    finally:
        bar.close()
    run.summary.records = [record for item in planned if (record := made.get(item.path)) is not None]
    run.summary.left = len([item for item in todo if item.path not in made]) - len(run.summary.elsewhere)
    return run.summary


@dataclass
class _Run:
    summary: Summary
    context: Context
    stamp: Stamp
    store: Store
    bar: Progress

    def attend(self, item: PlannedCell, track: Track, claims: Claims, made: dict[Path, Record | None]) -> bool:
        """Measure a cell, or take the record that another process has made of it; False when one is at work on it."""
        with ExitStack() as held:
            with _uninterrupted():
                mine = held.enter_context(claims.taking(item.path))
            if not mine:
                return False
            if (record := item.measured_since(self.store)) is not None:
                self.bar.leave()
                made[item.path] = record
                return True
            self.bar.begin(item.cell)
            log = self.store.root / "logs" / item.cell.track / f"{item.cell.name}.log"
            record = _measure(item.identity, track, self.context, self.stamp, log)
            with _uninterrupted():
                self.store.write(record)
                made[item.path] = record
                self.summary.measured += 1
                if record.status == "failed":
                    self.summary.failed.append((item.cell, record.reason, log))
                self.bar.end(record.status, record.reason)
                held.close()
        return True


@contextmanager
def _uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C and SIGTERM back until the block ends: a cell is claimed, or a record written and counted, or not."""
    pressed: list[int] = []
    ends = (signal.SIGINT, signal.SIGTERM)
    before = {end: signal.signal(end, lambda number, _: pressed.append(number)) for end in ends}
    try:
        yield
    finally:
        for end, handler in before.items():
            signal.signal(end, handler)
    if pressed:
        signal.raise_signal(pressed[0])


def _measure(identity: Identity, track: Track, context: Context, stamp: Stamp, log: Path) -> Record:
    cell, watch = identity.cell, Watch()
    try:
        with unchanged(cell.algo):
            outcome = track.run(cell, context)
        conditions = watch.end() if track.machine_bound else None
        if wrong := contradictions(outcome.metrics, outcome.samples):
            raise RuntimeError(f"the figures contradict each other, so no number: {'; '.join(wrong)}")
        record = _record("ok", "", identity, track, stamp, outcome, conditions)
    except Unsupported as error:
        record = _record("unsupported", reason_of(error), identity, track, stamp)
    except UserError as error:
        record = _record("failed", reason_of(error), identity, track, stamp)
        write_log(log, f"{cell}\n\n{error}\n")
    except (Exception, SystemExit) as error:
        kind = "" if type(error) is RuntimeError else f"{type(error).__name__}: "
        record = _record("failed", kind + reason_of(error) + method_line(error), identity, track, stamp)
        write_log(log, f"{cell}\n\n{traceback.format_exc()}")
    else:
        log.unlink(missing_ok=True)
    return record


def _record(
    status: Status,
    reason: str,
    identity: Identity,
    track: Track,
    stamp: Stamp,
    outcome: Outcome | None = None,
    conditions: Conditions | None = None,
) -> Record:
    outcome = outcome or Outcome()
    provenance = stamp.provenance(identity, outcome, conditions)
    beside = conditions.flags(stamp.settings.threads) if conditions else []
    return Record(
        cell=identity.cell,
        status=status,
        reason=reason,
        machine_bound=track.machine_bound,
        metrics=measured(outcome, track.metrics),
        samples=outcome.samples,
        flags=sorted({*outcome.flags, *beside, *strange(outcome.metrics), *_told(provenance)}),
        details=outcome.details,
        kernels=outcome.kernels,
        provenance=provenance,
    )


def _told(provenance: Provenance) -> list[str]:
    """What has to be said with every number of a run: uncommitted changes, an environment that changes arithmetic."""
    told = {
        "dirty": provenance.dirty,
        "environment": bool(set(provenance.settings.get("environment", ())) - NUMPY_ONLY),
    }
    return [flag for flag, holds in told.items() if holds]


def reason_of(error: BaseException) -> str:
    """An error in one line, short enough for a record."""
    text = " ".join(str(error).split()) or type(error).__name__
    return text if len(text) <= SHORT else text[: SHORT - 3] + "..."


def write_log(path: Path, text: str) -> None:
    """Raises UserError when the disk refuses."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
    except OSError as error:
        raise UserError(f"{path} cannot be written ({error.strerror or error}). Earlier records are safe.") from None
