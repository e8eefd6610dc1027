"""Every choice a score depends on, in one frozen object that is printed on the page beside the score."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Literal

from bench.contract.damage_sets import MILD, OTHER, PARTIAL

Scale = Literal["share", "ratio"]


@dataclass(frozen=True)
class PartRule:
    """One overall metric: what it is called and how it enters the overall score."""

    key: str
    title: str
    track: str
    """The track whose records it needs."""
    scale: Scale
    """``share``: 1 is full-precision quality. ``ratio``: how many times better than full precision, 1 is equal."""
    help: str


PARTS: tuple[PartRule, ...] = (
    PartRule(
        "task", "OM task", "accuracy", "share",
        "Share of full precision's PSNR gain over bicubic that is kept: mean over backbones, quadratic mean over "
        "scales and data sets. 1 equals full precision, 0 equals bicubic or worse.",
    ),
    PartRule(
        "arch", "OM arch", "accuracy", "share",
        "The same share, mean within each kind of architecture (CNN, transformer), quadratic mean over the kinds.",
    ),
    PartRule(
        "robust", "OM robust", "robust", "share",
        "Gain over bicubic on the same mildly damaged pictures (mild-v1) as a share of full precision's gain on clean "
        "ones: mean over levels, quadratic mean over damages. Full precision's own value is below 1.",
    ),
    PartRule(
        "comp", "OM comp", "comp", "ratio",
        "Quadratic mean of the compute and the storage compression against full precision, strict convention.",
    ),
    PartRule(
        "train", "OM train", "train", "ratio",
        "Quadratic mean of full precision's training time and its sensitivity to hyper-parameters, each over the "
        "method's. A method whose runs stay at bicubic on average is not insensitive: it has learnt nothing, and its "
        "second ratio is 0.",
    ),
    PartRule(
        "infer", "OM speed & size", "infer", "ratio",
        "Not a speed-up: quadratic mean of the speed-up measured beside full precision in one run and of the reduction "
        "in file size. Counts nothing for a network that keeps less than half of full precision's gain.",
    ),
)  # fmt: skip
"""The six overall metrics of BiBench (Qin et al., ICML 2023, section 3), mapped to super-resolution."""


@dataclass(frozen=True)
class ChallengeRule:
    """The score of the NTIRE 2025 efficient super-resolution challenge (Ren et al., CVPR Workshops 2025).

    ``sum over m of weight_m * exp(sharpness * m / m_baseline)`` over run time, operations and parameters; lower is
    better; the baseline itself gets exp(2) = 7.389. Methods below a PSNR threshold are not ranked.
    """

    weight_runtime: float = 0.7
    weight_ops: float = 0.15
    weight_params: float = 0.15
    sharpness: float = 2.0
    gate_db: float = 1.0
    """Ranked only when the mean PSNR is at most this far below the full-precision baseline.

    The challenge allows 0.03 dB below its own baseline, which no published 1-bit network reaches.
    """


@dataclass(frozen=True)
class ScoringRule:
    """Version 6. A change to any value or formula is a new version."""

    version: str = "om-sr-6"
    full_precision: str = "fp32"
    """Key of the algorithm that stands for full precision in every ratio."""
    baseline: str = "bicubic"
    """Key of the algorithm whose PSNR is the zero of the gain."""
    min_gain_db: float = 0.1
    """Full precision must beat bicubic by this much, else the share is undefined and stays missing."""
    min_gain_ssim: float = 0.001
    robust_min_gap_db: float = 0.05
    """Floor of a loss under corruption, so that no ratio explodes."""
    robust_min_gain_db: float = 0.5
    """A network whose clean gain over bicubic is not above this has nothing to lose: its robustness counts as 0."""
    required: tuple[str, ...] = ("task", "comp", "infer")
    """Parts without which nobody has an overall score, whatever they weigh and whoever was measured on them."""
    speed_gate: float = 0.5
    """Share of full precision's gain (OM task) below which speed and size count nothing."""
    seeds_level: float = 0.05
    """Two methods are parted by seeds where a difference so large has at most this chance under seeds alone."""
    train_min_sd_db: float = 0.01
    """Floor of the spread over hyper-parameters."""
    min_architectures: int = 2
    """OM arch needs at least this many kinds of architecture (BiBench has three; image SR has no MLP)."""
    unscored_flags: Mapping[str, tuple[str, ...]] = field(
        default_factory=lambda: {
            "accuracy": ("untrained",),
            "robust": ("untrained", PARTIAL, OTHER),
            "train": ("short_sweep",),
        }
    )
    """Track -> flags that bar its records: shown, but not scored. Latency does not depend on what was learnt."""
    weights: Mapping[str, float] = field(
        default_factory=lambda: {"task": 1.0, "arch": 1.0, "robust": 1.0, "comp": 1.0, "train": 1.0, "infer": 1.0}
    )
    """Part -> weight in the overall score. A part that nobody was measured on carries none."""
    weight_presets: Mapping[str, Mapping[str, float]] = field(
        default_factory=lambda: {
            "equal": {"task": 1.0, "arch": 1.0, "robust": 1.0, "comp": 1.0, "train": 1.0, "infer": 1.0},
            "quality": {"task": 4.0, "arch": 2.0, "robust": 2.0, "comp": 1.0, "train": 0.0, "infer": 1.0},
            "deployment": {"task": 2.0, "arch": 0.0, "robust": 1.0, "comp": 2.0, "train": 0.0, "infer": 5.0},
        }
    )
    challenge: ChallengeRule = field(default_factory=ChallengeRule)
    weight_draws: int = 2000
    """Random weightings for the rank intervals: uniform over all weightings (flat Dirichlet)."""
    draw_seed: int = 0

    def __post_init__(self) -> None:
        known = {part.key for part in PARTS}
        for name, weights in {"weights": self.weights, **self.weight_presets}.items():
            if set(weights) != known or any(weight < 0 for weight in weights.values()):
                raise ValueError(f"{name}: got {weights}, expected a weight >= 0 for each of {', '.join(known)}")
        object.__setattr__(self, "weights", MappingProxyType(dict(self.weights)))
        presets = {name: MappingProxyType(dict(weights)) for name, weights in self.weight_presets.items()}
        object.__setattr__(self, "weight_presets", MappingProxyType(presets))

    @staticmethod
    def _titles(keys: Iterable[str]) -> list[str]:
        return [part.title for key in keys for part in PARTS if part.key == key]

    def sentences(self) -> list[str]:
        """The rule in words, for the page."""
        c = self.challenge
        return [
            f"Scoring rule {self.version}: the overall metrics of BiBench (Qin et al., ICML 2023), each a quadratic "
            "mean of mean ratios against full precision.",
            "Quality is the share of full precision's gain over bicubic, clipped to [0, 1] before squaring; undefined "
            f"where full precision gains less than {self.min_gain_db:g} dB. The plain PSNR ratio of BiBench is given "
            "beside it.",
            f"Robustness is what a network still gains over bicubic on the same damaged pictures ({MILD}), over full "
            "precision's gain on clean ones: each level within [-1, 1], mean over levels, at least 0, quadratic mean "
            "over damages. It falls with no PSNR, so that nobody wins by having less to lose; who gains at most "
            f"{self.robust_min_gain_db:g} dB over bicubic on clean pictures has nothing to lose and gets 0. Beside it, "
            "not scored: losses under ImageNet-C relative to the clean gain, full precision's over the method's, each "
            f"at least {self.robust_min_gap_db:g} dB and each ratio at most 1; and the plain ratio of losses.",
            "Overall: weighted mean of the parts, times 100. Shares enter as they are. A ratio r enters as the share "
            "of cost saved: 1 - 1/r, or r - 1 when the method costs more than full precision.",
            "One artefact: of a network's records only those made with its latest weights count, so accuracy, "
            "robustness and latency are those of the same trained network.",
            "Equal training: accuracy and robustness count only where a method's budget (iterations x batch x patch "
            "side) is that of full precision on the same backbone and scale.",
            f"Evidence: without {', '.join(self._titles(self.required))}, the first on trained weights, there is no "
            "overall score. What is missing stays missing: a method that lacks a part which others have gets none "
            "either. A part that nobody was measured on carries no weight.",
            f"Accuracy before speed: {self._titles(['infer'])[0]} counts nothing for a network that keeps less than "
            f"{self.speed_gate:.0%} of full precision's gain.",
            "Seeds: two methods are told apart where their overall scores differ by more than seeds explain (t test on "
            f"the deviation between seeds, pooled over all methods, {self.seeds_level:.0%} a pair).",
            f"Challenge score, as in the NTIRE 2025 efficient super-resolution challenge (Ren et al., CVPRW 2025): "
            f"{c.weight_runtime:g} exp({c.sharpness:g} time/time_fp) + {c.weight_ops:g} exp({c.sharpness:g} "
            f"ops/ops_fp) + {c.weight_params:g} exp({c.sharpness:g} params/params_fp). Lower is better; full "
            f"precision itself gets 7.39. Ranked only when the mean PSNR is at most {c.gate_db:g} dB below full "
            "precision (the challenge: 0.03 dB below its baseline).",
        ]
