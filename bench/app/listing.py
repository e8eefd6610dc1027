"""What ``--list`` and ``--dry-run`` print."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import tabulate

from bench.plan.cells import PlannedCell, load_preset, preset_names
from bench.plan.discover import Registry

WIDE = 60
"""Longest line inside a table cell, characters."""


def listing(registry: Registry) -> str:
    """Tables of algorithms, backbones, tracks and presets."""
    algorithms = [
        (card.key, card.name, f"{card.bits_w}/{card.bits_a}", card.bases, card.family, card.provenance)
        for card in registry.cards.values()
    ]
    backbones = [
        (item.key, item.title, item.family, ", ".join(f"x{scale}" for scale in item.scales))
        for item in registry.backbones.values()
    ]
    tracks = [
        (track.name, track.title, track.version, "yes" if track.machine_bound else "no", _options(track))
        for track in registry.tracks.values()
    ]
    presets = [
        (name, ", ".join(f"x{scale}" for scale in grid.scales), "x".join(map(str, grid.lr_size)), grid.repeats)
        for name, grid in ((name, load_preset(name)) for name in preset_names())
    ]
    return "\n\n".join(
        (
            _table(algorithms, ("algorithm", "name", "bits W/A", "bases", "family", "provenance")),
            _table(backbones, ("backbone", "title", "family", "scales")),
            _table(tracks, ("track", "title", "version", "bound to the machine", "options for --set")),
            _table(presets, ("preset", "scales", "LR input", "repeats")),
            "",
        )
    )


def dry_run(planned: Sequence[PlannedCell]) -> str:
    """A line per cell: its fate and why."""
    rows = [(str(item.cell), item.fate, item.why) for item in planned]
    count = sum(item.fate != "done" for item in planned)
    return f"{_table(rows, ('cell', 'fate', 'why'))}\n\n{count} of {len(planned)} cells would be measured.\n"


def _options(track: object) -> str:
    return "\n".join(f"{key}: {text}" for key, text in getattr(track, "options", {}).items())


def _table(rows: Sequence[Sequence[object]], headers: Sequence[str]) -> str:
    return tabulate(rows, headers, maxcolwidths=WIDE, disable_numparse=True)
