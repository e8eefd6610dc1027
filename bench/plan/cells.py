"""From a selection to cells, and what is to be done with each: measure, leave alone, measure again."""

from __future__ import annotations

import tomllib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from bench.contract import Cell, Settings, Task, Track, UserError, unknown
from bench.contract.backbones import add_own
from bench.contract.extras import require
from bench.contract.names import comma_separated
from bench.contract.part import WHOLE, Part
from bench.plan.discover import Registry
from bench.plan.identity import Identity, Stamp
from bench.records.record import Record, RecordError, check_cell
from bench.records.store import Store

PRESETS = Path(__file__).parent / "presets"

Fate = Literal["run", "done", "stale"]


@dataclass(frozen=True)
class Preset:
    """A grid and nothing else: no preset changes how anything is measured or trained."""

    scales: tuple[int, ...]
    backbones: tuple[str, ...]
    lr_size: tuple[int, int]
    """(width, height) of the low-resolution input, pixels."""
    repeats: int
    datasets: tuple[str, ...]
    severities: tuple[int, ...]


@dataclass(frozen=True)
class PlannedCell:
    """A cell, and what the run will do with it."""

    cell: Cell
    fate: Fate
    """``run``: not measured yet, or not successfully. ``done``: its record still holds. ``stale``: measure again."""
    why: str
    identity: Identity
    path: Path
    """Of its record, measured or not"""
    earlier: Record | None = None
    """What lay there when the plan was made"""

    def measured_since(self, store: Store) -> Record | None:
        """The record that another process has made of this cell since the plan was made, if it holds."""
        record = store.reread(self.path)
        if record is None or record == self.earlier or self.identity.differences(record):
            return None
        return record


def preset_names() -> list[str]:
    """Names of the presets."""
    return sorted(path.stem for path in PRESETS.glob("*.toml"))


def load_preset(name: str) -> Preset:
    """The preset called ``name``. Raises UserError, with the nearest name, when there is none."""
    if name not in preset_names():
        raise unknown("preset", name, preset_names())
    grid = tomllib.loads((PRESETS / f"{name}.toml").read_text(encoding="utf-8"))
    return Preset(**{key: tuple(value) if isinstance(value, list) else value for key, value in grid.items()})


def pick(kind: str, text: str | None, known: Sequence[Any], default: Iterable[Any] | None = None) -> list[Any]:
    """The members of ``known`` named in a comma-separated text, or all of them for ``all``.

    Raises:
        UserError: a name that is not known (the nearest is offered), or no name and no default.
    """
    if text is None and default is not None:
        return list(default)
    names = comma_separated(text)
    if not names:
        raise UserError(f"no {kind} given. Known: {', '.join(map(str, known))}, or all.")
    if names == ["all"]:
        return list(known)
    by_name = {str(value): value for value in known}
    for name in names:
        if name not in by_name:
            raise unknown(kind, name, by_name)
    return [by_name[name] for name in dict.fromkeys(names)]


def pick_algorithms(text: str | None, registry: Registry) -> tuple[Registry, list[str]]:
    """The registry with the user's own classes (``file.py:Class``) added, and the selected keys, each once."""
    names = comma_separated(text)
    keys = [] if names else pick("algorithm", None, list(registry.algorithms))
    for name in names:
        if ":" in name:
            registry, key = registry.with_class(name)
            keys.append(key)
        else:
            keys += pick("algorithm", name, list(registry.algorithms))
    return registry, list(dict.fromkeys(keys))


def pick_scales(text: str | None, registry: Registry, default: Iterable[int]) -> list[int]:
    """Upscaling factors out of those that at least one backbone has; ``x2`` is read as ``2``."""
    known = sorted({scale for backbone in registry.backbones.values() for scale in backbone.scales})
    plain = None if text is None else ",".join(name.removeprefix("x") for name in comma_separated(text))
    try:
        return pick("scale", plain, known, default)
    except UserError as error:
        wrong = next((part for part in comma_separated(plain) if part.isdigit() and int(part) not in known), None)
        if wrong is None:
            raise
        near = min(known, key=lambda scale: abs(scale - int(wrong)))
        names = ", ".join(map(str, known))
        raise UserError(f"unknown scale {wrong!r}. Nearest: {near}. Known: {names}.") from error


def pick_backbones(text: str | None, registry: Registry, default: Iterable[str]) -> list[str]:
    """Keys of the named backbones; a user's own (``file.py:function``) become known by being named."""
    names = comma_separated(text)
    own = {name: add_own(name).key for name in names if ":" in name}
    named = None if text is None else ",".join(own.get(name, name) for name in names)
    return pick("backbone", named, list(registry.backbones), default)


def pick_levels(task: Task, levels: str | None, scales: str | None, registry: Registry, preset: Preset) -> list[str]:
    """Keys of the task's levels that are named in a comma-separated text, else its usual ones.

    Super-resolution's may be named by their factors, and default to those of the preset.

    Raises:
        UserError: a level that the task does not have, or scales of a task that does not enlarge.
    """
    if levels is not None and scales is not None:
        raise UserError("--level and --scale name the same thing twice. Give one of them.")
    if task.key == "sr" and levels is None:
        return [f"x{scale}" for scale in pick_scales(scales, registry, preset.scales)]
    if scales is not None:
        raise UserError(f"--scale is for the task sr; {task.key} has levels: give --level, e.g. {task.usual[0]}.")
    return pick("level", levels, [level.key for level in task.levels], task.usual)


def plan(
    registry: Registry,
    tracks: Sequence[Track],
    algorithms: Sequence[str],
    backbones: Sequence[str],
    levels: Sequence[str],
    settings: Settings,
    stamp: Stamp,
    store: Store,
    force: bool = False,
    part: Part = WHOLE,
) -> list[PlannedCell]:
    """Every cell of the selection, or of a part of it, in the order it will run, each with its fate.

    Raises:
        UserError: nothing is selected, a record of a later program is in the way, a track refuses its settings or needs
            what is not installed.
    """
    cards = [registry.cards[key] for key in algorithms]
    require({f"the track {t.name}": t.extras(settings) for t in tracks if hasattr(t, "extras")})  # pyright: ignore
    cells = [(track, cell) for track in tracks for cell in track.cells(cards, [*backbones], [*levels], settings)]
    for track, cell in cells:
        _check(cell, track)
    if twice := [name for name, count in Counter(str(cell) for _, cell in cells).items() if count > 1]:
        raise ValueError(f"a track names the same cell twice: {', '.join(sorted(twice))}")
    if not cells:
        raise UserError("the selection has no cells: none of these tracks measures these algorithms. See --list.")
    planned = []
    for track, cell in part.take(cells, lambda pair: str(pair[1])):
        identity = stamp.identity(cell, track)
        path = store.path(cell, stamp.machine.id if track.machine_bound else None, settings.seed)
        fate, why, earlier = _fate(store, path, identity)
        if force and fate == "done":
            fate, why = "run", "measured again on request"
        planned.append(PlannedCell(cell, fate, why, identity, path, earlier))
    return planned


def _check(cell: Cell, track: Track) -> None:
    check_cell(cell)
    if cell.track != track.name:
        raise ValueError(f"track {track.name} names a cell of track {cell.track}")


def _fate(store: Store, path: Path, identity: Identity) -> tuple[Fate, str, Record | None]:
    try:
        record = store.read(path)
    except RecordError as error:
        if error.damage == "future":
            raise
        return "run", f"{path}: {error.what}; it will be set aside as *.damaged", None
    if record is None:
        return "run", "not measured yet", None
    if differences := identity.differences(record):
        return "stale", "; ".join(differences), record
    if record.status == "failed":
        return "run", f"failed before: {record.reason}", record
    return "done", "" if record.status == "ok" else f"{record.status}: {record.reason}", record
