"""The same table on a terminal and in Markdown."""

from __future__ import annotations

from collections.abc import Sequence

from tabulate import SEPARATING_LINE, tabulate

from reports.table import Column, Row, Table
from reports.text import markdown

FLAG_WIDTH = 44
"""Characters after which reasons are wrapped on a terminal."""


def console_text(table: Table) -> str:
    """Plain text: title, table, notes. Headings take two lines, the group above the metric.

    Rows without a single number stand below the table, by reason.
    """
    columns = [column for column in table.columns if column.shown]
    rows = [row for row in table.rows if _has_number(table, row, columns)]
    if not any(_has_words(table, row, column) for row in rows for column in columns if column.key == "flags"):
        columns = [column for column in columns if column.key != "flags"]
    lines: list[object] = []
    for place, row in enumerate(rows):
        if place and row.scale != rows[place - 1].scale:
            lines.append(SEPARATING_LINE)
        lines.append([table.entry(row, column).text(column) for column in columns])
    text = tabulate(
        lines,
        headers=[_two_lines(column) for column in columns],
        tablefmt="simple",
        disable_numparse=True,
        colalign=["left" if column.text else "right" for column in columns],
        maxcolwidths=[FLAG_WIDTH if column.key == "flags" else None for column in columns],
    )
    notes = [*_numberless(table), *table.notes]
    return "\n".join([table.title, "", text, *(["", *notes] if notes else [])])


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


def _has_words(table: Table, row: Row, column: Column) -> bool:
    return bool(table.entry(row, column).value)


def _two_lines(column: Column) -> str:
    first, second = (column.group, column.heading) if column.group else (column.title, column.unit)
    return f"{first}\n{second} {column.arrow}".rstrip()


def _markdown_cell(table: Table, row: Row, column: Column) -> str:
    entry = table.entry(row, column)
    text = markdown(entry.text(column))
    return {"best": f"**{text}**", "second": f"<u>{text}</u>", "": text}[entry.mark]
