"""What there is to run: algorithms, tracks and backbones by name. Imports cards, never a network."""

from __future__ import annotations

import pkgutil
import sys
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import bench.timing.clock  # noqa: F401 (bound here, before any user's file is imported)
from bench.contract import KEY_PATTERN, Card, Track, UserError, unknown
from bench.contract.backbones import BACKBONES, Backbone, add_own, own_backbones
from bench.contract.importing import import_file, import_named
from bench.timing.global_state import kept

if TYPE_CHECKING:
    from bench.nn.algorithm import Algorithm

ENTRY_POINTS = "bisrbench.algorithms"
"""Entry-point group through which an installed package offers its own ``CARD``."""


BACKBONE = "backbone:"


@dataclass(frozen=True)
class Found:
    """A card and where it was found."""

    card: Card
    origin: str
    """For messages: ``folder algorithms/frb``, ``entry point frb of package x 1.0``, ``file my_algo.py``."""
    source: Path
    """The package folder or the single file whose content is the method."""
    own: bool = False
    """True for a class that the user named: its key alone leads nobody to it later."""

    def trained(self) -> dict[str, list[str]]:
        """Backbone -> scales (``x2``) of the weights in the method's folder, by their names (`bench.nn.weights`)."""
        found: dict[str, set[str]] = {}
        for path in (self.source / "weights").glob(f"{self.card.key}.*.x*.*.safetensors"):
            backbone, scale = path.name.split(".")[1:3]
            found.setdefault(backbone, set()).add(scale)
        return {backbone: sorted(scales) for backbone, scales in sorted(found.items())}


@dataclass(frozen=True)
class Loader:
    """Key -> a fresh instance of the adapter. Holds only text, so that it can be sent to a worker process."""

    adapters: dict[str, str]
    """Key -> ``module:Class``; a user's own backbones travel along, ``backbone:<key>`` -> ``file.py:function``"""

    def __call__(self, key: str) -> Algorithm:
        for name, spec in self.adapters.items():
            if name.startswith(BACKBONE):
                add_own(spec)
        return load_class(self.adapters[key])()


@dataclass(frozen=True)
class Registry:
    """Everything that was found, by key."""

    algorithms: Mapping[str, Found]
    tracks: Mapping[str, Track]
    backbones: Mapping[str, Backbone] = field(default_factory=lambda: BACKBONES)

    @property
    def cards(self) -> dict[str, Card]:
        return {key: found.card for key, found in self.algorithms.items()}

    @property
    def loader(self) -> Loader:
        own = {f"{BACKBONE}{key}": spec for key, spec in own_backbones().items()}
        return Loader({key: found.card.adapter for key, found in self.algorithms.items()} | own)

    def with_class(self, spec: str) -> tuple[Registry, str]:
        """This registry plus a user's own class, and its key. ``spec`` as in `load_class`."""
        found = _own_class(spec)
        return replace(self, algorithms=_joined([*self.algorithms.values(), found])), found.card.key


def discover(algorithms: str = "algorithms", tracks: str = "tracks") -> Registry:
    """Look through the two packages and the entry points.

    Raises:
        UserError: a card or track that cannot be imported, is wrong, or whose key is taken.
    """
    found = _joined([*_folders(algorithms), *_entry_points()])
    return Registry(found, {track.name: track for track in _tracks(tracks)})


def load_class(spec: str) -> type[Algorithm]:
    """The adapter class named by ``package.module:Class`` or ``path/to/file.py:Class``. Imports torch.

    A file is imported under a name made from its path, so a worker process that is given the same text gets the same
    class. A class without a card of its own is given one (see `Card`).

    Raises:
        UserError: the module is broken (with file and line), or the class is missing or no `Algorithm`.
    """
    target, _, name = spec.rpartition(":")
    if not target or not name:
        raise UserError(f"{spec!r} names no class. Expected path/to/my_algo.py:MyAlgo or package.module:MyAlgo.")
    from bench.nn.algorithm import Algorithm

    with kept(target, lambda text: sys.stderr.write(f"note: {text}\n")):
        module = import_file(Path(target)) if target.endswith(".py") else import_named(target)

    own = [key for key, value in vars(module).items() if isinstance(value, type) and issubclass(value, Algorithm)]
    cls = getattr(module, name, None)
    if cls is None:
        raise unknown(f"class in {target}", name, [key for key in own if key != "Algorithm"])
    if not isinstance(cls, type) or not issubclass(cls, Algorithm):
        raise UserError(f"{spec}: {name} is not a subclass of bench.nn.algorithm.Algorithm, so it cannot be measured.")
    if "card" not in vars(cls):
        cls.card = _derived_card(cls, spec)
    return cls


def _derived_card(cls: type[Algorithm], spec: str) -> Card:
    if not KEY_PATTERN.fullmatch(cls.__name__.lower()):
        raise UserError(
            f"{spec}: the class name {cls.__name__} gives no key (letters a to z, digits and '_', not first). "
            "Rename the class, or give it a card: "
            'card = Card(key="my_algo", name="My Algo", adapter="my_algo.py:MyAlgo", bits_w=1, bits_a=1)'
        )
    facts = {"key": cls.__name__.lower(), "name": cls.__name__, "adapter": spec, "provenance": "user file"}
    inherited = getattr(cls, "card", None)
    return replace(inherited, **facts) if inherited else Card(**facts, bits_w=1, bits_a=1)


def _own_class(spec: str) -> Found:
    target, _, name = spec.rpartition(":")
    if target.endswith(".py"):
        spec = f"{Path(target).expanduser().resolve()}:{name}"
    cls = load_class(spec)
    if not isinstance(cls.card, Card):
        raise UserError(f"{spec}: {name}.card is {type(cls.card).__name__}, expected a bench.contract.Card.")
    return Found(
        replace(cls.card, adapter=spec), f"class {name} in {target}", _source(sys.modules[cls.__module__]), own=True
    )


def _joined(everything: Iterable[Found]) -> dict[str, Found]:
    found: dict[str, Found] = {}
    for item in everything:
        other = found.setdefault(item.card.key, item)
        if other is not item:
            raise UserError(
                f"the key {item.card.key!r} is taken twice: {other.origin}, and {item.origin}. "
                "Give one of them another key."
            )
    return found


def _folders(package: str) -> Iterable[Found]:
    for info in _modules(package):
        module = import_named(f"{package}.{info.name}")
        for card in _cards(module):
            if card.key != info.name and not card.key.startswith(f"{info.name}_"):
                raise UserError(
                    f"{module.__file__}: CARD.key is {card.key!r} but the folder is {info.name!r}. "
                    f"Make them equal, or begin the key with '{info.name}_' for a variant."
                )
            yield Found(card, f"folder {package}/{info.name}", _source(module))


def _entry_points() -> Iterable[Found]:
    from importlib.metadata import entry_points

    for point in sorted(entry_points(group=ENTRY_POINTS), key=lambda point: point.name):
        package = f"package {point.dist.name} {point.dist.version}" if point.dist else "a package"
        module = import_named(point.module)
        for card in _cards(module, point.attr):
            yield Found(card, f"entry point {point.name} of {package}", _source(module))


def _cards(module: ModuleType, name: str = "") -> tuple[Card, ...]:
    """The module's ``CARD``, or its ``CARDS`` where variants of one method share a folder."""
    name = name or ("CARDS" if hasattr(module, "CARDS") else "CARD")
    value = getattr(module, name, None)
    cards = value if name == "CARDS" else (value,)
    if not isinstance(cards, tuple) or not cards or not all(isinstance(card, Card) for card in cards):
        expected = "no tuple of" if name == "CARDS" else "no"
        raise UserError(f"{module.__file__}: {name} is {expected} bench.contract.Card. Write one; it needs no torch.")
    return cards


def _source(module: ModuleType) -> Path:
    file = Path(module.__file__ or "")
    return file.parent if module.__package__ else file


def _tracks(package: str) -> Iterable[Track]:
    for info in _modules(package):
        module = import_named(f"{package}.{info.name}")
        track: Any = getattr(module, "TRACK", None)
        if track is None:
            raise UserError(f"{module.__file__} has no TRACK. Add one, or begin the module's name with '_'.")
        needed = [name for name in (*Track.__annotations__, "cells", "inputs", "run") if not hasattr(track, name)]
        if needed:
            raise UserError(f"{module.__file__}: TRACK lacks {', '.join(sorted(needed))} (see bench.contract.Track).")
        if track.name != info.name or not KEY_PATTERN.fullmatch(track.name):
            raise UserError(f"{module.__file__}: TRACK.name is {track.name!r}, expected the module's, {info.name!r}.")
        yield track


def _modules(package: str) -> list[pkgutil.ModuleInfo]:
    infos = pkgutil.iter_modules(import_named(package).__path__)
    return sorted((info for info in infos if not info.name.startswith("_")), key=lambda info: info.name)
