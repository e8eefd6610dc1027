"""Known pictures by the hash of their pixels: a wrong, cropped or re-encoded copy is named, not averaged.

``manifest.csv`` holds for Set5, Set14, B100 and Urban100 the size and SHA-256 of each ground-truth picture's RGB
bytes; further rows of the same name are its copies cropped to a multiple of 2, 3, 4 or 12 (Set5 and Set14).
"""

from __future__ import annotations

import csv
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from types import MappingProxyType
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from bench.pictures.images import pixel_sha256

MAX_TRIM = 12
"""Pixels by which a copy may be larger than the manifest's and still be tried cropped (481 instead of 480 lines)."""


@dataclass(frozen=True)
class Entry:
    """One known picture, or a known cropped copy of it."""

    name: str
    width: int
    height: int
    sha256: str


@dataclass(frozen=True)
class Verdict:
    """What the manifest says about one file."""

    status: Literal["ok", "unverified", "wrong"]
    name: str
    """The picture's name in the manifest where it was recognised, else the file's."""
    reason: str = ""


@cache
def load() -> Mapping[str, Mapping[str, tuple[Entry, ...]]]:
    """Set key -> picture name -> entries, the full picture first."""
    table: dict[str, dict[str, tuple[Entry, ...]]] = defaultdict(dict)
    with files("bench.pictures").joinpath("manifest.csv").open(encoding="utf-8") as file:
        for row in csv.DictReader(file):
            entry = Entry(row["name"], int(row["width"]), int(row["height"]), row["sha256_rgb_pixels"])
            table[row["set"]][entry.name] = (*table[row["set"]].get(entry.name, ()), entry)
    return MappingProxyType(dict(table))


def check(key: str, name: str, hr: NDArray[np.uint8], scale: int) -> Verdict:
    """Compare a ground-truth picture, (H, W, 3) uint8 as read, with what is known of its set.

    What counts is what would be scored: the picture after it is cropped to a multiple of ``scale``.
    """
    table = load().get(key)
    if table is None:
        return Verdict("unverified", name, "there is no manifest for this set")
    height, width = hr.shape[:2]
    claimed = table.get(_plain(name))
    entry = _recognise(table, hr)
    if entry is not None:
        full = table[entry.name][0]
        if claimed is not None and claimed[0].name != entry.name:
            return Verdict("wrong", name, f"holds the pixels of {entry.name!r}")
        if _cropped(width, height, scale) != _cropped(full.width, full.height, scale):
            return Verdict(
                "wrong",
                entry.name,
                f"a copy of {width}x{height} instead of {full.width}x{full.height}, "
                f"which scores differently at x{scale}",
            )
        return Verdict("ok", entry.name)
    if claimed is None:
        return Verdict("wrong", name, "matches no picture of the set, neither by name nor by its pixels")
    full = claimed[0]
    if _cropped(width, height, scale) != _cropped(full.width, full.height, scale):
        return Verdict(
            "wrong", full.name, f"cropped or resized: got {width}x{height}, expected {full.width}x{full.height}"
        )
    if (width, height) not in {(e.width, e.height) for e in claimed} and (width < full.width or height < full.height):
        return Verdict("unverified", full.name, f"a cropped copy ({width}x{height}) whose hash is not known")
    return Verdict("wrong", full.name, "other pixels than the published picture: re-encoded, or another picture")


def _recognise(table: Mapping[str, tuple[Entry, ...]], hr: NDArray[np.uint8]) -> Entry | None:
    """The entry with these pixels, possibly after trimming a few columns at the right or lines at the bottom."""
    height, width = hr.shape[:2]
    by_hash = {entry.sha256: entry for entries in table.values() for entry in entries}
    full_sizes = {(entries[0].width, entries[0].height) for entries in table.values()}
    trims = {(w, h) for w, h in full_sizes if 0 <= width - w < MAX_TRIM and 0 <= height - h < MAX_TRIM}
    for w, h in [(width, height), *sorted(trims - {(width, height)}, reverse=True)]:
        entry = by_hash.get(pixel_sha256(hr[:h, :w]))
        if entry is not None:
            return entry
    return None


def _cropped(width: int, height: int, scale: int) -> tuple[int, int]:
    return width // scale * scale, height // scale * scale


def _plain(name: str) -> str:
    return name.lower().replace("img_", "img")
