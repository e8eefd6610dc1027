"""The sets of damages that the robust track knows: what each does to a picture, and what enters a fingerprint."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from bench.contract import Settings, UserError
from bench.contract.damage_sets import IMAGENET_C, MILD, OTHER, PARTIAL
from bench.contract.options import Options
from bench.pictures import mild
from bench.pictures.corruptions import SEVERITIES, Corrupted, corrupt, select
from bench.tasks.sr.datasets import Pair

SMOKE_LEVEL = 3
"""The one level of ``mild-v1`` that the preset smoke measures."""


@dataclass(frozen=True)
class Damages:
    """One set of damages, as chosen for a run."""

    name: str
    points: tuple[tuple[str, int], ...]
    """(damage, level)"""
    apply: Callable[[Pair, str, int], Corrupted]
    inputs: dict[str, Any]
    """What the choice adds to a cell's fingerprint."""
    details: dict[str, Any]
    flags: Callable[[], list[str]] = list


def chosen(options: Options) -> tuple[str, ...]:
    """Names of the sets to be measured."""
    wanted = options["set"]
    if wanted == MILD and (corruptions := options["corruptions"]) is not None:
        raise UserError(
            f"--set robust.corruptions={corruptions} chooses among ImageNet-C's corruptions, and {MILD} alone is "
            f"measured. Add --set robust.set={IMAGENET_C} (or all), or leave it out."
        )
    return (MILD, IMAGENET_C) if wanted == "all" else (wanted,)


def damages(name: str, settings: Settings, options: Options) -> Damages:
    """The set of that name under the settings. Raises `UserError` for unknown corruptions or severities."""
    return _mild(settings) if name == MILD else _imagenet_c(settings, options)


def _mild(settings: Settings) -> Damages:
    smoke = settings.preset == "smoke"
    levels = {
        one.key: [SMOKE_LEVEL] if smoke else list(range(1, len(one.levels) + 1)) for one in mild.DAMAGES
    }  # fmt: skip
    values = {one.key: [one.levels[level - 1] for level in levels[one.key]] for one in mild.DAMAGES}
    return Damages(
        name=MILD,
        points=tuple((kind, level) for kind, each in levels.items() for level in each),
        apply=lambda pair, kind, level: Corrupted(mild.damage(pair.given, pair.truth, kind, level), padded=False),
        inputs={"damages": mild.definition_sha256(), "levels": levels},
        details={"damages": MILD, "damages_sha256": mild.definition_sha256(), "levels": levels, "values": values,
                 "titles": {one.key: [one.title, one.unit] for one in mild.DAMAGES}},
        flags=lambda: [*([PARTIAL] if smoke else []), *([] if mild.intact() else [OTHER])],
    )  # fmt: skip


def _imagenet_c(settings: Settings, options: Options) -> Damages:
    severities = tuple(sorted(set(settings.severities or SEVERITIES)))
    if not set(severities) <= set(SEVERITIES):
        raise UserError(f"severities {severities}: expected some of 1, 2, 3, 4, 5.")
    corruptions = select("standard" if options["corruptions"] is None else options["corruptions"])
    return Damages(
        name=IMAGENET_C,
        points=tuple((corruption, severity) for corruption in corruptions for severity in severities),
        apply=lambda pair, corruption, severity: corrupt(pair.given, corruption, severity, settings.seed),
        inputs={"corruptions": list(corruptions), "severities": list(severities)},
        details={"damages": IMAGENET_C, "severities": list(severities)},
    )
