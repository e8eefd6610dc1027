"""Small charts as inline SVG. Colours come from the page's style sheet; all text is escaped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from itertools import pairwise

from reports.axes import BOTTOM, HEIGHT, LEFT, RIGHT, TOP, WIDTH, Axis, Scale, axes, place_labels


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


@dataclass(frozen=True)
class Series:
    """A line in a small chart: y over x = 0, 1, 2 ..."""

    label: str
    family: str
    algo: str
    xs: tuple[float, ...]
    ys: tuple[float, ...]


def scatter(
    title: str, points: Sequence[Point], x: Axis, y: Axis, front: bool = False, diagonal: bool = False
) -> str:
    """Points with labels; ``front`` draws the Pareto front of small x and large y, ``diagonal`` the line y = x."""
    if not points:
        return ""
    xs, ys = [point.x for point in points], [point.y for point in points]
    if diagonal:
        xs = ys = xs + ys
    sx = Scale(min(xs), max(xs), LEFT, WIDTH - RIGHT, x.log)
    sy = Scale(min(ys), max(ys), HEIGHT - BOTTOM, TOP, y.log)
    parts = [axes(sx, sy, x, y)]
    if diagonal:
        low, high = max(sx.low, sy.low), min(sx.high, sy.high)
        ends = [(10**v if x.log else v) for v in (low, high)]
        parts.append(_line("diagonal", [(sx(v), sy(v)) for v in ends]))
    if front:
        parts.append(_line("front", _steps([(sx(p.x), sy(p.y)) for p in pareto(points)])))
    places = [(sx(p.x), sy(p.y)) for p in points]
    labels = place_labels(places, [p.label for p in points])
    for point, (px, py), spot in zip(points, places, labels, strict=True):
        text = "" if spot is None else f'<text x="{spot[0]:.1f}" y="{spot[1]:.1f}">{escape(point.label)}</text>'
        parts.append(
            f'<a href="#row={escape(point.row)}" data-row="{escape(point.row)}" class="pt f-{escape(point.family)}" '
            f'aria-label="{escape(point.tip)}"><title>{escape(point.tip)}</title>'
            f'<circle cx="{px:.1f}" cy="{py:.1f}" r="4.5"/>{text}</a>'
        )
    return _svg(title, WIDTH, HEIGHT, parts)


def pareto(points: Sequence[Point]) -> list[Point]:
    """The points that no other beats in both: smaller x and larger y. Sorted by x."""
    front: list[Point] = []
    for point in sorted(points, key=lambda p: (p.x, -p.y)):
        if not front or point.y > front[-1].y:
            front.append(point)
    return front


def lines(title: str, series: Sequence[Series], x: Axis, y: Axis, width: int = 300, height: int = 210) -> str:
    """Small chart of several lines; the page highlights one when its name is pointed at."""
    xs = [v for one in series for v in one.xs]
    ys = [v for one in series for v in one.ys]
    if not xs:
        return ""
    sx = Scale(min(xs), max(xs), LEFT - 6, width - RIGHT)
    sy = Scale(min(ys), max(ys), height - BOTTOM, TOP)
    parts = [axes(sx, sy, x, y, sorted(set(xs)))]
    for one in series:
        spots = [(sx(a), sy(b)) for a, b in zip(one.xs, one.ys, strict=True)]
        path = " ".join(f"{a:.1f},{b:.1f}" for a, b in spots)
        parts.append(
            f'<g class="ln f-{escape(one.family)}" data-algo="{escape(one.algo)}"><title>{escape(one.label)}</title>'
            f'<polyline points="{path}"/></g>'
        )
    return _svg(title, width, height, parts)


def intervals(title: str, rows: Sequence[tuple[str, int, int, int]]) -> str:
    """One line a method: (label, rank, best, worst rank)."""
    if not rows:
        return ""
    left, step = 110, 22
    height = TOP + step * len(rows) + BOTTOM
    last = max(worst for _, _, _, worst in rows)
    sx = Scale(1, max(last, 2), left, WIDTH - RIGHT)
    ticks = [v for v in sx.ticks() if v == int(v) and 1 <= v <= last]
    parts = [f'<line class="grid" x1="{sx(v):.1f}" x2="{sx(v):.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>' for v in ticks]
    parts += [f'<text class="tick mid" x="{sx(v):.1f}" y="{height - BOTTOM + 16}">{v:g}</text>' for v in ticks]
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
    return _svg(title, WIDTH, height, parts)


def stacked(title: str, rows: Sequence[tuple[str, Sequence[tuple[str, float]]]], unit: str) -> str:
    """Horizontal bars made of named parts: (label, [(part, value)]). Parts get the classes part-0, part-1 ..."""
    if not rows:
        return ""
    left, step = 110, 22
    height = TOP + step * len(rows) + BOTTOM
    longest = max(sum(value for _, value in parts) for _, parts in rows)
    sx = Scale(0, longest, left, WIDTH - RIGHT)
    zero = sx(0)
    ticks = [v for v in sx.ticks() if v >= 0]
    out = [f'<line class="grid" x1="{sx(v):.1f}" x2="{sx(v):.1f}" y1="{TOP}" y2="{height - BOTTOM}"/>' for v in ticks]
    out += [f'<text class="tick mid" x="{sx(v):.1f}" y="{height - BOTTOM + 16}">{v:g}</text>' for v in ticks]
    out.append(f'<text class="title mid" x="{(left + WIDTH) / 2:.0f}" y="{height - 6}">{escape(unit)}</text>')
    for place, (label, parts) in enumerate(rows):
        y, at = TOP + step * place + 4, zero
        out.append(f'<text class="end" x="{left - 6}" y="{y + 11:.1f}">{escape(label)}</text>')
        for number, (name, value) in enumerate(parts):
            wide = sx(value) - zero
            tip = f"{label}, {name}: {value:.1f} {unit}"
            out.append(
                f'<rect class="part-{number}" x="{at:.1f}" y="{y}" width="{max(wide, 0):.1f}" height="{step - 8}">'
                f"<title>{escape(tip)}</title></rect>"
            )
            at += wide
    return _svg(title, WIDTH, height, out)


def _svg(title: str, width: int, height: int, parts: Sequence[str]) -> str:
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
