"""What ``--list`` and ``--dry-run`` print."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tabulate import tabulate

from bench.app import terminal
from bench.plan.cells import PlannedCell, load_preset, preset_names
from bench.plan.discover import Found, Registry
from bench.tasks import load_task, task_keys

NARROWEST = 20
"""Least width of a table's last column, characters."""
WEIGHTS_NOTE = (
    "weights: networks trained by this project that come with it, by backbone and scale. Of a method without any, "
    "accuracy and robust give no number; give your own with --weights KEY=PATH, or train it: run_bench.py train --help."
)


def listing(registry: Registry, wide: bool = False) -> str:
    """Tables of algorithms, backbones, tasks, tracks and presets. ``wide`` adds columns and wraps nothing."""
    width = None if wide else terminal.width()
    algorithms = [_algorithm(found, wide) for found in registry.algorithms.values()]
    heads = ("algorithm", "name", "bits W/A", "family", "weights", *(("bases", "provenance") if wide else ()))
    backbones = [
        (item.key, item.title, item.family, ", ".join(f"x{scale}" for scale in item.scales))
        for item in registry.backbones.values()
    ]
    tasks = [
        (task.key, task.title, " ".join(level.key for level in task.levels), task.protocol.name)
        for task in map(load_task, task_keys())
    ]
    tracks = [
        (track.name, "this machine" if track.machine_bound else "any machine", track.version, track.title)
        for track in registry.tracks.values()
    ]
    presets = [
        (name, ", ".join(f"x{scale}" for scale in grid.scales), "x".join(map(str, grid.lr_size)), grid.repeats,
         " ".join(grid.datasets))
        for name, grid in ((name, load_preset(name)) for name in preset_names())
    ]  # fmt: skip
    return "\n\n".join(
        (
            _table(algorithms, heads, width),
            textwrap.fill(WEIGHTS_NOTE, width or 10_000),
            _table(backbones, ("backbone", "title", "family", "scales"), width),
            _table(tasks, ("task", "title", "levels", "protocol"), width),
            _table(tracks, ("track", "numbers hold on", "version", "title"), width),
            _table(_options(registry), ("option for --set", "meaning"), width),
            _table(presets, ("preset", "scales", "LR input", "repeats", "test sets"), width),
            "",
        )
    )


def dry_run(planned: Sequence[PlannedCell], wide: bool = False) -> str:
    """A line per cell: its fate and why."""
    rows = [(str(item.cell), item.fate, item.why) for item in planned]
    count = sum(item.fate != "done" for item in planned)
    table = _table(rows, ("cell", "fate", "why"), None if wide else terminal.width())
    return f"{table}\n\n{count} of {len(planned)} cells would be measured.\n"


def _algorithm(found: Found, wide: bool) -> tuple[object, ...]:
    card = found.card
    row = (card.key, card.name, f"{card.bits_w}/{card.bits_a}", card.family, _weights(found))
    return (*row, card.bases, card.provenance) if wide else row


def _weights(found: Found) -> str:
    """``srresnet x2 x4``: the networks that come trained."""
    if found.card.backbone_free:
        return "needs none"
    return "; ".join(f"{backbone} {' '.join(scales)}" for backbone, scales in found.trained().items()) or "none"


def _options(registry: Registry) -> list[tuple[str, str]]:
    tracks = registry.tracks.values()
    return [
        (f"{track.name}.{key}", str(text)) for track in tracks for key, text in getattr(track, "options", {}).items()
    ]


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str], width: int | None) -> str:
    """A table whose last column is wrapped so that the whole has ``width`` columns; None wraps nothing."""
    limits: list[int | None] = [None] * len(headers)
    if width is not None:
        others = [max(len(str(value)) for value in column) for column in zip(headers, *rows, strict=True)][:-1]
        limits[-1] = max(NARROWEST, width - sum(others) - 2 * len(others))
    return tabulate(rows, headers, maxcolwidths=limits, disable_numparse=True)
