"""Robustness: what is left of the gain over bicubic when the low-resolution input is damaged."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar

import numpy as np

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, Unsupported
from bench.contract.damage_sets import IMAGENET_C, MILD, PARTIAL, case_of, damages_of, dataset_of
from bench.contract.options import Option, Options, one_of
from bench.pictures import mild
from bench.pictures.corruptions import EXTRA, SEVERITIES, STANDARD
from bench.pictures.protocol import SR_Y_V1
from bench.scoring.rule import ScoringRule
from bench.tasks import load_task
from tracks._quality.sets import DEVICE, MEMORY, Remarks, cells_of, data_words, inputs_of, set_names
from tracks.robust.damages import Damages, chosen, damages

Psnr = dict[tuple[str, int], list[float]]
"""(damage, level) -> dB of each picture"""


def key(damage: str, level: int) -> str:
    """Metric of one point of a curve; scoring reads it by this form."""
    return f"psnr_{damage}_s{level}"


def _mild_metrics() -> Iterator[Metric]:
    for one in mild.DAMAGES:
        for level, value in enumerate(one.levels, start=1):
            words = f"PSNR on luma; {one.title.lower()}, {one.unit}: {value}"
            yield Metric(key(one.key, level), "dB", "higher", f"{one.title} {value}", words)


class Robust:
    name = "robust"
    version = 1
    machine_bound = False
    title = "Robustness to damaged inputs"
    about = (
        f"The low-resolution input is damaged, the same for every method. {MILD} (scored; 25 inputs a picture): "
        "noise, JPEG, blur, a slightly wrong downsampling kernel, gamma, 8-bit YCbCr and back; in 3 to 5 mild levels, "
        "noise seeded by the picture's pixels. ImageNet-C (beside it): the corruptions of imagecorruptions-imaug, "
        "seeded by picture, corruption and severity. Reference: the clean ground truth. Gain: "
        "PSNR minus bicubic's on the same damaged picture. Gap G = clean PSNR - damaged PSNR, of the means over "
        "pictures. A network that has learned little loses little: one that gains at most "
        f"{ScoringRule().robust_min_gain_db:g} dB over bicubic on clean pictures has neither a mean gain under damage "
        "nor a relative gap. Pictures below 32 pixels are mirrored up to it for ImageNet-C and cut back (flag "
        f"padded_inputs). {SR_Y_V1.describe()}"
    )
    options: ClassVar[dict[str, Option]] = {
        "set": Option(f"{MILD} (default), {IMAGENET_C}, or all for both", one_of(MILD, IMAGENET_C, "all"), MILD),
        "corruptions": Option("of ImageNet-C: standard (15, default), all (19), or names, comma-separated", str, None),
        "memory_mb": MEMORY,
        "device": DEVICE,
    }
    metrics = (
        Metric("psnr_clean", "dB", "higher", "Clean", "PSNR on luma of the clean inputs"),
        Metric("gain_clean_db", "dB", "higher", "Clean gain", "PSNR minus bicubic's on the clean inputs"),
        Metric("psnr_corrupted", "dB", "higher", "Damaged", "PSNR on luma, mean over damages and levels"),
        Metric("gain_db", "dB", "higher", "Damaged gain", "Mean of PSNR minus bicubic's on the same damaged pictures"),
        Metric("gap_db", "dB", "lower", "Gap", "Mean of G over damages and levels, as measured"),
        Metric("gap_floored_db", "dB", "lower", "Gap, floored", "The same, each G at least the rule's floor"),
        Metric("relative_gap", "", "lower", "Relative gap", "Floored gap over the clean gain above bicubic"),
        *_mild_metrics(),
        *(
            Metric(key(c, s), "dB", "higher", f"{c.replace('_', ' ')} {s}", f"PSNR on luma under {c}, severity {s}")
            for c in STANDARD + EXTRA
            for s in SEVERITIES
        ),
    )

    def extras(self, settings: Settings) -> tuple[str, ...]:
        return ("robust",) if IMAGENET_C in chosen(self._options(settings)) else ()

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        options = self._options(settings)
        options.check()
        names = [damages(name, settings, options).name for name in chosen(options)]
        cases = [case_of(dataset, name) for dataset in set_names(settings) for name in names]
        return cells_of(self.name, cards, backbones, levels, cases, settings.task)

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        own = self._damages(cell, settings).inputs
        common = inputs_of(dataset_of(cell.case), cell, settings)
        return common | own | {"device": self._options(settings)["device"]}

    def again(self, cell: Cell, made: Mapping[str, Any], flags: Sequence[str]) -> list[str]:
        """A record of ImageNet-C needs the preset that has its severities; one of few levels, the preset of few."""
        name = damages_of(cell.case)
        told = {} if name == self.options["set"].default else {"set": name}
        corruptions = made.get("corruptions")
        if corruptions not in (None, list(STANDARD)):
            told["corruptions"] = "all" if corruptions == [*STANDARD, *EXTRA] else ",".join(corruptions)
        if (device := made.get("device", DEVICE.default)) != DEVICE.default:
            told["device"] = device
        words = ["--preset", "smoke"] if PARTIAL in flags else []
        words += [word for option, value in told.items() for word in ("--set", f"robust.{option}={value}")]
        return [*data_words(dataset_of(cell.case), made, flags), *words]

    def run(self, cell: Cell, context: Context) -> Outcome:
        from tracks._quality.trained import trained_network
        from tracks._quality.upscale import Upscaler, exact_float32, pick_device

        if cell.scale == 1:
            raise Unsupported(f"the sets of damages are made for inputs that are to be enlarged, not for {cell.level}")
        settings = context.settings
        chosen_damages = self._damages(cell, settings)
        task = load_task(cell.task)
        data = task.open_set(dataset_of(cell.case), cell.level, settings.data_root)
        trained = trained_network(cell, context)
        options = self._options(settings)
        device = pick_device(options["device"])
        memory_mb = options["memory_mb"]
        upscale = Upscaler(trained.network, cell.scale, device, memory_mb, who=trained.name)
        remarks, clean, bicubic, padded = Remarks(data, task), [], [], 0
        curves: Psnr = {point: [] for point in chosen_damages.points}
        interpolated: Psnr = {point: [] for point in chosen_damages.points}
        steps = len(data) * (len(curves) + 1)
        with exact_float32(settings.threads):
            for number, pair in enumerate(data):
                remarks.add(pair)
                scorer = task.scorer(pair.truth, cell.level)
                clean.append(scorer.psnr(task.protocol.quantize(upscale(pair.given))))
                bicubic.append(scorer.psnr(task.nothing(pair.given, cell.level)))
                for step, (damage, level) in enumerate(curves, number * (len(curves) + 1)):
                    context.progress(f"{pair.name}, {damage} {level}", step / steps)
                    damaged = chosen_damages.apply(pair, damage, level)
                    padded += damaged.padded
                    output = task.protocol.quantize(upscale(damaged.image))
                    curves[damage, level].append(scorer.psnr(output))
                    nothing = task.nothing(damaged.image, cell.level)
                    interpolated[damage, level].append(scorer.psnr(nothing))
        metrics, gaps = summarize(clean, bicubic, curves, interpolated, ScoringRule())
        damaged_flags = [*chosen_damages.flags(), *(["padded_inputs"] if padded else [])]
        return Outcome(
            metrics=metrics,
            samples={"psnr_clean": clean} | {key(*point): values for point, values in curves.items()},
            flags=[*trained.flags, *remarks.flags, *upscale.flags, *damaged_flags],
            details=remarks.details | chosen_damages.details
            | {"weights": trained.label, "gap_db": gaps, "psnr_bicubic": bicubic, "padded": padded,
               "psnr_bicubic_damaged": {key(*point): values for point, values in interpolated.items()},
               "device": str(device)},
            weights_sha256=trained.sha256,
            dataset_sha256=remarks.sha256,
        )  # fmt: skip

    def _damages(self, cell: Cell, settings: Settings) -> Damages:
        return damages(damages_of(cell.case), settings, self._options(settings))

    def _options(self, settings: Settings) -> Options:
        return Options(self, settings)


def summarize(
    clean: list[float], bicubic: list[float], curves: Psnr, interpolated: Psnr, rule: ScoringRule
) -> tuple[dict[str, float], dict[str, list[float]]]:
    """Metrics of a record, and G of each damage by level, from PSNR per picture in dB.

    ``bicubic`` and ``interpolated`` are bicubic's on the same clean and damaged pictures.
    """
    level = float(np.mean(clean))
    points = {place: float(np.mean(values)) for place, values in curves.items()}
    gaps: dict[str, list[float]] = {}
    for (damage, _), value in points.items():
        gaps.setdefault(damage, []).append(level - value)
    measured = [gap for each in gaps.values() for gap in each]
    floored = float(np.mean([max(gap, rule.robust_min_gap_db) for gap in measured]))
    gain = level - float(np.mean(bicubic))
    metrics = {
        "psnr_clean": level,
        "gain_clean_db": gain,
        "psnr_corrupted": float(np.mean(list(points.values()))),
        "gap_db": float(np.mean(measured)),
        "gap_floored_db": floored,
    }
    if gain > rule.robust_min_gain_db:
        metrics["gain_db"] = float(np.mean([points[place] - np.mean(interpolated[place]) for place in points]))
        metrics["relative_gap"] = floored / gain
    return metrics | {key(*place): value for place, value in points.items()}, gaps


TRACK = Robust()
