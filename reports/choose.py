"""Which picture of a data set is shown, and which part of it: where the outputs of the networks differ most."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from statistics import pvariance

import numpy as np
from numpy.typing import NDArray

from bench.records.record import Record
from bench.records.saved_pictures import saved_pictures
from reports.album import Album, Pixels

SIDE = 64
"""Side of the box, pixels of the ground truth."""
CANDIDATES = 8
"""Pictures of a set that are searched: those whose PSNR differs most between the networks."""

Box = tuple[int, int, int]
"""Left, top and side, pixels."""


def choose(members: Sequence[Record], album: Album) -> tuple[str, Box]:
    """The picture and box in which the networks differ most; an empty name where no ground truth can be read."""
    judged = [record for record in members if record.cell.backbone != "none" and "untrained" not in record.flags]
    judged = judged if len(judged) > 1 else list(members)
    best: tuple[float, str, Box] = (-1.0, "", (0, 0, 0))
    for name in _candidates(judged):
        truth = album.truth(members[0].cell, name, truth_hash(members, name))
        if truth is None:
            continue
        outputs = [
            sr for record in judged if (sr := output_of(record, name, album)) is not None and sr.shape == truth.shape
        ]
        worth, box = _busiest(outputs, truth)
        best = max(best, (worth, name, box), key=lambda found: found[0])
    return best[1], best[2]


def _candidates(judged: Sequence[Record]) -> list[str]:
    """Names of pictures to search, most different PSNR first, then by name."""
    names = sorted({name for record in judged for name in saved_pictures(record.details)})
    values = {name: [v for r in judged if (v := score(r, "psnr_y", name)) is not None] for name in names}
    spread = {name: pvariance(found) if len(found) > 1 else 0.0 for name, found in values.items()}
    return sorted(names, key=lambda name: (-spread[name], name))[:CANDIDATES]


def _busiest(outputs: Sequence[Pixels], truth: Pixels) -> tuple[float, Box]:
    """The square with the largest mean variance between the outputs (of one alone: between it and the truth)."""
    stack = list(outputs) if len(outputs) > 1 else [*outputs, truth]
    total = np.zeros(truth.shape)
    squares = np.zeros(truth.shape)
    for picture in stack:
        total += picture
        squares += np.square(picture, dtype=np.float64)
    variance = (squares / len(stack) - np.square(total / len(stack))).mean(axis=2)
    side = min(SIDE, *variance.shape)
    sums = _window_sums(variance, side)
    top, left = np.unravel_index(int(np.argmax(sums)), sums.shape)
    return float(sums[top, left]) / side**2, (int(left), int(top), side)


def _window_sums(values: NDArray[np.float64], side: int) -> NDArray[np.float64]:
    """Sum over every square of that side: element (i, j) is the square with its upper left corner there."""
    sums = np.pad(values, ((1, 0), (1, 0))).cumsum(0).cumsum(1)
    return sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]


def score(record: Record, metric: str, name: str) -> float | None:
    """A record's value of one picture; None where its list of pictures and its samples do not match."""
    pictures, values = record.details.get("pictures"), record.samples.get(metric, [])
    if not isinstance(pictures, list) or len(pictures) != len(values) or pictures.count(name) != 1:
        return None
    return values[pictures.index(name)]


def truth_hash(members: Sequence[Record], name: str) -> str:
    """The hash of the original that most members scored this picture against."""
    hashes = Counter(saved.hr for record in members if (saved := saved_pictures(record.details).get(name)) is not None)
    return min(hashes, key=lambda found: (-hashes[found], found))


def output_of(record: Record, name: str, album: Album) -> Pixels | None:
    saved = saved_pictures(record.details).get(name)
    return None if saved is None else album.output(record.cell, name, saved.sr)
