"""The same table on a terminal and in Markdown."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence

from tabulate import SEPARATING_LINE, tabulate

from reports.table import Column, Entry, Row, Table
from reports.text import markdown

FLAG_WIDTH = 44
"""Characters after which reasons are wrapped on a wide terminal."""
GAP, PADDING = 2, 2
"""Spaces between two columns, and those that tabulate adds to a heading."""
SAME = ("backbone", "scale", "case", "bits")
"""Columns that are said once, beside the title, where all rows agree."""
COLOURS = {"best": "\x1b[1;32m{}\x1b[0m", "second": "\x1b[4m{}\x1b[0m", "": "{}"}


def console_text(table: Table, width: int | None = None, colour: bool = False) -> str:
    """Plain text: title, table, notes. Headings take two lines, the group above the metric.

    Args:
        table: Rows without a single number stand below it, by reason.
        width: Columns of the terminal. What does not fit is left out, the least important first, and named below; the
            flags then stand below too. None prints everything.
        colour: Best and second-best values in colour.
    """
    columns = [column for column in table.columns if column.shown]
    rows = [row for row in table.rows if _has_number(table, row, columns)]
    if not any(table.entry(row, column).value for row in rows for column in columns if column.key == "flags"):
        columns = [column for column in columns if column.key != "flags"]
    title, below = table.title, []
    if width is not None:
        same = _same(table, rows, columns)
        columns = [column for column in columns if column.key not in same]
        below = _flag_lines(table, rows) if any(column.key == "flags" for column in columns) else []
        columns = [column for column in columns if column.key != "flags"]
        kept = _fitting(table, rows, columns, width)
        left = [f"{column.group} {column.title}".strip() for column in columns if column not in kept]
        below += [f"No room for: {', '.join(left)}. --wide shows all."] if left else []
        title, columns = ": ".join(filter(None, [title, ", ".join(same.values())])), kept
    notes = [line for note in (*below, *_numberless(table), *table.notes) for line in _wrapped(note, width)]
    return "\n".join([title, "", _grid(table, rows, columns, colour), *(["", *notes] if notes else [])])


def _grid(table: Table, rows: Sequence[Row], columns: Sequence[Column], colour: bool) -> str:
    lines: list[object] = []
    for place, row in enumerate(rows):
        if place and row.scale != rows[place - 1].scale:
            lines.append(SEPARATING_LINE)
        entries = [(table.entry(row, column), column) for column in columns]
        lines.append([COLOURS[e.mark if colour else ""].format(e.text(column)) for e, column in entries])
    return tabulate(
        lines,
        headers=[_two_lines(column) for column in columns],
        tablefmt="simple",
        disable_numparse=True,
        colalign=["left" if column.text else "right" for column in columns],
        maxcolwidths=[FLAG_WIDTH if column.key == "flags" else None for column in columns],
    )


def _same(table: Table, rows: Sequence[Row], columns: Sequence[Column]) -> dict[str, str]:
    """Column -> what all rows have in it."""
    found = {}
    for column in columns:
        values = {table.entry(row, column).text(column) for row in rows if not _without(table, row, column)}
        if column.key in SAME and len(values) == 1:
            text = values.pop()
            found[column.key] = {"scale": f"x{text}", "bits": f"{text} bits"}.get(column.key, text)
    return found


def _without(table: Table, row: Row, column: Column) -> bool:
    """True where a row has nothing to say in a column: bicubic has no backbone."""
    return table.entry(row, column).value in (None, "", Entry().text(column))


def _fitting(table: Table, rows: Sequence[Row], columns: Sequence[Column], width: int) -> list[Column]:
    """The columns that a terminal has room for, in their order: taken by importance while there is room."""
    kept: set[str] = set()
    left = width + GAP
    for column in sorted(columns, key=lambda column: _importance(column, columns)):
        heading = max(map(len, _two_lines(column).split("\n"))) + PADDING
        need = GAP + max([heading, *(len(table.entry(row, column).text(column)) for row in rows)])
        if need <= left or not kept:
            kept.add(column.key)
            left -= need
    return [column for column in columns if column.key in kept]


def _importance(column: Column, columns: Sequence[Column]) -> tuple[int, int, int]:
    """Smaller is more important: method and network; metrics in their order, each over all data sets; the rest."""
    place = columns.index(column)
    metric = column.key.rpartition(":")[2]
    order = list(dict.fromkeys(one.key.rpartition(":")[2] for one in columns))
    if column.key == "method":
        return (0, 0, place)
    if column.key in ("backbone", "scale", "case"):
        return (1, 0, place)
    late = column.text or column.key.startswith("comp:")
    return (3 if late else 2, order.index(metric), place)


def _flag_lines(table: Table, rows: Sequence[Row]) -> list[str]:
    """One line a flag: which rows carry it, or which do not where these are fewer."""
    flags = {row.id: set(str(row.entries.get("flags", Entry()).value or "").split("; ")) - {""} for row in rows}
    lines = []
    for flag in dict.fromkeys(flag for row in rows for flag in sorted(flags[row.id])):
        carry = [row for row in rows if flag in flags[row.id]]
        free = [row for row in rows if flag not in flags[row.id]]
        few = len(free) < len(carry) and len(rows) > 1
        names = _names(free if few else carry, rows)
        lines.append(f"{flag}: {'all' if few else ''}{' but ' if few and names else ''}{', '.join(names)}.")
    return lines


def _names(chosen: Sequence[Row], rows: Sequence[Row]) -> list[str]:
    """Names of rows; a method's alone stands for all its rows."""

    def name(row: Row) -> str:
        method = str(row.entries["method"].value if "method" in row.entries else row.algo)
        whole = all(other in chosen for other in rows if other.algo == row.algo)
        return method if whole else f"{method} x{row.scale}"

    return list(dict.fromkeys(map(name, chosen)))


def _wrapped(text: str, width: int | None) -> list[str]:
    return textwrap.wrap(text, width, break_long_words=False) if width else [text]


def _has_number(table: Table, row: Row, columns: Sequence[Column]) -> bool:
    """True where a measured column has a value, or where the table has no such column."""
    own = [column for column in columns if not column.text and column.key != "scale"]
    return not own or any(table.entry(row, column).value is not None for column in own)


def _numberless(table: Table) -> list[str]:
    """One line a reason: the methods, backbones and scales without a number."""
    columns = [column for column in table.columns if column.shown]
    reasons: dict[str, list[str]] = {}
    for row in table.rows:
        if not _has_number(table, row, columns):
            reason = str(row.entries["flags"].value or "") if "flags" in row.entries else ""
            reasons.setdefault(reason, []).append(f"{row.algo} {row.backbone} x{row.scale}")
    return [f"No number: {', '.join(names)}{': ' if reason else ''}{reason}" for reason, names in reasons.items()]


def markdown_text(table: Table) -> str:
    """A section of a Markdown page: heading, what is measured, table with best in bold and second underlined."""
    columns = [column for column in table.columns if column.shown]
    heads = [markdown(f"{column.group} {column.heading} {column.arrow}".strip()) for column in columns]
    lines = [
        f"## {markdown(table.title)}",
        "",
        *([markdown(table.about), ""] if table.about else []),
        f"| {' | '.join(heads)} |",
        f"|{'|'.join('---' if column.text else '--:' for column in columns)}|",
        *(f"| {' | '.join(_markdown_cell(table, row, column) for column in columns)} |" for row in table.rows),
    ]
    return "\n".join([*lines, *(["", *(markdown(note) for note in table.notes)] if table.notes else []), ""])


def _two_lines(column: Column) -> str:
    first, second = (column.group, column.heading) if column.group else (column.title, column.unit)
    return f"{first}\n{second} {column.arrow}".rstrip()


def _markdown_cell(table: Table, row: Row, column: Column) -> str:
    entry = table.entry(row, column)
    text = markdown(entry.text(column))
    return {"best": f"**{text}**", "second": f"<u>{text}</u>", "": text}[entry.mark]
