"""The command that measures a record's cell again."""

from __future__ import annotations

import re
import shlex
from dataclasses import dataclass

from bench.nouns import Card
from bench.plan import load_preset
from bench.record import Record

DATA_TRACKS = ("accuracy", "robust")


@dataclass(frozen=True)
class Command:
    """The command in pieces, each already quoted for a shell; many records share them."""

    environment: str
    algo: str
    track: str
    backbone: str
    scale: int
    options: str

    def __str__(self) -> str:
        backbone = f" --backbone {self.backbone}" if self.backbone else ""
        return (
            f"{self.environment}python run_bench.py --algos {self.algo} --track {self.track}{backbone} "
            f"--scale {self.scale}{self.options}"
        )


def command(record: Record, card: Card | None = None) -> Command:
    """How to measure the record's cell again. Everything that a record or card says is quoted."""
    cell, made = record.cell, record.provenance
    words: list[str] = []
    if cell.track in DATA_TRACKS and (preset := _preset_with(cell.case)) != "quick":
        words += ["--preset", preset]
    size = re.match(r"\d+x\d+", cell.case)
    if size and cell.track not in DATA_TRACKS:
        words += ["--lr-size", size[0]]
    words += ["--threads", str(made.threads), "--seed", str(made.seed)]
    if isinstance(repeats := made.settings.get("repeats"), int):
        words += ["--repeats", str(repeats)]
    if made.settings.get("input"):
        words += ["--input", "FILE"]
    if "untrained" in record.flags and cell.track in DATA_TRACKS:
        words += ["--allow-untrained"]
    kernel = made.settings.get("kernel")
    own = card is not None and card.adapter.rpartition(":")[0].endswith(".py")
    return Command(
        environment=f"BISRBENCH_KERNEL={shlex.quote(kernel)} " if isinstance(kernel, str) and kernel else "",
        algo=shlex.quote(card.adapter if card is not None and own else cell.algo),
        track=shlex.quote(cell.track),
        backbone="" if cell.backbone == "none" else shlex.quote(cell.backbone),
        scale=cell.scale,
        options="".join(f" {shlex.quote(word)}" for word in words),
    )


def _preset_with(dataset: str) -> str:
    """The smaller of quick and paper that has the data set."""
    return "quick" if any(dataset.startswith(name) for name in load_preset("quick").datasets) else "paper"
