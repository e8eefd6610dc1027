"""A track that is bound to the machine and whose numbers differ at every run."""

from __future__ import annotations

import time
from typing import Any

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, combinations


class Clock:
    name = "clock"
    version = 1
    machine_bound = True
    title = "Clock"
    about = "Reads the clock."
    metrics = (Metric("now", "s", "neither"),)

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        grid = combinations(cards, backbones, levels)
        return [Cell(self.name, card.key, backbone, level, f"t{settings.threads}") for card, backbone, level in grid]

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        return {"repeats": settings.repeats}

    def run(self, cell: Cell, context: Context) -> Outcome:
        samples = [time.perf_counter() for _ in range(context.settings.repeats)]
        return Outcome(metrics={"now": samples[-1]}, samples={"now_s": samples}, flags=["unstable"])


TRACK = Clock()
