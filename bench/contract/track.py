"""A kind of measurement, and what it is given."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from bench.contract.card import Card
from bench.contract.cell import Cell
from bench.contract.metric import Metric, Outcome
from bench.contract.settings import Settings


@dataclass(frozen=True)
class Context:
    """What a track is given besides its cell. Tracks read no globals and no environment."""

    settings: Settings
    load_algorithm: Callable[[str], Any]
    """Key -> a fresh instance of the adapter class."""
    cards: Mapping[str, Card]
    progress: Callable[[str, float], None] = lambda text, fraction: None
    """Reports (what is happening, fraction of the cell done in [0, 1])."""
    out: Path | None = None
    """Folder for files that a track makes on the side (packed networks, pictures)."""


class Track(Protocol):
    """One kind of measurement. A track is a package ``tracks/<name>`` with an instance named TRACK.

    A track that takes options of its own (``--set track.option=value``) has them in ``options``: name ->
    `bench.contract.options.Option`. ``again(cell, made, flags)`` gives the words of the command line that lead to a
    record of the cell again, from the settings ``made`` and the flags in it: every setting that is not the usual one.
    One that needs more than the base installation has a method ``extras(settings)``: extras of pyproject.toml.
    A track that also runs methods which its cells do not name, as full precision, has their keys in ``companions``.
    Where some cells leave a room of the program alone that the track imports, ``without(cell, settings)`` names it: its
    changes then do not make them stale.
    """

    name: str
    version: int
    """Raised when the meaning of its numbers changes; older records then count as stale."""
    machine_bound: bool
    """True when numbers depend on the machine; the record's path then holds the machine's id."""
    title: str
    about: str
    """What is measured, how, and the limits: two or three sentences printed under the table."""
    metrics: tuple[Metric, ...]

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        """The cells this track has for the selection, in the order they should run."""

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        """The settings that change this cell's numbers (JSON): they enter the record's fingerprint."""

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Measure. Raises `Unsupported` with a reason, or `UserError`."""
