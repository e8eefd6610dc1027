"""Several stores read as one: where they disagree, and which node of several equal ones is slow."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from statistics import median

from bench.contract import Cell
from bench.records.record import Record
from bench.records.store import Loaded

NAMED = 20
"""Sentences about disagreements; of more than that the number is told."""
SLOW = 1.10
"""A node's time over that of the others from which it is named."""
REFERENCE = "fp32_latency_ms"
"""The metric by which nodes are held against each other: the same network on each, whatever method a cell measures."""

Key = tuple[Cell, int, str]


def key(record: Record) -> Key:
    """What two stores may both hold: cell, seed, and the machine of a number that depends on it."""
    return record.cell, record.provenance.seed, record.provenance.machine.id if record.machine_bound else ""


def conflicts(loaded: Loaded) -> list[str]:
    """A sentence for each cell of which two stores hold different values; the store named later counts."""
    held: dict[Key, list[tuple[Record, Path]]] = defaultdict(list)
    for record, store in zip(loaded.records, loaded.stores, strict=True):
        held[key(record)].append((record, store))
    found = [
        f"{name[0]}{f' on {name[2]}' if name[2] else ''}: {told} in {earlier[1]}, {new} in {latest[1]}, which counts"
        for name, (*others, latest) in held.items()
        for earlier in others
        if (pair := _difference(earlier[0], latest[0]))
        for told, new in [pair]
    ]
    rule = "of stores that disagree, the one named last counts"
    more = [f"and {len(found) - NAMED} more disagreements: {rule}"] if len(found) > NAMED else []
    return [*found[:NAMED], *more]


def _difference(one: Record, other: Record) -> tuple[str, str] | None:
    """The first thing in which two records of a cell differ, as each has it; None when their values are equal."""
    if one.status != other.status:
        return one.status, other.status
    for name in dict.fromkeys([*one.metrics, *other.metrics]):
        values = [record.metrics[name].value if name in record.metrics else None for record in (one, other)]
        if values[0] != values[1]:
            return _words(name, values[0]), _words(name, values[1])
    return None


def _words(name: str, value: float | None) -> str:
    return f"no {name}" if value is None else f"{name} {value:.6g}"


def slow_nodes(records: Iterable[Record]) -> list[str]:
    """A sentence for each node that takes longer for the same work than the others of its kind do.

    Nodes of one kind share a machine's id, and their timings are one machine's. What is compared is full precision's
    time in cells of the same backbone, level and setting.
    """
    times: dict[str, dict[tuple[str, ...], dict[str, list[float]]]] = defaultdict(lambda: defaultdict(dict))
    for record in records:
        told, metric = record.provenance.conditions, record.metrics.get(REFERENCE)
        if record.machine_bound and told is not None and metric is not None:
            cell = record.cell
            work = (cell.track, cell.task, cell.backbone, cell.level, cell.case)
            times[record.provenance.machine.id][work].setdefault(told.host, []).append(metric.value)
    return [
        f"node {host} of {machine} takes {ratio:.2f} times as long as the others for the same full-precision network "
        f"({count} comparisons): its timings stand with theirs; exclude it, and measure its cells again with --force"
        for machine, works in sorted(times.items())
        for host, (ratio, count) in sorted(_ratios(works.values()).items())
        if ratio >= SLOW
    ]


def _ratios(works: Iterable[Mapping[str, Sequence[float]]]) -> dict[str, tuple[float, int]]:
    """Node -> (geometric mean of its time over the median of the other nodes', comparisons)."""
    logs: dict[str, list[float]] = defaultdict(list)
    for by_host in works:
        for host, own in by_host.items():
            others = [median(series) for other, series in by_host.items() if other != host]
            if others and min(own) > 0 and min(others) > 0:
                logs[host].append(math.log(median(own) / median(others)))
    return {host: (math.exp(sum(found) / len(found)), len(found)) for host, found in logs.items()}
