"""PSNR and SSIM on the published test sets, exact to the published protocol."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings
from bench.contract.options import Option, Options, as_text, names, one_of, switch
from bench.pictures.extra_metrics import EXTRA, check_names, check_weights
from bench.pictures.protocol import SR_Y_V1
from bench.records.saved_pictures import SAVED, picture_path, truth_path
from bench.tasks import load_task
from tracks._quality.sets import DEVICE, MEMORY, Remarks, cells_of, data_words, inputs_of, set_names

if TYPE_CHECKING:
    from bench.pictures.pair import Pair
    from tracks._quality.trained import Trained
    from tracks._quality.upscale import Upscaler

TRAINED = "trained"

PLUS = "+"
"""Ends the case of a self-ensemble, as papers end the method's name."""

ENGINE_TOLERANCE = 1e-3
"""dB: largest difference between the packed and the trained network on any picture."""


class Accuracy:
    name = "accuracy"
    version = 1
    machine_bound = False
    title = "Accuracy"
    about = (
        "Mean over a test set's pictures; every picture's values are in the record. Pictures are checked against the "
        "hashes of the published ones. Flags: sample_data, photographs that scikit-image ships instead of a published "
        "set; unverified_data, pictures that no manifest knows; other_lr, low-resolution inputs that are not bit for "
        "bit the published ones; untrained, random weights. A set that ends in + is scored with self-ensemble over the "
        "eight flips and turns. "
        f"{SR_Y_V1.describe()}"
    )
    options: ClassVar[dict[str, Option]] = {
        "engine": Option(
            "trained (default) or packed: score the packed network, which must agree within 0.001 dB",
            one_of(TRAINED, "packed"), TRAINED,
        ),
        "self_ensemble": Option("true: average over eight flips and turns; the case then ends in +", switch, False),
        "metrics": Option(f"further metrics, comma-separated: {', '.join(EXTRA)}", names, []),
        "save_images": Option(
            "true: write the super-resolved pictures and the originals beside the records, for the crops", switch, False
        ),
        "memory_mb": MEMORY,
        "device": DEVICE,
    }  # fmt: skip
    metrics = (
        Metric("psnr_y", "dB", "higher", "PSNR", "Peak signal-to-noise ratio on luma, mean over pictures", 2),
        Metric("ssim_y", "", "higher", "SSIM", "Structural similarity on luma, mean over pictures", 4),
        *EXTRA.values(),
        Metric(
            "engine_difference_db", "dB", "lower", "Packed - trained", "Largest difference in PSNR on any picture", 6
        ),
    )

    def extras(self, settings: Settings) -> tuple[str, ...]:
        return ("metrics",) if Options(self, settings)["metrics"] else ()

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        options = self._checked(settings)
        ending = PLUS if options["self_ensemble"] else ""
        cases = [name + ending for name in set_names(settings)]
        return cells_of(self.name, cards, backbones, levels, cases, settings.task)

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, Any]:
        options = Options(self, settings)
        own = {
            "engine": options["engine"],
            "metrics": options["metrics"],
            "save_images": options["save_images"],
            "device": options["device"],
        }
        return inputs_of(cell.case.removesuffix(PLUS), cell, settings) | own

    def again(self, cell: Cell, made: Mapping[str, Any], flags: Sequence[str]) -> list[str]:
        usual = {name: option.default for name, option in self.options.items()}
        ensemble = {"self_ensemble": cell.case.endswith(PLUS)}
        chosen = {
            name: made[name] for name in ("engine", "metrics", "save_images", "device") if name in made
        } | ensemble
        told = [f"accuracy.{name}={as_text(value)}" for name, value in chosen.items() if value != usual[name]]
        return [
            *data_words(cell.case.removesuffix(PLUS), made, flags),
            *(word for text in told for word in ("--set", text)),
        ]

    def without(self, cell: Cell, settings: Settings) -> tuple[str, ...]:
        """The packed runtime is no part of what scores the trained network."""
        return ("bench.packed",) if Options(self, settings)["engine"] == TRAINED else ()

    def run(self, cell: Cell, context: Context) -> Outcome:
        from bench.pictures.extra_metrics import ExtraMetrics
        from tracks._quality.trained import trained_network
        from tracks._quality.upscale import exact_float32

        settings = context.settings
        options = self._checked(settings)
        data = load_task(cell.task).open_set(cell.case.removesuffix(PLUS), cell.level, settings.data_root)
        trained = trained_network(cell, context)
        start = time.perf_counter()
        with exact_float32(settings.threads):
            upscale, twin = self._upscalers(cell, trained, options)
            extra = ExtraMetrics(options["metrics"], str(upscale.device))
            samples, remarks, differences, saved = self._score(cell, context, data, upscale, twin, extra)
        total = time.perf_counter() - start
        network = upscale.seconds + (twin.seconds if twin else 0.0)
        metrics = {name: float(np.mean(values)) for name, values in samples.items()}
        if twin is not None:
            metrics["engine_difference_db"] = max(differences)
        return Outcome(
            metrics=metrics,
            samples=samples,
            flags=[*trained.flags, *remarks.flags, *upscale.flags],
            details=remarks.details
            | {
                "weights": trained.label,
                "engine": "packed" if twin else TRAINED,
                "tiled": upscale.tiled,
                "device": str(upscale.device),
                "seconds_network": network,
                "seconds_harness": total - network,
            }
            | ({SAVED: saved} if saved else {}),
            kernels=_kernels(upscale) if twin else {},
            weights_sha256=trained.sha256,
            dataset_sha256=remarks.sha256,
        )

    def _checked(self, settings: Settings) -> Options:
        """The options, every one of them usable. Raises `UserError` otherwise, before anything runs."""
        options = Options(self, settings)
        options.check()
        check_weights(check_names(options["metrics"]))
        return options

    def _upscalers(self, cell: Cell, trained: Trained, options: Options) -> tuple[Upscaler, Upscaler | None]:
        """The network to score, and the trained one beside it where the packed one is scored."""
        from tracks._quality.upscale import Upscaler, pick_device

        packed = options["engine"] == "packed"
        device = pick_device("cpu" if packed else options["device"])
        memory_mb, ensemble = options["memory_mb"], cell.case.endswith(PLUS)
        scored = Upscaler(trained.network, cell.scale, device, memory_mb, ensemble, who=trained.name)
        if not packed:
            return scored, None
        from bench.packed.pack import pack

        twin = pack(trained.network)
        return Upscaler(twin, cell.scale, device, memory_mb, ensemble, scored.network, trained.name), scored

    def _score(
        self, cell: Cell, context: Context, data: Any, upscale: Upscaler, twin: Upscaler | None, extra: Any
    ) -> tuple[dict[str, list[float]], Remarks, list[float], dict[str, dict[str, str]]]:
        """Samples of every metric, remarks on the data, differences of the engines (dB), hashes of saved pictures."""
        samples: dict[str, list[float]] = {}
        task = load_task(cell.task)
        remarks, differences, saved = Remarks(data, task), [], {}
        save = Options(self, context.settings)["save_images"]
        for number, pair in enumerate(data):
            context.progress(f"{pair.name}, {number + 1} of {len(data)}", number / len(data))
            remarks.add(pair)
            sr, scorer = task.protocol.quantize(upscale(pair.given)), task.scorer(pair.truth, cell.level)
            scores = scorer.score(sr)
            if twin is not None:
                differences.append(abs(scores.psnr_y - scorer.psnr(task.protocol.quantize(twin(pair.given)))))
                if not differences[-1] <= ENGINE_TOLERANCE:
                    raise RuntimeError(
                        f"packed and trained network differ by {differences[-1]:.4f} dB on {pair.name}, at most "
                        f"{ENGINE_TOLERANCE:g} is allowed, so no number"
                    )
            values = {"psnr_y": scores.psnr_y, "ssim_y": scores.ssim_y} | extra.score(sr, pair.truth, cell.scale)
            for name, value in values.items():
                samples.setdefault(name, []).append(value)
            if save and context.out is not None:
                saved[pair.name] = _save(context.out, cell, pair, sr)
        return samples, remarks, differences, saved


def _save(out: Path, cell: Cell, pair: Pair, sr: NDArray[np.uint8]) -> dict[str, str]:
    """Write a picture and its ground truth; the hashes by which the record vouches for them."""
    from bench.pictures.images import pixel_sha256, write_png

    write_png(out / picture_path(cell, pair.name), sr)
    write_png(out / truth_path(cell, pair.name), pair.truth)
    return {"sr": pixel_sha256(sr), "hr": pixel_sha256(pair.truth)}


def _kernels(upscale: Upscaler) -> dict[str, str]:
    from bench.packed.pack import packed_units

    return {name: unit.layer.kernel for name, unit in packed_units(upscale.network).items()}


TRACK = Accuracy()
