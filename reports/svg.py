"""Small charts as inline SVG. Colours come from the page's style sheet; all text is escaped."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise
from statistics import median

from reports.axes import (
    BOTTOM,
    CHAR,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    WIDTH,
    Axis,
    Box,
    Scale,
    Spot,
    axes,
    level_spot,
    place_labels,
    text_box,
)  # fmt: skip


@dataclass(frozen=True)
class Point:
    """A method in a scatter plot."""

    x: float
    y: float
    label: str
    family: str
    row: str
    """``<table>/<row id>``: the detail view behind the point."""
    tip: str


def scatter(
    title: str, points: Sequence[Point], x: Axis, y: Axis, front: bool = False, diagonal: bool = False,
    levels: Sequence[tuple[str, float]] = (),
) -> str:  # fmt: skip
    """Points with labels; ``front`` draws the Pareto front of small x and large y, ``diagonal`` the line y = x.

    ``levels`` are named horizontal lines, drawn where they fall inside the chart. Without a diagonal, points far below
    the others stand on the lower edge with an arrow, so that these keep room.
    """
    if not points:
        return ""
    xs, ys = [point.x for point in points], [point.y for point in points]
    if diagonal:
        xs = ys = xs + ys
    low = min(ys) if diagonal else _floor(ys)
    sx = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, x.log)
    sy = Scale(low, max(ys), HEIGHT - BOTTOM, TOP, y.log)
    parts = [axes(sx, sy, x, y)]
    if diagonal:
        low, high = max(sx.low, sy.low), min(sx.high, sy.high)
        ends = [(10**v if x.log else v) for v in (low, high)]
        parts.append(_line("diagonal", [(sx(v), sy(v)) for v in ends]))
    places = [(sx(p.x), sy(max(p.y, low))) for p in points]
    taken: list[Box] = []
    for label, level in levels:
        if low <= level <= max(ys):
            parts.append(_line("level", [(LEFT, sy(level)), (WIDTH - RIGHT, sy(level))]))
            if (spot := level_spot(sy(level), label, places, taken)) is not None:
                taken.append(text_box(spot, label))
                parts.append(f'<text class="tick" x="{spot.left:.1f}" y="{spot.base:.1f}">{escape(label)}</text>')
    if front:
        parts.append(_line("front", _steps([(sx(p.x), sy(p.y)) for p in pareto(points) if p.y >= low])))
    names = [p.label if p.y >= low else f"{p.label} \N{DOWNWARDS ARROW}" for p in points]
    for point, place, name, spot in zip(points, places, names, place_labels(places, names, taken), strict=True):
        (px, py), text = place, "" if spot is None else _label(place, spot, name)
        parts.append(
            f'<a href="#row={escape(point.row)}" class="pt f-{escape(point.family)}"><title>{escape(point.tip)}</title>'
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4.5"/>{text}</a>'
        )
    return drawing(title, WIDTH, HEIGHT, parts)


def _label(place: tuple[float, float], spot: Spot, name: str) -> str:
    """A point's name, and the line that leads to one farther off."""
    x, y = place
    left, _, right, _ = text_box(spot, name)
    # Letters are narrower than reckoned: the text keeps to the side of its box that is nearest to the point.
    kind, at = (
        (' class="end"', right) if right <= x else ("", left) if left >= x else (' class="mid"', (left + right) / 2)
    )
    near = spot.base - 10 if y < spot.base - 10 else spot.base + 2 if y > spot.base + 2 else spot.base - 4
    lead = f'<line class="lead" x1="{x:.1f}" y1="{y:.1f}" x2="{at:.1f}" y2="{near:.1f}"/>' if spot.far else ""
    return f'{lead}<text{kind} x="{at:.1f}" y="{spot.base:.1f}">{escape(name)}</text>'


def _floor(ys: Sequence[float]) -> float:
    """Lower end of the axis: the lowest value, at most three times as far below the median as the highest above."""
    middle = median(ys)
    return max(min(ys), middle - max(3 * (max(ys) - middle), 0.5))


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both: smaller x and larger y. Sorted by x."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def intervals(title: str, rows: Sequence[tuple[str, int, int, int]]) -> str:
    """One line a method: (label, rank, best, worst rank)."""
    if not rows:
        return ""
    left, step = _room([label for label, *_ in rows], 14), 22
    height = TOP + step * len(rows) + BOTTOM
    last = max(worst for _, _, _, worst in rows)
    sx = Scale(1, max(last, 2), left, WIDTH - RIGHT)
    ticks = range(1, last + 1, 1 + last // 13)
    parts = _verticals(sx, ticks, TOP, height - BOTTOM)
    parts.append(f'<text class="title mid" x="{(left + WIDTH) / 2:.0f}" y="{height - 6}">Rank</text>')
    for place, (label, rank, best, worst) in enumerate(rows):
        y = TOP + step * (place + 0.5)
        tip = f"{label}: rank {rank}, range {best} to {worst}"
        parts.append(
            f'<g class="iv"><title>{escape(tip)}</title>'
            f'<text class="end" x="{left - 14}" y="{y + 4:.1f}">{escape(label)}</text>'
            f'<line x1="{sx(best):.1f}" x2="{sx(worst):.1f}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<circle cx="{sx(rank):.1f}" cy="{y:.1f}" r="4.5"/></g>'
        )
    return drawing(title, WIDTH, height, parts)


def stacked(title: str, rows: Sequence[tuple[str, Sequence[tuple[str, float]]]], unit: str) -> str:
    """Horizontal bars made of named parts: (label, [(part, value)]). Parts get the classes part-0, part-1 ..."""
    if not rows:
        return ""
    left, step = _room([label for label, _ in rows], 6), 22
    height = TOP + step * len(rows) + BOTTOM + 6
    longest = max(sum(value for _, value in parts) for _, parts in rows)
    sx = Scale(0, longest, left, WIDTH - RIGHT)
    zero = sx(0)
    ticks = [v for v in sx.ticks() if v >= 0]
    out = _verticals(sx, ticks, TOP + 6, height - BOTTOM)
    out.append(f'<text class="title mid" x="{(left + WIDTH) / 2:.0f}" y="{height - 6}">{escape(unit)}</text>')
    for number, (name, _) in enumerate(rows[0][1]):
        at = left + 84 * number
        out.append(f'<rect class="part-{number}" x="{at}" y="0" width="10" height="10"/>')
        out.append(f'<text x="{at + 15}" y="9">{escape(name)}</text>')
    for place, (label, parts) in enumerate(rows):
        y, at = TOP + step * place + 10, zero
        out.append(f'<text class="end" x="{left - 6}" y="{y + 11:.1f}">{escape(label)}</text>')
        for number, (name, value) in enumerate(parts):
            wide = sx(value) - zero
            tip = f"{label}, {name}: {value:.1f} {unit}"
            out.append(
                f'<rect class="part-{number}" x="{at:.1f}" y="{y}" width="{max(wide, 0):.1f}" height="{step - 8}">'
                f"<title>{escape(tip)}</title></rect>"
            )
            at += wide
    return drawing(title, WIDTH, height, out)


def _room(labels: Sequence[str], gap: int) -> float:
    """Left edge of a chart that has its labels before it."""
    return max(110, CHAR * max(map(len, labels)) + gap)


def _verticals(sx: Scale, ticks: Iterable[float], top: int, bottom: int) -> list[str]:
    """Grid lines with their values below."""
    return [
        f'<line class="grid" x1="{sx(v):.1f}" x2="{sx(v):.1f}" y1="{top}" y2="{bottom}"/>'
        f'<text class="tick mid" x="{sx(v):.1f}" y="{bottom + 16}">{v:g}</text>'
        for v in ticks
    ]


def drawing(title: str, width: int, height: int, parts: Sequence[str]) -> str:
    """A picture of that size, in pixels, with its name for those who do not see it."""
    return (
        f'<svg viewBox="0 0 {width} {height}" role="group" aria-label="{escape(title)}" '
        f'xmlns="http://www.w3.org/2000/svg">{"".join(parts)}</svg>'
    )


def _line(name: str, spots: Sequence[tuple[float, float]]) -> str:
    return f'<polyline class="{name}" points="{" ".join(f"{a:.1f},{b:.1f}" for a, b in spots)}"/>'


def _steps(spots: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    stairs = list(spots[:1])
    for (_, before), (across, after) in pairwise(spots):
        stairs += [(across, before), (across, after)]
    return stairs
