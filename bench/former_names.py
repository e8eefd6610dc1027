"""Modules under the names that they had before the rooms, for classes and scripts written until November 2026."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType

NAMES = {
    "bench.nouns": "bench.contract",
    "bench.discover": "bench.plan.discover",
    "bench.sr": "bench.pictures",
    "bench.sr.images": "bench.pictures.images",
    "bench.sr.datasets": "bench.tasks.sr.datasets",
}
"""Former name -> today's"""


class FormerNames(MetaPathFinder, Loader):
    """Gives the very module of today, so that its classes are the same under both names."""

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        return ModuleSpec(name, self) if name in NAMES else None

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        module = importlib.import_module(NAMES[spec.name])
        spec.loader_state = module.__spec__
        return module

    def exec_module(self, module: ModuleType) -> None:
        """It has run already; only its own spec is put back."""
        assert module.__spec__ is not None
        module.__spec__ = module.__spec__.loader_state


def install() -> None:
    """Have former names found, before a folder of today is searched for them."""
    if not any(isinstance(finder, FormerNames) for finder in sys.meta_path):
        sys.meta_path.insert(0, FormerNames())
