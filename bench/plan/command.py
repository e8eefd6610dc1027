"""The command that measures a record's cell again."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any

from bench.contract import Card
from bench.contract.damage_sets import MILD, PARTIAL, damages_of, dataset_of
from bench.plan.cells import Preset, load_preset
from bench.records.record import Record

PRESETS = ("quick", "paper", "smoke")
"""In the order in which they are preferred; the first is the default."""
DATA_TRACKS = ("accuracy", "robust")
COMP_SIZE = "320x180"
"""Input of the comp track unless an option says otherwise."""


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
    words = [*_data(record), *_sizes(record), "--threads", str(made.threads), "--seed", str(made.seed)]
    if isinstance(repeats := made.settings.get("repeats"), int):
        words += ["--repeats", str(repeats)]
    if made.settings.get("weights_file_sha256"):
        words += ["--weights", f"{cell.algo}=FILE"]
    words += [word for option in _options(record) for word in ("--set", option)]
    kernel = made.settings.get("kernel")
    own = card is not None and card.adapter.rpartition(":")[0].endswith(".py")
    noted = made.card.adapter if made.card is not None else cell.algo
    return Command(
        environment=f"BISRBENCH_KERNEL={shlex.quote(kernel)} " if isinstance(kernel, str) and kernel else "",
        algo=shlex.quote(card.adapter if card is not None and own else noted),
        track=shlex.quote(cell.track),
        backbone="" if cell.backbone == "none" else shlex.quote(cell.backbone),
        scale=cell.scale,
        options="".join(f" {shlex.quote(word)}" for word in words),
    )


def _data(record: Record) -> list[str]:
    """The cell's data set, and the preset that holds its severities, where that is not the default."""
    if record.cell.track not in DATA_TRACKS:
        return []
    dataset, severities = dataset_of(record.cell.case.removesuffix("+")), record.provenance.settings.get("severities")
    fitting = [name for name in PRESETS if severities in (None, list(_preset(name).severities))]
    fitting = ["smoke"] if PARTIAL in record.flags else fitting
    words = ["--preset", fitting[0]] if fitting and fitting[0] != PRESETS[0] else []
    words += ["--datasets", dataset, *([] if dataset == "sample" else ["--data-root", "DIR"])]
    return words + (["--allow-untrained"] if "untrained" in record.flags else [])


@cache
def _preset(name: str) -> Preset:
    return load_preset(name)


def _sizes(record: Record) -> list[str]:
    size = re.match(r"\d+x\d+(?![\dx])", record.cell.case)
    words = ["--lr-size", size[0]] if size and record.cell.track == "infer" else []
    return words + (["--input", "FILE"] if record.provenance.settings.get("input") else [])


def _options(record: Record) -> list[str]:
    """Track options, as ``--set`` takes them."""
    cell, settings = record.cell, record.provenance.settings
    chosen: dict[str, Any] = {}
    if cell.track == "comp" and cell.case != COMP_SIZE:
        chosen["lr_size"] = cell.case
    if cell.track == "accuracy":
        chosen |= {"engine": "packed"} if settings.get("engine") == "packed" else {}
        chosen |= {"metrics": ",".join(map(str, names))} if (names := settings.get("metrics")) else {}
        chosen |= {"self_ensemble": "true"} if cell.case.endswith("+") else {}
    if cell.track == "robust" and damages_of(cell.case) != MILD:
        chosen["set"] = damages_of(cell.case)
    if cell.track == "train" and isinstance(sweep := settings.get("sweep"), list):
        chosen = dict(zip(("iterations", "batch", "patch"), sweep, strict=False))
    return [f"{cell.track}.{name}={value}" for name, value in _plain(chosen).items()]


def _plain(options: Mapping[str, Any]) -> dict[str, str]:
    return {name: str(value) for name, value in options.items()}
