"""What became better or worse from one set of records to another, beyond noise."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.contract import Better, Cell
from bench.records.ratios import RATIOS, Timed, judge
from bench.records.record import Record

ALPHA = 0.01
"""Where nothing has changed, a board tells a timed change with this chance at most."""

LEAST = 2.0
"""Percent. Smaller changes of timings are nobody's concern."""

Verdict = Literal["better", "worse", "changed", "gone", "new", "not comparable"]
Key = tuple[Cell, int, str]
"""Cell, seed, and the machine where it matters."""

EXACT_WHEN_TIMED = ("file_bytes", "fp32_file_bytes", "parity_max_abs", "speedup_theory")
"""Metrics of machine-bound tracks that do not depend on the machine's mood. Others are judged by their ratio alone."""


@dataclass(frozen=True)
class Change:
    """One metric of one cell that differs, or a cell that cannot be compared."""

    cell: str
    metric: str
    before: float | None
    after: float | None
    verdict: Verdict
    p: float | None = None
    """Corrected for the number of tests (see `bench.records.ratios`); None where values are compared exactly."""
    note: str = ""


def compare(
    before: Iterable[Record], after: Iterable[Record], alpha: float = ALPHA, least: float = LEAST
) -> list[Change]:
    """Everything that differs, in the order of cells.

    Either side may hold repeated runs, several records of one cell. Deterministic metrics are compared exactly, by the
    newest record of each side; timings by the ratio to the same run's full precision alone, with the spread that
    repeated runs show (`bench.records.ratios`). Cells measured under other settings are not compared.
    """
    old, new = (_grouped(records) for records in (before, after))
    changes: list[Change] = []
    timed: list[Timed] = []
    for key in sorted(old.keys() | new.keys()):
        if key not in old or key not in new:
            verdict: Verdict = "gone" if key in old else "new"
            changes.append(Change(_name(key), "", None, None, verdict))
            continue
        a, b = old[key][-1], new[key][-1]
        if reason := _incomparable(a, b):
            changes.append(Change(_name(key), "", None, None, "not comparable", note=reason))
        elif a.status != b.status:
            worse = b.status != "ok" and (a.status == "ok" or b.status == "failed")
            note = f"{a.status} -> {b.status}{': ' + b.reason if b.reason else ''}"
            changes.append(Change(_name(key), "status", None, None, "worse" if worse else "better", note=note))
        else:
            changes += _exact(key, a, b)
            timed += _ratios(key, old[key], new[key])
    for each, p in judge(timed, alpha, least):
        verdict = _sign(each.better, each.growth)
        changes.append(Change(each.cell, each.metric, *each.means, verdict, p))
    return sorted(changes, key=lambda change: (change.cell, change.metric))


def cells_of(records: Iterable[Record]) -> set[str]:
    """What `Change` calls the cells of some records."""
    return {_name(_key(record)) for record in records}


def _exact(key: Key, a: Record, b: Record) -> Iterator[Change]:
    """Every metric that must not differ at all, and does."""
    for metric in sorted(a.metrics.keys() & b.metrics.keys()):
        before, after = a.metrics[metric], b.metrics[metric]
        if (not a.machine_bound or metric in EXACT_WHEN_TIMED) and before.value != after.value:
            verdict = _sign(before.better, after.value - before.value)
            yield Change(_name(key), metric, before.value, after.value, verdict)


def _ratios(key: Key, before: Sequence[Record], after: Sequence[Record]) -> Iterator[Timed]:
    """The ratios of a cell that both sides have, a value a run."""
    for metric in RATIOS:
        sides = [tuple(r.metrics[metric].value for r in side if metric in r.metrics) for side in (before, after)]
        if all(sides) and all(value > 0 for side in sides for value in side):
            better = next(record.metrics[metric].better for record in before if metric in record.metrics)
            yield Timed(_name(key), metric, better, *sides)


def _grouped(records: Iterable[Record]) -> dict[Key, list[Record]]:
    """Records by cell, repeated runs in the order of time; those without numbers count where no other has any."""
    groups: dict[Key, list[Record]] = {}
    for record in sorted(records, key=lambda record: record.provenance.utc):
        groups.setdefault(_key(record), []).append(record)
    return {key: [record for record in group if record.status == "ok"] or group for key, group in groups.items()}


def _sign(better: Better, grown: float) -> Verdict:
    if better == "neither" or grown == 0:
        return "changed"
    return "better" if (grown > 0) == (better == "higher") else "worse"


def _incomparable(a: Record, b: Record) -> str:
    """Why two records of one cell measure different things; empty when they do not."""
    old, new = _conditions(a), _conditions(b)
    return ", ".join(f"{name} differs" for name in sorted(old.keys() | new.keys()) if old.get(name) != new.get(name))


def _conditions(record: Record) -> dict[str, object]:
    made = record.provenance
    settings = {f"setting {name}": value for name, value in made.settings.items() if name != "repeats"}
    return {"track version": made.track_version, "data": made.dataset_sha256, **settings}


def _key(record: Record) -> Key:
    machine = record.provenance.machine.id if record.machine_bound else ""
    return record.cell, record.provenance.seed, machine


def _name(key: Key) -> str:
    cell, seed, machine = key
    return f"{cell}{f' seed {seed}' if seed else ''}{f' @{machine}' if machine else ''}"
