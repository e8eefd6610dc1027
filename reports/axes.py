"""Axes of the charts: from data to pixels, round ticks, and labels that do not cover each other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from math import ceil, floor, log10

WIDTH, HEIGHT = 460, 320
LEFT, RIGHT, TOP, BOTTOM = 52, 14, 14, 42
CHAR = 6.5
"""Width of one letter of a label, in pixels, for placing labels."""
FAR = (22, 34, 48, 64)
"""How far from its point a label may stand at the end of a line, pixels."""


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


Box = tuple[float, float, float, float]
"""Left, top, right, bottom, pixels."""


@dataclass(frozen=True)
class Spot:
    """Where a label's text begins: left end of its base line, pixels."""

    left: float
    base: float
    far: bool = False
    """True where a thin line has to lead from the point to it."""


def place_labels(
    places: Sequence[tuple[float, float]], labels: Sequence[str], taken: Sequence[Box] = ()
) -> list[Spot | None]:
    """A free spot for each point's label, beside it or farther off with a line; None where all are taken.

    No two labels overlap, none covers a point or one of the ``taken`` boxes, and all lie inside the chart. A point
    without a label keeps its tooltip.
    """
    boxes = [*taken, *((x - 5, y - 5, x + 5, y + 5) for x, y in places)]
    found: list[Spot | None] = []
    for (x, y), label in zip(places, labels, strict=True):
        spot = next((spot for spot in _spots(x, y, label) if _free(text_box(spot, label), boxes)), None)
        found.append(spot)
        if spot is not None:
            boxes.append(text_box(spot, label))
    return found


def text_box(spot: Spot, label: str) -> Box:
    """What a label covers."""
    return (spot.left, spot.base - 10, spot.left + CHAR * len(label), spot.base + 2)


def level_spot(y: float, label: str, points: Sequence[tuple[float, float]], taken: Sequence[Box]) -> Spot | None:
    """A spot for the name of a horizontal line: above or below it, as far left as nothing is in the way."""
    boxes = [*taken, *((px - 5, py - 5, px + 5, py + 5) for px, py in points)]
    lefts = range(LEFT + 4, int(WIDTH - RIGHT - CHAR * len(label)), 12)
    spots = (Spot(left, base) for base in (y - 4, y + 12) for left in lefts)
    return next((spot for spot in spots if _free(text_box(spot, label), boxes)), None)


def _spots(x: float, y: float, label: str) -> Iterator[Spot]:
    """Beside the point, then farther and farther off."""
    wide = CHAR * len(label)
    for left, base in ((x + 8, y + 4), (x - 8 - wide, y + 4), (x - wide / 2, y - 8), (x - wide / 2, y + 17),
                       (x + 7, y - 6), (x + 7, y + 14), (x - 7 - wide, y - 6), (x - 7 - wide, y + 14)):  # fmt: skip
        yield Spot(left, base)
    for away in FAR:
        for across in (away, -away - wide, -wide / 2):
            for up in (4 - away, 4 + away, 4):
                if across != -wide / 2 or up != 4:
                    yield Spot(x + across, y + up, far=True)


def _free(box: Box, taken: Sequence[Box]) -> bool:
    inside = box[0] >= LEFT and box[2] <= WIDTH - 2 and box[1] >= 2 and box[3] <= HEIGHT - BOTTOM
    return inside and not any(_overlap(box, other) for other in taken)


def _overlap(a: Box, b: Box) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
