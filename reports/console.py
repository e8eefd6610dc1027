"""The same table on a terminal and in Markdown."""

from __future__ import annotations

from tabulate import SEPARATING_LINE, tabulate

from reports.table import Column, Row, Table
from reports.text import markdown

FLAG_WIDTH = 44
"""Characters after which reasons are wrapped on a terminal."""


def console_text(table: Table) -> str:
    """Plain text: title, table, notes. Headings take two lines, the group above the metric."""
    columns = [column for column in table.columns if column.shown]
    if not any(_has_words(table, row, column) for row in table.rows for column in columns if column.key == "flags"):
        columns = [column for column in columns if column.key != "flags"]
    lines: list[object] = []
    for place, row in enumerate(table.rows):
        if place and row.scale != table.rows[place - 1].scale:
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
    return "\n".join([table.title, "", text, *(["", *table.notes] if table.notes else [])])


def markdown_text(table: Table) -> str:
    """A section of a Markdown page: heading, what is measured, table with best in bold and second underlined."""
    columns = [column for column in table.columns if column.shown]
    heads = [markdown(f"{column.group} {column.heading}".strip()) for column in columns]
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
    return f"{column.group}\n{column.heading}" if column.group else f"{column.title}\n{column.unit}".rstrip("\n")


def _markdown_cell(table: Table, row: Row, column: Column) -> str:
    entry = table.entry(row, column)
    text = markdown(entry.text(column))
    return {"best": f"**{text}**", "second": f"<u>{text}</u>", "": text}[entry.mark]
