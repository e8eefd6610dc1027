"""Formats of a single file that is made of tables alone. A module here is the registration: ``FILE``, the name of the
file it makes, and ``text(tables)``, its content. Nothing heavy may be imported on top level."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from reports.table import Table


class Format(Protocol):
    FILE: str

    def text(self, tables: Sequence[Table]) -> str: ...


def formats() -> dict[str, Format]:
    """The formats by name."""
    names = sorted(info.name for info in pkgutil.iter_modules(__path__))
    return {name: importlib.import_module(f"{__name__}.{name}") for name in names}  # pyright: ignore
