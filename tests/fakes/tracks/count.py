"""Numbers that follow from the cell alone; options make it slow, or make one algorithm misbehave."""

from __future__ import annotations

import time
from typing import Any, ClassVar

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, Unsupported, UserError, combinations


class Count:
    name = "count"
    version = 1
    machine_bound = False
    title = "Count"
    about = "Counts letters."
    metrics = (Metric("letters", "", "lower", digits=0), Metric("area", "px", "higher"))
    options: ClassVar = {
        "sleep": "seconds a cell takes",
        "fail": "algorithm whose cells raise",
        "refuse": "algorithm whose cells are unsupported",
        "blame": "algorithm whose cells are the user's mistake",
        "nan": "algorithm whose cells give NaN",
    }

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        width, height = settings.lr_size
        grid = combinations(cards, backbones, levels)
        return [Cell(self.name, card.key, backbone, level, f"{width}x{height}") for card, backbone, level in grid]

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        return {"seed": settings.seed, "protocol": "letters-v1"}

    def run(self, cell: Cell, context: Context) -> Outcome:
        option = context.settings.extra.get
        seconds = option("count.sleep", 0.0)
        for part in range(4):
            context.progress("counting", part / 4)
            time.sleep(seconds / 4)
        if option("count.fail") == cell.algo:
            raise ArithmeticError("cannot count\nthis")
        if option("count.refuse") == cell.algo:
            raise Unsupported("has no letters")
        if option("count.blame") == cell.algo:
            raise UserError("the abacus is missing. Buy one.")
        letters = float("nan") if option("count.nan") == cell.algo else len(cell.algo)
        width, height = context.settings.lr_size
        return Outcome(
            metrics={"letters": letters, "area": width * height * cell.scale**2 + context.settings.seed},
            samples={"draws": [0.1 * cell.scale, 1 / 3, 1e-17]},
            details={"rows": [{"name": "é", "share": 0.1}, None, True]},
        )


TRACK = Count()
