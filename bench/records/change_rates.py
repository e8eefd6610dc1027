"""How often `compare` tells what happened, and what did not: on records of repeated runs of one commit.

``python -m bench.records.change_rates STORE STORE ...`` (six stores or more, each the same cells once) draws boards of
three runs a side, changes nothing or one cell, and counts.
"""

from __future__ import annotations

import random
import sys
from collections.abc import Sequence
from pathlib import Path

from bench.records.changes import cells_of, compare
from bench.records.ratios import RATIOS
from bench.records.record import Record
from bench.records.store import load

BOARDS = 200
LOSSES = {"twice as slow": 0.5, "15 % slower": 0.85}
"""What is done to one cell -> factor of its ratio."""


def rates(runs: Sequence[Sequence[Record]], side: int = 3, boards: int = BOARDS, seed: int = 0) -> dict[str, float]:
    """Shares of boards: a false change where nothing changed, and each loss of one cell told.

    ``runs``: records of repeated runs; ``side``: how many of them each side of a board has.
    """
    chance = random.Random(seed)
    told = dict.fromkeys(("false change", *LOSSES), 0)
    for _ in range(boards):
        drawn = chance.sample(list(runs), 2 * side)
        before, after = ([record for run in half for record in run] for half in (drawn[:side], drawn[side:]))
        told["false change"] += bool(_worse(before, after, either=True))
        cell = chance.choice(sorted(_timed(before)))
        for name, factor in LOSSES.items():
            told[name] += cell in _worse(before, [_slower(record, cell, factor) for record in after])
    return {name: count / boards for name, count in told.items()}


def _timed(records: Sequence[Record]) -> set[str]:
    return cells_of(record for record in records if set(RATIOS) & record.metrics.keys())


def _worse(before: Sequence[Record], after: Sequence[Record], either: bool = False) -> set[str]:
    verdicts = ("worse", "better") if either else ("worse",)
    return {c.cell for c in compare(before, after) if c.metric in RATIOS and c.verdict in verdicts}


def _slower(record: Record, cell: str, factor: float) -> Record:
    if cells_of([record]) != {cell}:
        return record
    ratios = {name: record.metrics[name] for name in RATIOS if name in record.metrics}
    changed = {name: one.model_copy(update={"value": one.value * factor}) for name, one in ratios.items()}
    return record.model_copy(update={"metrics": {**record.metrics, **changed}})


def main(words: Sequence[str]) -> int:
    runs = [load([Path(word)]).records for word in words]
    side = min(3, len(runs) // 2)
    if side < 1 or not all(runs):
        sys.stderr.write("error: give at least two stores with records, each of one run of the same cells.\n")
        return 2
    sys.stdout.write(f"{len(runs)} runs, {side} a side, {len(_timed(runs[0]))} timed cells, {BOARDS} boards\n")
    for name, share in rates(runs, side).items():
        sys.stdout.write(f"{name:>16}: told on {100 * share:.1f} % of boards\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
