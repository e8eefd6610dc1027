"""What the user chose for a run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Settings:
    """What the user chose for this run. A preset fills it, flags override it."""

    preset: str = "quick"
    task: str = "sr"
    """Key of what is restored (see `bench.contract.task`)."""
    seed: int = 0
    threads: int = 1
    device: str = "cpu"
    lr_size: tuple[int, int] = (320, 180)
    """Low-resolution input of the infer and comp tracks: (width, height) in pixels."""
    input: Path | None = None
    """The user's own picture for the infer track; None takes the built-in photograph."""
    repeats: int = 10
    """Timed repeats per network in the infer track."""
    datasets: tuple[str, ...] = ()
    """Test sets of the accuracy and robust tracks; empty takes the track's own default."""
    severities: tuple[int, ...] = ()
    """Corruption severities of the robust track, 1 to 5; empty takes the track's own default."""
    allow_untrained: bool = False
    """Score networks without trained weights too; their records carry the flag ``untrained``."""
    data_root: Path | None = None
    weights: Mapping[str, Path] = field(default_factory=dict)
    """The user's own weights files, by the networks they are for (see `bench.contract.own_weights`)."""
    extra: Mapping[str, Any] = field(default_factory=dict)
    """Track-specific options, keyed ``<track>.<option>``."""
