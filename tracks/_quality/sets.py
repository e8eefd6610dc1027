"""What the tracks that score pictures share: which sets, what enters a fingerprint, what is said about the data."""

from __future__ import annotations

from math import inf
from typing import Any

from bench.contract import Card, Cell, Settings, Task, UserError, combinations
from bench.contract.names import comma_separated
from bench.pictures.catalog import resolve
from bench.pictures.pair import Pair
from bench.pictures.sets import Pairs, available, combined_sha256
from bench.tasks import load_task

MEMORY_MB = 4096
"""Default limit for the activations of one forward pass, in 10^6 bytes."""


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


class Options:
    """The options of one track, as the user set them. Every reader raises `UserError` for a value of another kind."""

    def __init__(self, track: str, settings: Settings) -> None:
        self.track, self.extra = track, settings.extra

    def _error(self, name: str, expected: str) -> UserError:
        return UserError(f"--set {self.track}.{name}={self.extra[f'{self.track}.{name}']}: expected {expected}.")

    def text(self, name: str, default: str = "", choices: tuple[str, ...] = ()) -> str:
        value = str(self.extra.get(f"{self.track}.{name}", default))
        if choices and value not in choices:
            raise self._error(name, " or ".join(choices))
        return value

    def names(self, name: str) -> list[str]:
        """``a, b`` -> ["a", "b"]"""
        return comma_separated(self.text(name))

    def switch(self, name: str) -> bool:
        value = self.extra.get(f"{self.track}.{name}", False)
        if not isinstance(value, bool):
            raise self._error(name, "true or false")
        return value

    def positive(self, name: str, default: float) -> float:
        value = self.extra.get(f"{self.track}.{name}", default)
        if isinstance(value, bool) or not isinstance(value, (int, float)) or not 0 < value < inf:
            raise self._error(name, "a number above 0")
        return value
