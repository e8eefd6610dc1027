"""The command that measures a record's cell again, with the settings that the record was measured with."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from bench.contract import Card, Cell, Track
from bench.plan.cells import Preset, load_preset
from bench.plan.discover import discover
from bench.records.record import Record

PRESETS = ("quick", "paper", "smoke")
"""In the order in which they are preferred; the first is the default."""


@dataclass(frozen=True)
class Command:
    """The command in pieces, each already quoted for a shell; many records share them."""

    environment: str
    algo: str
    track: str
    backbone: str
    level: str
    """``--scale 4``, or the task and its level"""
    options: str

    def __str__(self) -> str:
        backbone = f" --backbone {self.backbone}" if self.backbone else ""
        return (
            f"{self.environment}python run_bench.py --algos {self.algo} --track {self.track}{backbone} "
            f"{self.level}{self.options}"
        )


def command(record: Record, card: Card | None = None) -> Command:
    """How to measure the record's cell again. Everything that a record or card says is quoted.

    What a record holds no more than the hash of stands as ``FILE`` or ``DIR``.
    """
    cell, made = record.cell, record.provenance
    track = _tracks().get(cell.track)
    words = track.again(cell, made.settings, record.flags) if track is not None and hasattr(track, "again") else []
    words = [*words, *_preset_words(record), "--threads", str(made.threads), "--seed", str(made.seed)]
    if isinstance(repeats := made.settings.get("repeats"), int):
        words += ["--repeats", str(repeats)]
    if made.settings.get("weights_file_sha256"):
        words += ["--weights", f"{cell.algo}=FILE"]
    kernel = made.settings.get("kernel")
    own = card is not None and card.adapter.rpartition(":")[0].endswith(".py")
    noted = made.card.adapter if made.card is not None else cell.algo
    return Command(
        environment=f"BISRBENCH_KERNEL={shlex.quote(kernel)} " if isinstance(kernel, str) and kernel else "",
        algo=shlex.quote(card.adapter if card is not None and own else noted),
        track=shlex.quote(cell.track),
        backbone="" if cell.backbone == "none" else shlex.quote(cell.backbone),
        level=_level(cell),
        options="".join(f" {shlex.quote(word)}" for word in words),
    )


def _level(cell: Cell) -> str:
    sr = cell.task == "sr"
    return f"--scale {cell.scale}" if sr else f"--task {shlex.quote(cell.task)} --level {shlex.quote(cell.level)}"


def _preset_words(record: Record) -> list[str]:
    """The preset that has a record's severities, which no flag chooses, where that is not the default."""
    severities = record.provenance.settings.get("severities")
    fitting = [name for name in PRESETS if severities in (None, list(_preset(name).severities))]
    return ["--preset", fitting[0]] if fitting and fitting[0] != PRESETS[0] else []


@cache
def _preset(name: str) -> Preset:
    return load_preset(name)


@cache
def _tracks() -> Mapping[str, Track]:
    return discover().tracks
