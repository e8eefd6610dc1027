"""What pages say about methods, backbones and tracks besides the numbers. Imports cards and tracks, never a network."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from bench.contract import Card, UserError
from bench.contract.backbones import BACKBONES
from bench.plan.discover import discover
from bench.records.experiments import Experiment, load_experiments
from bench.records.published import Published, Source, load, sources
from bench.records.record import Record
from reports.text import clean


@dataclass(frozen=True)
class Known:
    """Names and facts by key. What is not known is shown under its key."""

    cards: Mapping[str, Card] = field(default_factory=dict)
    tracks: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    """Track -> (title, what is measured and how)."""
    published: tuple[Published, ...] = ()
    sources: Mapping[str, Source] = field(default_factory=dict)
    experiments: tuple[Experiment, ...] = ()
    problems: tuple[str, ...] = ()
    """What could not be read; printed on the page instead of stopping it."""
    untrained: frozenset[str] = frozenset()
    """Installed methods that need weights and have none here."""

    def method(self, algo: str) -> str:
        """A method's name."""
        return clean(self.cards[algo].name, 60) if algo in self.cards else algo

    def bits(self, algo: str) -> str:
        """``W/A`` bits of the quantized layers; empty for a method without a card."""
        card = self.cards.get(algo)
        return f"{card.bits_w}/{card.bits_a}" if card else ""

    def family(self, algo: str) -> str:
        """Group of a method for filters: ``reference``, ``binary``, ``low-bit`` or what the card says."""
        card = self.cards.get(algo)
        return clean(card.family, 30) or "other" if card else "other"

    def hue(self, algo: str) -> str:
        """Which of a chart's four colours a method has: its family's, or ``other``."""
        family = self.family(algo)
        return family if family in ("reference", "binary", "low-bit") else "other"

    def reference(self, algo: str) -> bool:
        """True for methods that others are compared with: full precision and bicubic."""
        return self.family(algo) == "reference" or algo in ("fp32", "bicubic")

    def track(self, name: str) -> str:
        """A track's title."""
        return clean(self.tracks[name][0], 60) if name in self.tracks else name


def backbone_title(key: str) -> str:
    """Short name of a backbone; a dash for methods without a network."""
    if key == "none":
        return "\N{EN DASH}"
    return BACKBONES[key].title.split(" (")[0] if key in BACKBONES else key


def known(cards: Mapping[str, Card] | None = None, records: Iterable[Record] = ()) -> Known:
    """All that is installed, with ``cards`` (a user's own methods) laid over it. Never raises for what is broken.

    Methods that are known from neither are described by what the latest of their ``records`` noted of their cards.
    """
    problems: list[str] = []
    found: dict[str, Card] = {}
    tracks: dict[str, tuple[str, str]] = {}
    quotes: list[Published] = []
    origins: Mapping[str, Source] = {}
    tried: tuple[Experiment, ...] = ()
    untrained: set[str] = set()
    try:
        registry = discover()
        untrained = {k for k, one in registry.algorithms.items() if not one.card.backbone_free and not one.trained()}
        found, tracks = registry.cards, {key: (track.title, track.about) for key, track in registry.tracks.items()}
    except UserError as error:
        problems.append(clean(error))
    try:
        quotes, origins, tried = load(), sources(), load_experiments()
    except UserError as error:
        problems.append(clean(error))
    everyone = {**_noted(records), **found, **(cards or {})}
    return Known(everyone, tracks, tuple(quotes), origins, tried, tuple(problems), frozenset(untrained))


def _noted(records: Iterable[Record]) -> dict[str, Card]:
    """Cards as records noted them, the latest of each key."""
    noted = {}
    for record in sorted(records, key=lambda record: record.provenance.utc):
        if record.provenance.card is not None:
            noted[record.cell.algo] = Card(key=record.cell.algo, **record.provenance.card.model_dump())
    return noted
