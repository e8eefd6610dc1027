"""What the tracks that score pictures share: which sets, what enters a fingerprint, what is said about the data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.contract import Card, Cell, Settings, Task, UserError, combinations
from bench.contract.options import Option, positive
from bench.pictures.catalog import resolve
from bench.pictures.pair import Pair
from bench.pictures.sets import Pairs, available, combined_sha256
from bench.tasks import load_task

MEMORY_MB = 4096
"""Default limit for the activations of one forward pass, in 10^6 bytes."""
MEMORY = Option(
    f"limit for the activations of one pass (default {MEMORY_MB}); larger pictures are tiled exactly",
    positive,
    MEMORY_MB,
)
DEVICE = Option("auto (default), cpu, cuda or cuda:N", str, "auto")


def set_names(settings: Settings) -> list[str]:
    """Keys of the test sets to run: those asked for, else those under the data root; without a root, ``sample``."""
    if settings.data_root is None:
        return ["sample"]
    names = settings.datasets or available(settings.data_root)
    return list(dict.fromkeys(resolve(name).key for name in names))


def cells_of(
    track: str, cards: list[Card], backbones: list[str], levels: list[str], cases: list[str], task: str
) -> list[Cell]:
    """Every (card, backbone, level) on every case."""
    grid = combinations(cards, backbones, levels)
    return [Cell(track, card.key, backbone, level, case, task) for card, backbone, level in grid for case in cases]


def inputs_of(name: str, cell: Cell, settings: Settings) -> dict[str, Any]:
    """What decides the numbers of both tracks. Data that is not there makes the cell fail later, with the reason."""
    task = load_task(cell.task)
    try:
        listing = task.open_set(name, cell.level, settings.data_root).listing
    except UserError:
        listing = None
    return {
        "protocol": task.protocol.name,
        "protocol_sha256": task.protocol.sha256,
        "data": listing,
        "seed": settings.seed,
        "allow_untrained": settings.allow_untrained,
    }


def data_words(dataset: str, made: Mapping[str, Any], flags: Sequence[str]) -> list[str]:
    """Words that choose the data set of a record, and whether random weights are scored."""
    words = ["--datasets", dataset, *([] if dataset == "sample" else ["--data-root", "DIR"])]
    return words + (["--allow-untrained"] if made.get("allow_untrained", "untrained" in flags) else [])


class Remarks:
    """Collects, picture by picture, what has to be said about the data of a cell."""

    def __init__(self, data: Pairs, task: Task) -> None:
        self.data, self.task = data, task
        self.names: list[str] = []
        self._hashes: list[str] = []
        self._made = self._inexact = self._unverified = 0

    def add(self, pair: Pair) -> None:
        self.names.append(pair.name)
        self._hashes.append(pair.sha256)
        self._made += pair.made
        self._inexact += not pair.exact
        self._unverified += not pair.verified

    @property
    def sha256(self) -> str:
        """Hash of everything that was read."""
        return combined_sha256(self._hashes)

    @property
    def flags(self) -> list[str]:
        """``sample_data``: not a published set. ``unverified_data``: pictures that no manifest knows. ``other_lr``:
        low-resolution files that are close to, but not exactly, what the protocol's rule makes."""
        told = {
            "sample_data": self.data.info.key == "sample",
            "unverified_data": self._unverified > 0,
            "other_lr": self._inexact > 0,
        }
        return [flag for flag, holds in told.items() if holds]

    @property
    def details(self) -> dict[str, Any]:
        return {
            "pictures": self.names,
            "set": self.data.info.name,
            "lr_made": self._made,
            "lr_not_exact": self._inexact,
            "unverified": self._unverified,
            "protocol": self.task.protocol.describe(),
        }
