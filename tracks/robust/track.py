"""Robustness: what is lost when the low-resolution input is corrupted."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, UserError
from bench.pictures.corruptions import EXTRA, SEVERITIES, STANDARD, corrupt, select
from bench.pictures.protocol import SR_Y_V1
from bench.pictures.resize import resize
from bench.scoring.rule import ScoringRule
from tracks._quality.sets import MEMORY_MB, Options, Remarks, cells_of, inputs_of, set_names

Psnr = dict[tuple[str, int], list[float]]
"""(corruption, severity) -> dB of each picture"""


def key(corruption: str, severity: int) -> str:
    """Metric of one point of a curve; scoring reads it by this form."""
    return f"psnr_{corruption}_s{severity}"


class Robust:
    name = "robust"
    version = 1
    machine_bound = False
    title = "Robustness to corrupted inputs"
    about = (
        "The ImageNet-C corruptions, applied to the low-resolution input by imagecorruptions-imaug with a seed from "
        "the picture's pixels, the corruption and the severity, so every algorithm sees the same inputs. Reference: "
        "the clean ground truth. Gap G = clean PSNR - corrupted PSNR, in dB, of the means over pictures. A network "
        "that has learned little loses little: the floored gap counts at least "
        f"{ScoringRule().robust_min_gap_db:g} dB, and the relative gap divides it by the clean gain over bicubic, "
        f"where that exceeds {ScoringRule().robust_min_gain_db:g} dB. Pictures below 32 pixels are mirrored up to it "
        f"for the corruption and cut back (flag padded_inputs). {SR_Y_V1.describe()}"
    )
    options: ClassVar[dict[str, str]] = {
        "corruptions": "standard (15, default), all (19), or names, comma-separated",
        "memory_mb": "limit for the activations of one pass (default 4096); larger pictures are tiled exactly",
        "device": "auto (default), cpu, cuda or cuda:N",
    }
    metrics = (
        Metric("psnr_clean", "dB", "higher", "Clean", "PSNR on luma of the clean inputs"),
        Metric("psnr_corrupted", "dB", "higher", "Corrupted", "PSNR on luma, mean over corruptions and severities"),
        Metric("gap_db", "dB", "lower", "Gap", "Mean of G over corruptions and severities, as measured"),
        Metric("gap_floored_db", "dB", "lower", "Gap, floored", "The same, each G at least the rule's floor"),
        Metric("relative_gap", "", "lower", "Relative gap", "Floored gap over the clean gain above bicubic"),
        *(
            Metric(key(c, s), "dB", "higher", f"{c.replace('_', ' ')} {s}", f"PSNR on luma under {c}, severity {s}")
            for c in STANDARD + EXTRA
            for s in SEVERITIES
        ),
    )

    def extras(self, settings: Settings) -> tuple[str, ...]:
        return ("robust",)

    def cells(self, cards: list[Card], backbones: list[str], scales: list[int], settings: Settings) -> list[Cell]:
        self._grid(settings)
        self._options(settings).positive("memory_mb", MEMORY_MB)
        return cells_of(self.name, cards, backbones, scales, set_names(settings))

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        corruptions, severities = self._grid(settings)
        own = {"corruptions": list(corruptions), "severities": list(severities)}
        return inputs_of(cell.case, cell, settings) | own | {"device": self._options(settings).text("device", "auto")}

    def run(self, cell: Cell, context: Context) -> Outcome:
        from bench.pictures.metrics import Reference
        from bench.tasks.sr.datasets import open_set
        from tracks._quality.trained import trained_network
        from tracks._quality.upscale import Upscaler, exact_float32, pick_device

        settings = context.settings
        corruptions, severities = self._grid(settings)
        data = open_set(cell.case, cell.scale, settings.data_root)
        trained = trained_network(cell, context)
        options = self._options(settings)
        device = pick_device(options.text("device", "auto"))
        upscale = Upscaler(trained.network, cell.scale, device, options.positive("memory_mb", MEMORY_MB))
        remarks, clean, bicubic, padded = Remarks(data), [], [], 0
        curves: Psnr = {(c, s): [] for c in corruptions for s in severities}
        steps = len(data) * (len(curves) + 1)
        with exact_float32(settings.threads):
            for number, pair in enumerate(data):
                remarks.add(pair)
                reference = Reference(pair.hr, cell.scale)
                clean.append(reference.psnr(SR_Y_V1.quantize(upscale(pair.lr))))
                bicubic.append(reference.psnr(resize(pair.lr, cell.scale)))
                for step, (corruption, severity) in enumerate(curves, number * (len(curves) + 1)):
                    context.progress(f"{pair.name}, {corruption} {severity}", step / steps)
                    damaged = corrupt(pair.lr, corruption, severity, settings.seed)
                    padded += damaged.padded
                    curves[corruption, severity].append(reference.psnr(SR_Y_V1.quantize(upscale(damaged.image))))
        metrics, gaps = summarize(clean, bicubic, curves, ScoringRule())
        return Outcome(
            metrics=metrics,
            samples={"psnr_clean": clean} | {key(c, s): values for (c, s), values in curves.items()},
            flags=[*trained.flags, *remarks.flags, *(["padded_inputs"] if padded else [])],
            details=remarks.details
            | {"weights": trained.label, "gap_db": gaps, "psnr_bicubic": bicubic, "padded": padded,
               "severities": list(severities), "device": str(device)},
            weights_sha256=trained.sha256,
            dataset_sha256=remarks.sha256,
        )  # fmt: skip

    def _grid(self, settings: Settings) -> tuple[tuple[str, ...], tuple[int, ...]]:
        severities = tuple(sorted(set(settings.severities or SEVERITIES)))
        if not set(severities) <= set(SEVERITIES):
            raise UserError(f"severities {severities}: expected some of 1, 2, 3, 4, 5.")
        return select(self._options(settings).text("corruptions", "standard")), severities

    def _options(self, settings: Settings) -> Options:
        return Options(self.name, settings)


def summarize(
    clean: list[float], bicubic: list[float], curves: Psnr, rule: ScoringRule
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Metrics of a record, and G of each corruption by severity, from PSNR per picture in dB."""
    level = float(np.mean(clean))
    points = {place: float(np.mean(values)) for place, values in curves.items()}
    gaps: dict[str, list[float]] = {}
    for (corruption, _), value in points.items():
        gaps.setdefault(corruption, []).append(level - value)
    measured = [gap for each in gaps.values() for gap in each]
    floored = float(np.mean([max(gap, rule.robust_min_gap_db) for gap in measured]))
    gain = level - float(np.mean(bicubic))
    metrics = {
        "psnr_clean": level,
        "psnr_corrupted": float(np.mean(list(points.values()))),
        "gap_db": float(np.mean(measured)),
        "gap_floored_db": floored,
    }
    if gain > rule.robust_min_gain_db:
        metrics["relative_gap"] = floored / gain
    return metrics | {key(c, s): value for (c, s), value in points.items()}, gaps


TRACK = Robust()
