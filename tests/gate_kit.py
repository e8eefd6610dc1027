"""Running the twins through tracks."""

from __future__ import annotations

from pathlib import Path

from bench.contract import Context, Outcome, Settings
from bench.plan.discover import discover

TWINS = Path(__file__).parent / "twins"
SMALL = Settings(lr_size=(24, 16), repeats=7, allow_untrained=True)


def run_twin(track: str, name: str, settings: Settings = SMALL, file: str = "networks.py") -> Outcome:
    """One cell of a track, with a class of a file of twins on SRResNet at x2."""
    registry, key = discover().with_class(f"{TWINS / file}:{name}")
    chosen = registry.tracks[track]
    (cell,) = chosen.cells([registry.cards[key]], ["srresnet"], ["x2"], settings)
    return chosen.run(cell, Context(settings, registry.loader, registry.cards))
