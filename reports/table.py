"""One neutral table that console, Markdown, LaTeX and HTML all print."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

from bench.contract import Better
from reports.text import DASH, fixed

Mark = Literal["", "best", "second"]

UP, DOWN = "\N{UPWARDS ARROW}", "\N{DOWNWARDS ARROW}"


@dataclass(frozen=True)
class Column:
    """What one column shows and how."""

    key: str
    title: str
    help: str = ""
    unit: str = ""
    better: Better = "neither"
    digits: int = 2
    group: str = ""
    """Heading over several columns, e.g. a data set."""
    text: bool = False
    """True for words, False for numbers."""
    shown: bool = True
    """False: hidden until the reader asks for it; never in LaTeX."""
    roomy: bool = False
    """True: shown at first only where the window has room for it."""

    @property
    def arrow(self) -> str:
        """Towards better values, as tables of papers show it; empty where no direction is better."""
        return {"higher": UP, "lower": DOWN, "neither": ""}[self.better]

    @property
    def heading(self) -> str:
        return f"{self.title} ({self.unit})" if self.unit else self.title


@dataclass(frozen=True)
class Quote:
    """A published value of the same cell."""

    value: float
    source: str
    """Key of the source."""
    where: str
    """Method and table as printed there."""


@dataclass(frozen=True)
class Entry:
    """One value in a table, or why there is none."""

    value: float | str | None = None
    note: str = ""
    """Why there is no value, or a remark on it."""
    spread: float | None = None
    """Interquartile range or standard deviation, in the value's unit."""
    change: float | None = None
    """Percent against full precision; negative is a reduction."""
    quotes: tuple[Quote, ...] = ()
    barred: bool = False
    """True: shown, but out of the contest, for the reason in the note."""
    mark: Mark = ""

    def text(self, column: Column) -> str:
        """As printed: number, spread in parentheses, change with an arrow; a dash where there is nothing."""
        if self.value is None:
            return DASH
        if isinstance(self.value, str):
            return self.value
        parts = [fixed(self.value, column.digits)]
        if self.spread is not None:
            parts.append(f"({fixed(self.spread, column.digits)})")
        if self.change is not None:
            parts.append(change_text(self.change))
        return " ".join(parts)


def change_text(percent: float) -> str:
    """``↓83.5%`` for a reduction, ``↑2.0%`` for an increase."""
    return f"{DOWN if percent <= 0 else UP}{fixed(abs(percent), 1)}%"


@dataclass(frozen=True)
class Row:
    """One line: a method on a network, with what filters and the detail view need."""

    id: str
    """Stable name, e.g. ``frb.srresnet.x2``; unique in its table."""
    algo: str
    backbone: str
    scale: int
    entries: Mapping[str, Entry]
    case: str = ""
    bits: str = ""
    """``W/A``"""
    family: str = ""
    reference: bool = False
    """Full precision or bicubic: never marked best."""
    machine: str = ""
    """Machine of timed numbers: values of two machines are never compared."""
    threads: tuple[int, ...] = ()
    """Threads of the records behind the row."""
    budget: str = ""
    """What the training of its weights spent; empty where nothing was trained."""
    flags: tuple[str, ...] = ()
    records: tuple[int, ...] = ()
    """Places in the list of records the table was made from."""


@dataclass(frozen=True)
class Table:
    """Columns, rows and what to say about them."""

    key: str
    title: str
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    about: str = ""
    notes: tuple[str, ...] = field(default=())

    def entry(self, row: Row, column: Column) -> Entry:
        return row.entries.get(column.key, Entry())


def marked(rows: Sequence[Row], columns: Iterable[Column], group: Callable[[Row], object]) -> list[Row]:
    """The rows with best and second-best values marked, each within its group and never among references.

    Values equal as printed share a mark; two bests leave no second. Nothing is marked in a group of one, or when half
    of a group or more are equally good.
    """
    members: dict[object, list[int]] = {}
    for place, row in enumerate(rows):
        if not row.reference:
            members.setdefault(group(row), []).append(place)
    entries = [dict(row.entries) for row in rows]
    for column in columns:
        if column.text or column.better == "neither":
            continue
        for places in members.values():
            _mark(entries, places, column)
    return [replace(row, entries=entry) for row, entry in zip(rows, entries, strict=True)]


def _mark(entries: list[dict[str, Entry]], places: list[int], column: Column) -> None:
    printed = {}
    for place in places:
        entry = entries[place].get(column.key, Entry())
        if isinstance(entry.value, float) and not entry.barred:
            printed[place] = float(fixed(entry.value, column.digits))
    if len(printed) < 2:
        return
    order = sorted(set(printed.values()), reverse=column.better == "higher")
    best = [place for place, value in printed.items() if value == order[0]]
    second = [place for place, value in printed.items() if len(order) > 1 and value == order[1]]
    if len(best) > 1 and 2 * len(best) >= len(printed):
        return
    for mark, chosen in (("best", best), ("second", second if len(best) == 1 else [])):
        for place in chosen:
            entries[place][column.key] = replace(entries[place][column.key], mark=mark)
