"""The nouns every room shares. Standard library only, so that importing a card costs nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any, Literal, Protocol

KEY_PATTERN = re.compile(r"[a-z0-9][a-z0-9_+-]{0,39}")
"""What a key may look like: it becomes a folder name, a file name and an HTML id."""

Better = Literal["lower", "higher", "neither"]


class UserError(Exception):
    """A mistake of the user. The message says what was wrong, got, expected, and what to do next.

    The command line prints it without a traceback and exits with code 2.
    """


class Unsupported(Exception):
    """A method cannot do what a cell asks. The reason becomes a record, shown as such."""


@dataclass(frozen=True)
class Card:
    """What is known about an algorithm before any of its code is imported."""

    key: str
    """Identity, e.g. ``frb``; also the folder's name. Matches `KEY_PATTERN`."""
    name: str
    """Name as printed in tables, e.g. ``FRB``."""
    adapter: str
    """``module:Class`` of the adapter, imported only when the algorithm is selected."""
    bits_w: int
    """Weight bits of the layers it quantizes; 32 for full precision."""
    bits_a: int
    """Activation bits of the layers it quantizes; 32 for full precision."""
    bases: int = 1
    """Binary bases per weight: a weight takes at most 2**(bits_w * bases) values per output channel."""
    paper: str = ""
    """Citation: authors, title, venue."""
    year: int | None = None
    url: str = ""
    provenance: str = ""
    """How sure the facts are: official code, paper only, or our interpretation; and the reading chosen."""
    backbone_free: bool = False
    """True for a method that is no network (bicubic): its cells carry the backbone ``none``."""
    family: str = ""
    """Group for filters: ``reference``, ``binary``, ``low-bit``."""
    formula: str = ""
    """Forward rule of the weight and activation quantizers in one line of plain text."""
    convention: str = "bbcu"
    """Name of the counting rule its paper follows (see tracks/_conventions.py)."""
    deploy: Mapping[str, str] = field(default_factory=dict)
    """Runtime name -> why it cannot deploy the method; an empty text means that it can."""
    xfail: Mapping[str, str] = field(default_factory=dict)
    """Conformance check -> reason why it is known to fail (strict: it must then fail)."""

    def __post_init__(self) -> None:
        if not KEY_PATTERN.fullmatch(self.key):
            raise UserError(
                f"card key {self.key!r} is not allowed: expected lower-case letters, digits, '_', '+' or '-' "
                "(at most 40, no path). Rename the algorithm's folder and its CARD.key."
            )
        object.__setattr__(self, "deploy", MappingProxyType(dict(self.deploy)))
        object.__setattr__(self, "xfail", MappingProxyType(dict(self.xfail)))

    @property
    def full_precision(self) -> bool:
        return self.bits_w == 32 and self.bits_a == 32


@dataclass(frozen=True)
class Metric:
    """One measured quantity. Unit and direction travel inside every record."""

    key: str
    unit: str
    """Plain text: ``ms``, ``dB``, ``K``, ``G``, ``x``, ``bytes``, or empty for a pure number."""
    better: Better
    title: str = ""
    """Column heading; the key when empty."""
    help: str = ""
    """One sentence for the reader: what is measured, under which convention."""
    digits: int = 2
    """Digits after the point in tables. Records keep full precision."""


@dataclass(frozen=True, order=True)
class Cell:
    """One square of the grid: what a track measures in one go, and the identity of its record."""

    track: str
    algo: str
    backbone: str
    scale: int
    case: str
    """Data set or setting within the track, e.g. ``set5`` or ``320x180-t1``. Same alphabet as keys."""

    @property
    def name(self) -> str:
        return f"{self.algo}.{self.backbone}.x{self.scale}.{self.case}"

    def __str__(self) -> str:
        return f"{self.track}/{self.name}"


def combinations(
    cards: Iterable[Card], backbones: Iterable[str], scales: Iterable[int]
) -> Iterator[tuple[Card, str, int]]:
    """Every (card, backbone, scale) of a selection; a backbone-free card appears once a scale, as ``none``."""
    backbones, scales = list(backbones), list(scales)
    for card in cards:
        for backbone in ["none"] if card.backbone_free else backbones:
            for scale in scales:
                yield card, backbone, scale


@dataclass
class Outcome:
    """What a track hands back for a cell; plumbing turns it into a record."""

    metrics: dict[str, float] = field(default_factory=dict)
    """Metric key -> value. Keys must be declared by the track. A value that is unknown is left out."""
    samples: dict[str, list[float]] = field(default_factory=dict)
    """Raw series, every sample kept, e.g. ``latency_ms`` or ``psnr_y`` per image."""
    flags: list[str] = field(default_factory=list)
    """Short warnings that travel with the number: ``unstable``, ``short_sample``, ``untrained``."""
    details: dict[str, Any] = field(default_factory=dict)
    """Track-specific JSON (per-layer tables, kernels per layer, image names). No NaN or infinity."""
    kernels: dict[str, str] = field(default_factory=dict)
    """Packed layer name -> native kernel that ran it."""
    weights_sha256: str | None = None
    """Hash of the weights that were measured; None when there are none."""
    dataset_sha256: str | None = None
    """Hash of the input data; None when there is none."""


@dataclass(frozen=True)
class Settings:
    """What the user chose for this run. A preset fills it, flags override it."""

    preset: str = "quick"
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    lr_size: tuple[int, int] = (320, 180)
    """Low-resolution input of the infer and comp tracks: (width, height) in pixels."""
    input: Path | None = None
    """The user's own picture for the infer track; None takes the built-in photograph."""
    repeats: int = 10
    """Timed repeats per network in the infer track."""
    datasets: tuple[str, ...] = ()
    """Test sets of the accuracy and robust tracks; empty takes the track's own default."""
    severities: tuple[int, ...] = ()
    """Corruption severities of the robust track, 1 to 5; empty takes the track's own default."""
    allow_untrained: bool = False
    """Score networks without trained weights too; their records carry the flag ``untrained``."""
    data_root: Path | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)
    """Algorithm key -> the user's own weights file."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Track-specific options, keyed ``<track>.<option>``."""


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
    """One kind of measurement. A track is a module under ``tracks/`` with an instance named TRACK.

    A track that takes options of its own (``--set track.option=value``) names them in ``options``: name -> help.
    One that needs more than the base installation has a method ``extras(settings)``: extras of pyproject.toml.
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

    def cells(self, cards: list[Card], backbones: list[str], scales: list[int], settings: Settings) -> list[Cell]:
        """The cells this track has for the selection, in the order they should run."""

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        """The settings that change this cell's numbers (JSON): they enter the record's fingerprint."""

    def run(self, cell: Cell, context: Context) -> Outcome:
        """Measure. Raises `Unsupported` with a reason, or `UserError`."""
