"""A small chart of many lines over named levels: made to stand beside others of its kind."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from reports.axes import Scale
from reports.svg import drawing

WIDTH, HEIGHT = 320, 190
LEFT, RIGHT, TOP, BOTTOM = 34, 46, 8, 34
APART = 12.0
"""Least distance of two names at the right edge, in pixels"""
NAMES = {"full": "FP", "base": "bicubic"}
"""Role -> name at the line's end; other lines are named where they are pointed at."""


@dataclass(frozen=True)
class Line:
    """One network: a value at each level."""

    label: str
    hue: str
    algo: str
    ys: tuple[float, ...]
    role: str = ""
    """``full``, ``base`` or nothing"""
    met: tuple[int, float] | None = None
    """A crossing to be marked on it: the place before, and how far towards the next."""


def panel(title: str, lines: Sequence[Line], ticks: Sequence[str], unit: str) -> str:
    """SVG. The range is that of the two named lines and of all that begin above zero; others run along the edge."""
    shown = [y for line in lines if line.role or line.ys[0] > 0 for y in line.ys] or [y for ln in lines for y in ln.ys]
    sx = Scale(0, len(ticks) - 1, LEFT, WIDTH - RIGHT, pad=0)
    sy = Scale(min(shown), max(shown), HEIGHT - BOTTOM, TOP)
    parts = _axes(sx, sy, ticks, unit)
    for line in sorted(lines, key=lambda line: bool(line.role)):
        parts.append(_drawn(line, sx, sy))
    return drawing(title, WIDTH, HEIGHT, [*parts, *_names(lines, sy)])


def _axes(sx: Scale, sy: Scale, ticks: Sequence[str], unit: str) -> list[str]:
    bottom = HEIGHT - BOTTOM
    parts = []
    for value in sy.ticks():
        parts.append(f'<line class="grid" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{sy(value):.1f}" y2="{sy(value):.1f}"/>')
        parts.append(f'<text class="tick end" x="{LEFT - 5}" y="{sy(value) + 4:.1f}">{value:g}</text>')
    for place, words in enumerate(ticks):
        parts.append(f'<text class="tick mid" x="{sx(place):.1f}" y="{bottom + 14}">{escape(words)}</text>')
    middle = (LEFT + WIDTH - RIGHT) / 2
    return [*parts, f'<text class="title mid" x="{middle:.0f}" y="{bottom + 29}">{escape(unit)}</text>']


def _drawn(line: Line, sx: Scale, sy: Scale) -> str:
    kind = f'class="ln f-{escape(line.hue)} {line.role}" data-algo="{escape(line.algo)}"'
    path = " ".join(f"{sx(place):.1f},{_inside(y, sy):.1f}" for place, y in enumerate(line.ys))
    drawn = f'<polyline {kind} points="{path}"><title>{escape(line.label)}</title></polyline>'
    if line.met is None:
        return drawn
    place, share = line.met
    y = line.ys[place] + share * (line.ys[place + 1] - line.ys[place])
    radius = 4.5 if line.role else 2.5
    return f'{drawn}<circle {kind} cx="{sx(place + share):.1f}" cy="{_inside(y, sy):.1f}" r="{radius}"/>'


def _inside(y: float, sy: Scale) -> float:
    return min(max(sy(y), sy.end), sy.start)


def _names(lines: Sequence[Line], sy: Scale) -> list[str]:
    """Names of the lines with a role at their ends, moved apart where they would touch."""
    ends = sorted((_inside(line.ys[-1], sy) + 4, NAMES[line.role]) for line in lines if line.role)
    placed: list[tuple[float, str]] = []
    for y, name in ends:
        placed.append((max(y, placed[-1][0] + APART) if placed else y, name))
    over = max(0.0, placed[-1][0] - (HEIGHT - BOTTOM + 4)) if placed else 0.0
    return [f'<text x="{WIDTH - RIGHT + 5}" y="{y - over:.1f}">{escape(name)}</text>' for y, name in placed]
