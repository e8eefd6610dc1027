"""Markdown: one table after another."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from reports.table import Table

FILE = "tables.md"


def text(tables: Sequence[Table]) -> str:
    from reports.console import markdown_text

    return "\n".join(map(markdown_text, tables))
