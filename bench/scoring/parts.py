"""The six overall metrics for one algorithm, each with the reason when it cannot be computed."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

from bench.contract.backbones import BACKBONES
from bench.scoring.evidence import BICUBIC, Measured, Square, TrackEvidence
from bench.scoring.means import gain_share, mean, quadratic_mean, sample_sd
from bench.scoring.rule import ScoringRule

Ratio = Callable[[Square, int | None], float]
"""The ratio against full precision on a square, of one seed or of the mean over seeds. Raises `Missing`."""


@dataclass(frozen=True)
class Part:
    """One score, or why there is none."""

    value: float | None = None
    reason: str = ""
    sd: float | None = None
    """Sample standard deviation over seeds; None with fewer than two common seeds."""
    by_seed: Mapping[int, float] = field(default_factory=dict)
    """Seed -> the same score of its network alone; empty for what does not depend on the training's seed."""
    entries: int = 0
    """Squares of the grid that went in."""

    @property
    def seeds(self) -> int:
        """How many seeds are on every square."""
        return len(self.by_seed)


class Missing(Exception):
    """Why a score does not exist."""


def quality_parts(evidence: TrackEvidence, algo: str, rule: ScoringRule) -> dict[str, Part]:
    """OM task and OM arch: by gain over bicubic (headline), by plain PSNR as in BiBench, and task by SSIM gain."""
    grid = evidence.grid((rule.full_precision, rule.baseline))
    gain = _share(evidence, algo, rule, "psnr_y", rule.min_gain_db)
    ssim = _share(evidence, algo, rule, "ssim_y", rule.min_gain_ssim)
    plain = _plain(evidence, algo, rule)
    return {
        "task": _over_seeds(evidence, algo, grid, gain, _by_task),
        "task_psnr": _over_seeds(evidence, algo, grid, plain, _by_task),
        "task_ssim": _over_seeds(evidence, algo, grid, ssim, _by_task),
        "arch": _arch(evidence, algo, grid, gain, rule),
        "arch_psnr": _arch(evidence, algo, grid, plain, rule),
    }


def ratio_part(
    evidence: TrackEvidence, algo: str, rule: ScoringRule, ratios: Iterable[Callable[[Measured], float]]
) -> Part:
    """Quadratic mean of the means over all squares of several ratios (OM comp, OM train, OM infer)."""
    grid = evidence.grid((rule.full_precision, rule.baseline))
    try:
        _need(grid)
        means = [mean(ratio(_at(evidence, algo, square)) for square in grid) for ratio in ratios]
    except Missing as missing:
        return Part(reason=str(missing))
    return Part(quadratic_mean(means), entries=len(grid))


def metric(key: str, title: str) -> Callable[[Measured], float]:
    """A ratio that the track itself has taken against full precision in the same run."""

    def read(measured: Measured) -> float:
        return _value(measured, key, title)

    return read


def quotient(over: str, under: str, title: str, floor: float = 0.0) -> Callable[[Measured], float]:
    """metric ``over`` divided by metric ``under``, both at least ``floor``."""

    def read(measured: Measured) -> float:
        low = max(_value(measured, under, title), floor)
        if low <= 0:
            raise Missing(f"{title}: {under} is not above 0")
        return max(_value(measured, over, title), floor) / low

    return read


def sensitivity(rule: ScoringRule) -> Callable[[Measured], float]:
    """Full precision's spread over hyper-parameters over the method's; 0 where its runs stay at bicubic on average.

    A network that learns nothing ends in the same place whatever the hyper-parameters.
    """
    title = "spread over hyper-parameters"
    spread = quotient("fp32_hyper_sd_db", "hyper_sd_db", title, rule.train_min_sd_db)

    def read(measured: Measured) -> float:
        learnt = _value(measured, "hyper_mean_db", title) > _value(measured, BICUBIC, title)
        return spread(measured) if learnt else 0.0

    return read


def _share(evidence: TrackEvidence, algo: str, rule: ScoringRule, key: str, min_gain: float) -> Ratio:
    def ratio(square: Square, seed: int | None) -> float:
        value = _value(_at(evidence, algo, square), key, place(square), seed)
        full = _value(_at(evidence, rule.full_precision, square), key, place(square))
        base = _value(_at(evidence, rule.baseline, square), key, place(square))
        share = gain_share(value, full, base, min_gain)
        if share is None:
            raise Missing(f"{place(square)}: full precision gains less than {min_gain:g} over {rule.baseline}")
        return share

    return ratio


def _plain(evidence: TrackEvidence, algo: str, rule: ScoringRule) -> Ratio:
    def ratio(square: Square, seed: int | None) -> float:
        value = _value(_at(evidence, algo, square), "psnr_y", place(square), seed)
        return value / _value(_at(evidence, rule.full_precision, square), "psnr_y", place(square))

    return ratio


def _over_seeds(
    evidence: TrackEvidence,
    algo: str,
    grid: list[Square],
    ratio: Ratio,
    join: Callable[[Mapping[Square, float]], float],
) -> Part:
    try:
        _need(grid)
        value = join({square: ratio(square, None) for square in grid})
        seeds = evidence.seeds(algo, grid)
        each = {seed: join({square: ratio(square, seed) for square in grid}) for seed in seeds}
    except Missing as missing:
        return Part(reason=str(missing))
    return Part(value, sd=sample_sd(list(each.values())), by_seed=each, entries=len(grid))


def _by_task(ratios: Mapping[Square, float]) -> float:
    """Tasks are (scale, data set); E is over backbones."""
    return quadratic_mean(_group_means(ratios, lambda square: square[1:]).values())


def _arch(evidence: TrackEvidence, algo: str, grid: list[Square], ratio: Ratio, rule: ScoringRule) -> Part:
    unknown = sorted({square[0] for square in grid} - set(BACKBONES))
    if unknown:
        return Part(reason=f"no kind of architecture known for {', '.join(unknown)}")
    kinds = {BACKBONES[square[0]].family for square in grid}
    if grid and len(kinds) < rule.min_architectures:
        return Part(reason=f"only one kind of architecture was measured ({', '.join(sorted(kinds))})")

    def join(ratios: Mapping[Square, float]) -> float:
        return quadratic_mean(_group_means(ratios, lambda square: BACKBONES[square[0]].family).values())

    return _over_seeds(evidence, algo, grid, ratio, join)


def _group_means(ratios: Mapping[Square, float], group: Callable[[Square], object]) -> dict[object, float]:
    members: dict[object, list[float]] = {}
    for square, ratio in ratios.items():
        members.setdefault(group(square), []).append(ratio)
    return {key: mean(values) for key, values in members.items()}


def _need(grid: list[Square]) -> None:
    if not grid:
        raise Missing("not measured")


def _at(evidence: TrackEvidence, algo: str, square: Square) -> Measured:
    measured = evidence.at(algo, square)
    if measured is None:
        raise Missing(f"{algo}: {evidence.why_missing(algo, square)}")
    return measured


def place(square: Square) -> str:
    """A square in words."""
    return f"{square[0]} {square[1]} {square[2]}"


def _value(measured: Measured, key: str, place: str, seed: int | None = None) -> float:
    value = measured.value(key, seed)
    if value is None:
        raise Missing(f"{place}: no {key}")
    return value
