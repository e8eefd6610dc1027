"""Axes of the charts: from data to pixels, round ticks, and labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 42
CHAR = 6.5
"""Width of one letter of a label, in pixels, for placing labels."""


@dataclass(frozen=True)
class Axis:
    """One axis: its title, and whether it is logarithmic."""

    title: str
    log: bool = False


class Scale:
    """Data to pixels on one axis, with round ticks."""

    def __init__(self, low: float, high: float, start: float, end: float, log: bool = False, pad: float = 0.06) -> None:
        self.log = log
        if log:
            low, high = log10(low), log10(high)
        room = (high - low) * pad if high > low else 0.5
        self.low, self.high, self.start, self.end = low - room, high + room, start, end

    def __call__(self, value: float) -> float:
        value = log10(value) if self.log else value
        return self.start + (value - self.low) / (self.high - self.low) * (self.end - self.start)

    def ticks(self) -> list[float]:
        """About five round values inside the range."""
        return self._log_ticks() if self.log else self._linear_ticks()

    def _linear_ticks(self) -> list[float]:
        rough = (self.high - self.low) / 5
        size = 10.0 ** floor(log10(rough))
        step = next(size * factor for factor in (1, 2, 5, 10) if size * factor >= rough)
        first = ceil(self.low / step)
        return [number * step for number in range(first, floor(self.high / step) + 1)]

    def _log_ticks(self) -> list[float]:
        for factors in ((1,), (1, 3), (1, 2, 5), (1, 1.5, 2, 3, 4, 5, 6, 7, 8, 9)):
            powers = range(floor(self.low), ceil(self.high) + 1)
            round_values = [factor * 10.0**power for power in powers for factor in factors]
            found = [value for value in round_values if self.low <= log10(value) <= self.high]
            if len(found) >= 3:
                return found
        return found


def axes(sx: Scale, sy: Scale, x: Axis, y: Axis, x_ticks: Sequence[float] | None = None) -> str:
    """Grid, ticks and titles of a chart; ``x_ticks`` replaces the round ticks of the first axis."""
    left, right, bottom, top = sx.start, sx.end, sy.start, sy.end
    parts = []
    for value in sy.ticks():
        parts.append(f'<line class="grid" x1="{left}" x2="{right}" y1="{sy(value):.1f}" y2="{sy(value):.1f}"/>')
        parts.append(f'<text class="tick end" x="{left - 6}" y="{sy(value) + 4:.1f}">{value:g}</text>')
    for value in x_ticks or sx.ticks():
        parts.append(f'<line class="grid" x1="{sx(value):.1f}" x2="{sx(value):.1f}" y1="{top}" y2="{bottom}"/>')
        parts.append(f'<text class="tick mid" x="{sx(value):.1f}" y="{bottom + 16}">{value:g}</text>')
    middle = (left + right) / 2
    parts.append(f'<text class="title mid" x="{middle:.0f}" y="{bottom + 34}">{escape(x.title)}</text>')
    centre = f"{(top + bottom) / 2:.0f}"
    turned = f'x="13" y="{centre}" transform="rotate(-90 13 {centre})"'
    parts.append(f'<text class="title mid" {turned}>{escape(y.title)}</text>')
    return "".join(parts)


def place_labels(places: Sequence[tuple[float, float]], labels: Sequence[str]) -> list[tuple[float, float] | None]:
    """A free spot beside each point, or None where every spot is taken (the point keeps its tooltip)."""
    taken = [(x - 5, y - 5, x + 5, y + 5) for x, y in places]
    found: list[tuple[float, float] | None] = []
    for (x, y), label in zip(places, labels, strict=True):
        wide = CHAR * len(label)
        spots = [(x + 8, y + 4), (x - 8 - wide, y + 4), (x - wide / 2, y - 8), (x - wide / 2, y + 17),
                 (x + 7, y - 6), (x + 7, y + 14), (x - 7 - wide, y - 6), (x - 7 - wide, y + 14)]  # fmt: skip
        for left, base in spots:
            box = (left, base - 10, left + wide, base + 2)
            inside = box[0] >= LEFT and box[2] <= WIDTH - 2 and box[1] >= 2 and box[3] <= HEIGHT - BOTTOM
            if inside and not any(_overlap(box, other) for other in taken):
                taken.append(box)
                found.append((left, base))
                break
        else:
            found.append(None)
    return found


def _overlap(a: tuple[float, float, float, float], b: tuple[float, float, float, float]) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
