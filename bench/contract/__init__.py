"""The nouns that every room speaks, from one place. Standard library only, so that importing a card costs nothing."""

from bench.contract.card import KEY_PATTERN, Card
from bench.contract.cell import Cell, combinations
from bench.contract.errors import Unsupported, UserError, unknown
from bench.contract.metric import Better, Metric, Outcome
from bench.contract.settings import Settings
from bench.contract.task import Level, Task, factor_of
from bench.contract.track import Context, Track

__all__ = [
    "KEY_PATTERN",
    "Better",
    "Card",
    "Cell",
    "Context",
    "Level",
    "Metric",
    "Outcome",
    "Settings",
    "Task",
    "Track",
    "Unsupported",
    "UserError",
    "combinations",
    "factor_of",
    "unknown",
]
