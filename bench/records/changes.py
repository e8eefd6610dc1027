"""What became better or worse from one set of records to another, beyond noise."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from math import comb
from typing import Literal

from scipy.stats import false_discovery_control, mannwhitneyu

from bench.contract import Better, Cell
from bench.records.record import Record

FEWEST = 5
"""Samples a side below which no test is made: with four, no difference could reach 0.01."""

ALPHA = 0.05
"""Of the timed changes told, at most this share is chance."""

LEAST = 2.0
"""Percent. Two runs drift apart by about as much for no reason in the program; samples within a run cannot show it."""

Verdict = Literal["better", "worse", "changed", "gone", "new", "not comparable", "too few samples"]
Key = tuple[Cell, int, str]
"""Cell, seed, and the machine where it matters."""

SERIES: Mapping[str, tuple[str, ...]] = {
    "latency_ms": ("packed_ms",),
    "fp32_latency_ms": ("fp32_ms",),
    "head_ms": ("packed_head_ms",),
    "body_ms": ("packed_body_ms",),
    "upsampler_ms": ("packed_upsampler_ms",),
    "tail_ms": ("packed_tail_ms",),
    "speedup": ("fp32_ms", "packed_ms"),
    "step_ms": ("step_ms",),
    "fp32_step_ms": ("fp32_step_ms",),
    "train_speedup": ("fp32_step_ms", "step_ms"),
}
"""Timed metric -> its series of samples; of two, the quotient round by round."""

EXACT_WHEN_TIMED = ("file_bytes", "fp32_file_bytes", "parity_max_abs", "speedup_theory")
"""Metrics of machine-bound tracks that do not depend on the machine's mood. Other metrics without samples are noise."""


@dataclass(frozen=True)
class Change:
    """One metric of one cell that differs, or a cell that cannot be compared."""

    cell: str
    metric: str
    before: float | None
    after: float | None
    verdict: Verdict
    p: float | None = None
    """Of the Mann-Whitney test, corrected for the number of tests; None where values are compared exactly."""
    note: str = ""


@dataclass(frozen=True)
class _Test:
    """A timed metric on its way to a verdict."""

    change: Change
    better: Better
    least_p: float
    """What the test gives where no sample of one side is among the other's: 2 / C(n + m, n)."""


def compare(
    before: Iterable[Record], after: Iterable[Record], alpha: float = ALPHA, least: float = LEAST
) -> list[Change]:
    """Everything that differs, in the order of cells.

    Deterministic metrics are compared exactly, timed ones by a two-sided Mann-Whitney test on their samples. Of the
    timed changes told, at most the share ``alpha`` is chance (Benjamini and Hochberg 1995: on a board of hundreds of
    timings with a few samples each, guarding against a single false one would tell none); only changes of at least
    ``least`` percent count. Cells measured under other settings are not compared.
    """
    old, new = ({_key(record): record for record in records} for records in (before, after))
    changes: list[Change] = []
    tests: list[_Test] = []
    for key in sorted(old.keys() | new.keys()):
        a, b = old.get(key), new.get(key)
        if a is None or b is None:
            verdict: Verdict = "new" if a is None else "gone"
            changes.append(Change(_name(key), "", None, None, verdict))
        elif reason := _incomparable(a, b):
            changes.append(Change(_name(key), "", None, None, "not comparable", note=reason))
        elif a.status != b.status:
            worse = b.status != "ok" and (a.status == "ok" or b.status == "failed")
            note = f"{a.status} -> {b.status}{': ' + b.reason if b.reason else ''}"
            changes.append(Change(_name(key), "status", None, None, "worse" if worse else "better", note=note))
        else:
            few = [_one(key, metric, a, b, changes, tests) for metric in a.metrics.keys() & b.metrics.keys()]
            if any(few):
                note = f"a test of timings needs {FEWEST} a side"
                changes.append(Change(_name(key), "timings", None, None, "too few samples", note=note))
    changes += [*_judge(tests, alpha, least), *_blind(tests, alpha)]
    return sorted(changes, key=lambda change: (change.cell, change.metric))


def cells_of(records: Iterable[Record]) -> set[str]:
    """What `Change` calls the cells of some records."""
    return {_name(_key(record)) for record in records}


def _one(key: Key, metric: str, a: Record, b: Record, changes: list[Change], tests: list[_Test]) -> bool:
    """Compare one metric exactly, or put it among the tests; True when it has samples, but too few for a test."""
    before, after = a.metrics[metric], b.metrics[metric]
    change = Change(_name(key), metric, before.value, after.value, "changed")
    if not a.machine_bound or metric in EXACT_WHEN_TIMED:
        if before.value != after.value:
            changes.append(replace(change, verdict=_sign(before.better, after.value - before.value)))
        return False
    series = [_samples(record, metric) for record in (a, b)]
    if not all(series):
        return False
    if min(map(len, series)) < FEWEST:
        return True
    p = float(mannwhitneyu(*series, alternative="two-sided").pvalue)
    least_p = 2 / comb(sum(map(len, series)), len(series[0]))
    tests.append(_Test(replace(change, p=p), before.better, least_p))
    return False


def _judge(tests: Sequence[_Test], alpha: float, least: float = 0.0) -> list[Change]:
    """Those timed changes of at least ``least`` percent whose corrected p is below ``alpha``."""
    found: list[Change] = []
    corrected = false_discovery_control([test.change.p or 0.0 for test in tests]) if tests else []
    for test, p in zip(tests, corrected, strict=True):
        before, after = test.change.before or 0.0, test.change.after or 0.0
        if p < alpha and abs(after - before) >= least / 100 * abs(before):
            found.append(replace(test.change, p=float(p), verdict=_sign(test.better, after - before)))
    return found


def _blind(tests: Sequence[_Test], alpha: float) -> list[Change]:
    """One line where among so many tests no single change of some timings, however large, could be told."""
    blind = sum(test.least_p * len(tests) >= alpha for test in tests)
    note = f"{blind} of {len(tests)} timings: one change alone may go untold. More --repeats, or fewer cells"
    return [Change("", "timings", None, None, "too few samples", note=note)] if blind else []


def _sign(better: Better, grown: float) -> Verdict:
    if better == "neither" or grown == 0:
        return "changed"
    return "better" if (grown > 0) == (better == "higher") else "worse"


def _samples(record: Record, metric: str) -> list[float]:
    names = SERIES.get(metric, ())
    series = [record.samples.get(name, []) for name in names]
    if len(series) == 2:
        return [over / under for over, under in zip(*series, strict=False) if under > 0]
    return series[0] if series else []


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
