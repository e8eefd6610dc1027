"""The same table as LaTeX: booktabs through pandas Styler, one group of rows a scale, two macros for the marks."""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from reports.table import Column, Entry, Table
from reports.text import PREAMBLE, latex


def latex_document(tables: Sequence[Table]) -> str:
    """A document that pdflatex compiles as it is, one table a page."""
    return PREAMBLE + "\n".join(latex_float(table) for table in tables) + "\\end{document}\n"


def latex_float(table: Table) -> str:
    """The table with caption, scaled down where it is wider than the page."""
    words = "\n".join(f"{latex(text)}\\par" for text in (*table.notes, table.about) if text)
    return (
        f"\\begin{{table}}[p]\n\\centering\n\\caption{{{latex(table.title)}}}\n"
        f"\\resizebox{{\\ifdim\\width>\\linewidth\\linewidth\\else\\width\\fi}}{{!}}{{%\n{tabular(table)}}}\n"
        f"\\par\\medskip\n\\begin{{minipage}}{{\\linewidth}}\\scriptsize\n{words}\n\\end{{minipage}}\n"
        "\\end{table}\n\\clearpage\n"
    )


def tabular(table: Table) -> str:
    """The ``tabular`` environment alone. Needs booktabs and the four macros of the preamble."""
    columns = printed(table)
    body = [[cell(table.entry(row, column), column) for column in columns] for row in table.rows]
    frame = pd.DataFrame(body, columns=_headings(columns))
    text = frame.style.hide(axis="index").to_latex(
        hrules=True,
        column_format="".join("l" if column.text else "r" for column in columns),
        multicol_align="c",
    )
    lines = text.splitlines()
    if rules := _group_rules(columns):
        lines.insert(lines.index("\\toprule") + 2, rules)
    start = lines.index("\\midrule") + 1
    lines[start:] = _with_groups(lines[start:], [row.scale for row in table.rows], len(columns))
    return "\n".join(lines) + "\n"


def printed(table: Table) -> list[Column]:
    """The columns that a paper's table has: those shown at first that are not empty.

    The scale is left out too: it heads the groups.
    """

    def filled(column: Column) -> bool:
        return any(table.entry(row, column).value not in (None, "") for row in table.rows)

    return [column for column in table.columns if column.shown and column.key != "scale" and filled(column)]


def cell(entry: Entry, column: Column) -> str:
    """One entry: escaped, marked, the change as a small arrow behind it."""
    plain = Entry(entry.value, spread=entry.spread).text(column)
    text = latex(plain)
    if entry.mark:
        text = f"\\{entry.mark}{{{text}}}"
    if entry.change is not None:
        macro = "down" if entry.change <= 0 else "up"
        text += f" \\{macro}{{{abs(entry.change):.1f}}}"
    return text


def _headings(columns: Sequence[Column]) -> pd.Index:
    heads = [latex(column.heading) for column in columns]
    if not any(column.group for column in columns):
        return pd.Index(heads)
    return pd.MultiIndex.from_tuples([(latex(column.group), head) for column, head in zip(columns, heads, strict=True)])


def _group_rules(columns: Sequence[Column]) -> str:
    """A short rule under each heading that spans several columns."""
    rules, first = [], 0
    for place, column in enumerate(columns):
        if column.group != columns[first].group:
            first = place
        ends = place + 1 == len(columns) or columns[place + 1].group != column.group
        if column.group and ends:
            rules.append(f"\\cmidrule(lr){{{first + 1}-{place + 1}}}")
    return " ".join(rules)


def _with_groups(lines: list[str], scales: Sequence[int], width: int) -> list[str]:
    """Body lines with a heading before each scale (not for scale 0: none); ``lines`` begin with one line a row."""
    grouped = []
    for place, scale in enumerate(scales):
        if scale and (place == 0 or scale != scales[place - 1]):
            rule = ["\\midrule"] if place else []
            grouped += [*rule, f"\\multicolumn{{{width}}}{{l}}{{$\\times${scale}}} \\\\"]
        grouped.append(lines[place])
    return grouped + lines[len(scales) :]
