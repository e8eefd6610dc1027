"""LaTeX: a document of tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.table import Table

FILE = "tables.tex"


def text(tables: Sequence[Table]) -> str:
    from reports.latex import latex_document

    return latex_document(tables)
