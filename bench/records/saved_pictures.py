"""Pictures that the accuracy track saves beside its records, and how a record vouches for them. Standard library only.

A record's details hold under `SAVED`, for each picture's name, the SHA-256 of the pixels (row-major RGB bytes) of the
super-resolved picture and of the ground truth it was scored against.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.contract import Cell

FOLDER = Path("files")
"""Beside the records inside a store: what tracks make on the side."""
SAVED = "saved_pictures"

_HASH = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Saved:
    """SHA-256 over the pixels of one saved picture and of its ground truth."""

    sr: str
    hr: str


def picture_path(cell: Cell, name: str) -> Path:
    """The super-resolved picture inside `FOLDER`."""
    return Path(cell.track) / cell.name / f"{name}.png"


def truth_path(cell: Cell, name: str) -> Path:
    """The ground truth inside `FOLDER`: one for all algorithms, as the level cuts it."""
    return Path(cell.track) / f"hr.{cell.level}.{cell.case.removesuffix('+')}" / f"{name}.png"


def saved_pictures(details: Mapping[str, Any]) -> dict[str, Saved]:
    """What a record says it saved: name -> hashes. What is malformed, or no plain file name, is left out."""
    told = details.get(SAVED)
    found = {}
    for name, hashes in told.items() if isinstance(told, dict) else ():
        pair = hashes if isinstance(hashes, dict) else {}
        plain = name not in ("", ".", "..") and len(name) <= 200 and not re.search(r"[/\\\x00-\x1f]", name)
        if plain and all(_HASH.fullmatch(str(pair.get(kind))) for kind in ("sr", "hr")):
            found[name] = Saved(str(pair["sr"]), str(pair["hr"]))
    return found
