"""OM robust: what a network still gains over bicubic on damaged inputs; and BiBench's form, ratios of losses."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from bench.contract.damage_sets import IMAGENET_C, MILD, damages_of
from bench.scoring.evidence import Measured, Square, TrackEvidence
from bench.scoring.means import mean, quadratic_mean, sample_sd
from bench.scoring.parts import Missing, Part, place
from bench.scoring.rule import ScoringRule

CLEAN = "psnr_clean"
"""Metric of a robust record: PSNR-Y in dB without corruption."""
CORRUPTED = re.compile(r"psnr_(?P<corruption>.+)_s(?P<severity>[1-5])")
"""Metrics of a robust record: PSNR-Y in dB under a corruption of the LR image at a severity."""


@dataclass(frozen=True)
class Curve:
    """One network on one data set: clean PSNR and PSNR under each corruption and severity, all in dB."""

    clean: float
    corrupted: Mapping[str, Mapping[int, float]]


def curve(measured: Measured, seed: int | None = None) -> Curve | None:
    """The curve in a robust record's metrics (mean over seeds, or of one); None without the clean value."""
    clean = measured.value(CLEAN, seed)
    corrupted: dict[str, dict[int, float]] = {}
    for key in sorted(measured.keys()):
        found, value = CORRUPTED.fullmatch(key), measured.value(key, seed)
        if found and value is not None:
            corrupted.setdefault(found["corruption"], {})[int(found["severity"])] = value
    return None if clean is None else Curve(clean, corrupted)


Ratio = Callable[[Curve, Curve, Curve, str, int, ScoringRule], float]
"""One point's ratio, from the curves of the method, full precision and the baseline."""


def robust_parts(evidence: TrackEvidence, algo: str, rule: ScoringRule) -> dict[str, Part]:
    """OM robust over ``mild-v1``, and over ImageNet-C BiBench's ratio of losses: relative and capped, and as it is."""
    return {
        "robust": _part(evidence, algo, rule, MILD, kept_gain, clip=True),
        "robust_imagenet": _part(evidence, algo, rule, IMAGENET_C, robust_ratio),
        "robust_uncapped": _part(evidence, algo, rule, IMAGENET_C, uncapped_ratio),
    }


def kept_gain(curve: Curve, full: Curve, base: Curve, damage: str, level: int, rule: ScoringRule) -> float:
    """Gain over the baseline on the same damaged pictures, over full precision's clean gain; within [-1, 1].

    It grows with every point's PSNR and falls with none, so that no network wins by being worse on clean pictures. One
    whose own clean gain is at most the rule's has nothing to lose and counts as 0 at every point.

    Raises:
        ValueError: full precision itself has no gain, or the baseline was not damaged alike.
    """
    full_gain = _gain(full, base, rule)
    if damage not in base.corrupted or level not in base.corrupted[damage]:
        raise ValueError(f"{rule.baseline}: no {damage} at level {level}")
    if curve.clean - base.clean <= rule.robust_min_gain_db:
        return 0.0
    share = (curve.corrupted[damage][level] - base.corrupted[damage][level]) / full_gain
    return min(1.0, max(-1.0, share))


def robust_ratio(curve: Curve, full: Curve, base: Curve, damage: str, level: int, rule: ScoringRule) -> float:
    """Relative loss of full precision over that of the method, at most 1.

    Loss G = clean - damaged, at least the rule's floor, over the clean gain above bicubic. Without the second step a
    collapsed network, which has little left to lose, would come out as the most robust of all.

    Raises:
        ValueError: full precision itself has no gain to compare with.
    """
    full_gain, gain = _gain(full, base, rule), curve.clean - base.clean
    if gain <= rule.robust_min_gain_db:
        return 0.0
    own = _gap(curve, damage, level, rule) / gain
    return min(1.0, _gap(full, damage, level, rule) / full_gain / own)


def uncapped_ratio(curve: Curve, full: Curve, base: Curve, damage: str, level: int, rule: ScoringRule) -> float:
    """G of full precision over G of the method, as BiBench defines it, with the floor only."""
    return _gap(full, damage, level, rule) / _gap(curve, damage, level, rule)


def _part(
    evidence: TrackEvidence, algo: str, rule: ScoringRule, damages: str, ratio: Ratio, clip: bool = False
) -> Part:
    """Mean over levels, networks, scales and data sets, quadratic mean over damages; of each seed too."""
    grid = evidence.grid((rule.full_precision, rule.baseline), lambda square: damages_of(square[2]) == damages)
    seeds = evidence.seeds(algo, grid)
    try:
        value = _joined(evidence, algo, rule, grid, ratio, None, clip)
        each = {seed: _joined(evidence, algo, rule, grid, ratio, seed, clip) for seed in seeds}
    except Missing as missing:
        return Part(reason=str(missing))
    return Part(value, sd=sample_sd(list(each.values())), by_seed=each, entries=len(grid))


def _joined(
    evidence: TrackEvidence, algo: str, rule: ScoringRule, grid: list[Square], ratio: Ratio, seed: int | None,
    clip: bool,
) -> float:  # fmt: skip
    if not grid:
        raise Missing("not measured")
    found: dict[str, list[float]] = {}
    for square in grid:
        own = _curve(evidence, algo, square, seed)
        full, base = (_curve(evidence, name, square) for name in (rule.full_precision, rule.baseline))
        for damage, levels in full.corrupted.items():
            for level in levels:
                if level not in own.corrupted.get(damage, {}):
                    raise Missing(f"{place(square)}: no {damage} at level {level}")
                try:
                    found.setdefault(damage, []).append(ratio(own, full, base, damage, level, rule))
                except ValueError as error:
                    raise Missing(f"{place(square)}: {error}") from error
    means = [mean(values) for values in found.values()]
    return quadratic_mean(max(0.0, value) if clip else value for value in means)


def _curve(evidence: TrackEvidence, algo: str, square: Square, seed: int | None = None) -> Curve:
    measured = evidence.at(algo, square)
    found = curve(measured, seed) if measured else None
    if found is None:
        raise Missing(f"{algo}: {evidence.why_missing(algo, square)}")
    return found


def _gain(full: Curve, base: Curve, rule: ScoringRule) -> float:
    """Full precision's clean gain over the baseline, in dB. Raises ValueError where it is too small to divide by."""
    gain = full.clean - base.clean
    if gain <= rule.robust_min_gain_db:
        raise ValueError(f"full precision gains at most {rule.robust_min_gain_db:g} dB over {rule.baseline}")
    return gain


def _gap(curve: Curve, damage: str, level: int, rule: ScoringRule) -> float:
    return max(curve.clean - curve.corrupted[damage][level], rule.robust_min_gap_db)
