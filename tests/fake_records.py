"""Invented records for tests of scores and reports: plausible shapes, made-up numbers, never measured."""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Any

from bench.contract import Card, Cell, Metric
from bench.records.record import Machine, Measured, Provenance, Record, sha256

MACHINE = Machine(id="imaginary-2c-000000", cpu="Imaginary CPU @ 2.0 GHz", cores=2, arch="x86_64", system="Linux")

PSNR = Metric("psnr_y", "dB", "higher", "PSNR", "PSNR on unrounded luma, border cropped by the scale")
SSIM = Metric("ssim_y", "", "higher", "SSIM", "SSIM on unrounded luma, 11x11 window, sigma 1.5", digits=4)
METRICS = {
    metric.key: metric
    for metric in (
        PSNR,
        SSIM,
        Metric("psnr_clean", "dB", "higher", "Clean", "PSNR on luma of the clean inputs"),
        Metric("psnr_corrupted", "dB", "higher", "Corrupted", "PSNR on luma, mean over corruptions and severities"),
        Metric("gap_db", "dB", "lower", "Gap", "Mean loss over corruptions and severities"),
        Metric("params_k", "K", "lower", "Params", "Strict: every base and every stored float counted"),
        Metric("ops_g", "G", "lower", "Ops", "Strict: multiply-accumulates in units of 64-bit operations"),
        Metric("params_k_paper", "K", "lower", "Params (paper)", "Parameters under the method's own paper's rule"),
        Metric("ops_g_paper", "G", "lower", "Ops (paper)", "Operations under the method's own paper's rule"),
        Metric("fp_params_k", "K", "neither", "Params FP", "The same backbone in full precision"),
        Metric("fp_ops_g", "G", "neither", "Ops FP", "The same backbone in full precision"),
        Metric("compression", "x", "higher", "Compression", "Params FP / Params, strict"),
        Metric("speedup_theory", "x", "higher", "Theory speed-up", "Ops FP / Ops, strict"),
        Metric("latency_ms", "ms", "lower", "Latency", "Median time of one image", digits=1),
        Metric("latency_iqr_ms", "ms", "lower", "IQR", "Interquartile range of the latency", digits=1),
        Metric("latency_ci_low_ms", "ms", "neither", "CI low", "95 % bootstrap interval of the median", digits=1),
        Metric("latency_ci_high_ms", "ms", "neither", "CI high", "95 % bootstrap interval of the median", digits=1),
        Metric("fp32_latency_ms", "ms", "neither", "FP32 latency", "Full precision, measured in turns", digits=1),
        Metric("speedup", "x", "higher", "Speed-up", "FP32 latency / latency, measured in turns in one process"),
        Metric("file_bytes", "bytes", "lower", "File", "Size of the packed network's file", digits=0),
        Metric("fp32_file_bytes", "bytes", "neither", "FP32 file", "Size of the full-precision file", digits=0),
        Metric("parity_max_abs", "", "lower", "Parity", "Largest difference to the trained network", digits=7),
        Metric("parity_psnr_db", "dB", "lower", "Parity PSNR", "PSNR difference to the trained network", digits=5),
        Metric("peak_memory_mb", "MB", "lower", "Peak memory", "Peak resident memory of the process", digits=0),
        Metric("head_ms", "ms", "lower", "Head", "Share of the head", digits=1),
        Metric("body_ms", "ms", "lower", "Body", "Share of the body", digits=1),
        Metric("upsampler_ms", "ms", "lower", "Upsampler", "Share of the upsampler", digits=1),
        Metric("tail_ms", "ms", "lower", "Tail", "Share of the tail", digits=1),
    )
}

CARDS = {
    card.key: card
    for card in (
        Card("fp32", "Full precision", "x:X", 32, 32, family="reference"),
        Card("bicubic", "Bicubic", "x:X", 32, 32, family="reference", backbone_free=True),
        Card("bnn", "BNN", "x:X", 1, 1, family="binary", year=2016, paper="Hubara et al.: BNN. NIPS"),
        Card("dorefa", "DoReFa", "x:X", 1, 1, family="binary", year=2016, paper="Zhou et al.: DoReFa-Net"),
        Card("bireal", "Bi-Real", "x:X", 1, 1, family="binary", year=2018, paper="Liu et al.: Bi-Real Net. ECCV"),
        Card("irnet", "IR-Net", "x:X", 1, 1, family="binary", year=2020, paper="Qin et al.: IR-Net. CVPR"),
        Card("reactnet", "ReActNet", "x:X", 1, 1, family="binary", year=2020, paper="Liu et al.: ReActNet. ECCV"),
        Card("btm", "BTM", "x:X", 1, 1, family="binary", year=2021, paper="Jiang et al.: BTM. AAAI"),
        Card("e2fif", "E2FIF", "x:X", 1, 1, family="binary", year=2023, paper="Lang et al.: E2FIF. TIP"),
        Card(
            "bbcu", "BBCU-L", "x:X", 1, 1, family="binary", year=2023, url="https://github.com/Zj-BinXia/BBCU",
            paper="Xia et al.: BBCU. ICLR", formula="RPReLU(s * bconv(sign(x + t))) + x", provenance="official code",
        ),
        Card(
            "frb", "FRB", "x:X", 1, 1, 2, family="binary", year=2024, paper="Zhang et al.: FRB. ICML",
            formula="a1*sign(W) + a2*sign(W - a1*sign(W))", provenance="from the paper; no official code",
            deploy={"Larq": "", "daBNN": "needs two bases"},
        ),
        Card("pams-w4a4", "PAMS", "x:X", 4, 4, family="low-bit", year=2020, paper="Li et al.: PAMS. ECCV"),
        Card("quantsr-w2a2", "QuantSR", "x:X", 2, 2, family="low-bit", year=2023, paper="Qin et al.: QuantSR. NeurIPS"),
    )
}  # fmt: skip

QUALITY = {
    "fp32": 1.0, "bicubic": 0.0, "bnn": -0.3, "dorefa": 0.78, "bireal": 0.05, "irnet": 0.82, "reactnet": 0.85,
    "btm": 0.83, "e2fif": 0.88, "bbcu": 0.9, "frb": 0.93, "pams-w4a4": 0.96, "quantsr-w2a2": 0.94,
}  # fmt: skip
BICUBIC = {
    "set5": (33.68, 0.930, 4.3), "set14": (30.33, 0.870, 3.3), "b100": (29.56, 0.844, 2.6),
    "urban100": (26.88, 0.841, 5.2), "manga109": (30.80, 0.934, 7.7),
}  # fmt: skip
CORRUPTIONS = ("gaussian_noise", "jpeg_compression", "defocus_blur", "contrast")


def record(
    track: str,
    algo: str,
    backbone: str,
    scale: int,
    case: str,
    metrics: Mapping[str, float] | None = None,
    *,
    seed: int = 0,
    reason: str = "",
    status: str = "",
    machine: Machine = MACHINE,
    utc: str = "2030-01-01T00:00:00+00:00",
    weights: str = "c" * 64,
    **more: Any,
) -> Record:
    """A record with the given metrics; ``reason`` makes it unsupported."""
    bound, trained = track in ("infer", "train"), track not in ("comp", "train")
    return Record(
        cell=Cell(track, algo, backbone, f"x{scale}", case),
        status=status or ("unsupported" if reason else "ok"),
        reason=reason,
        machine_bound=bound,
        metrics={key: _measured(key, value) for key, value in (metrics or {}).items()},
        provenance=Provenance(
            utc=utc, commit="0" * 40, dirty=False, version="0.0.0", track_version=1,
            protocol="sr-y-v1" if track in ("accuracy", "robust") else None, adapter_sha256="a" * 64,
            native_sha256="b" * 64 if bound else None, weights_sha256=weights if trained else None,
            dataset_sha256="d" * 64, seed=seed, device="cpu", threads=1,
            isa=["avx2", "fma"], packages={"torch": "0.0", "numpy": "0.0"}, machine=machine,
            settings={"preset": "quick"}, fingerprint="e" * 64,
        ),
        **more,
    )  # fmt: skip


def _measured(key: str, value: float) -> Measured:
    metric = METRICS.get(key, Metric(key, "dB" if key.startswith("psnr") else "", "higher", key.replace("_", " ")))
    facts = {"unit": metric.unit, "better": metric.better, "title": metric.title, "help": metric.help}
    return Measured(value=value, digits=metric.digits, **facts)


def realistic(
    algos: tuple[str, ...] = tuple(CARDS),
    backbones: tuple[str, ...] = ("srresnet",),
    scales: tuple[int, ...] = (2, 4),
    tracks: tuple[str, ...] = ("accuracy", "robust", "comp", "infer"),
    seed: int = 0,
) -> list[Record]:
    """Records of a whole, invented benchmark run. Equal arguments give equal records."""
    chance = random.Random(seed)
    made: list[Record] = []
    for algo in algos:
        networks = ("none",) if CARDS[algo].backbone_free else backbones
        for backbone in networks:
            for scale in scales:
                for track in tracks:
                    made += _MAKERS[track](algo, backbone, scale, chance)
    return made


def _psnr(algo: str, scale: int, dataset: str, chance: random.Random) -> tuple[float, float]:
    base, ssim, gain = BICUBIC[dataset]
    drop = 2.6 * (scale - 2)
    share = QUALITY[algo] + (chance.gauss(0, 0.01) if algo not in ("fp32", "bicubic") else 0)
    return base - drop + share * gain * 2 / scale, ssim - 0.06 * (scale - 2) + share * 0.04 / scale


def _accuracy(algo: str, backbone: str, scale: int, chance: random.Random) -> list[Record]:
    made = []
    for dataset in BICUBIC:
        psnr, ssim = _psnr(algo, scale, dataset, chance)
        drawn = [chance.gauss(0, 2) for _ in range(5)]
        each = [psnr + one - sum(drawn) / len(drawn) for one in drawn]
        values = {"psnr_y": psnr, "ssim_y": ssim}
        made.append(record("accuracy", algo, backbone, scale, dataset, values, samples={"psnr_y": each}))
    return made


def _robust(algo: str, backbone: str, scale: int, chance: random.Random) -> list[Record]:
    clean, _ = _psnr(algo, scale, "set5", chance)
    values = {"psnr_clean": clean, "psnr_corrupted": clean - 4.0, "gap_db": 4.0, "gap_floored_db": 4.0}
    for number, corruption in enumerate(CORRUPTIONS):
        for severity in range(1, 6):
            loss = (1 + number) * 0.6 * severity * (1 + max(0.0, QUALITY[algo])) * chance.uniform(0.95, 1.05)
            values[f"psnr_{corruption}_s{severity}"] = clean - loss
    return [record("robust", algo, backbone, scale, "set5", values)]


def _comp(algo: str, backbone: str, scale: int, chance: random.Random) -> list[Record]:
    card = CARDS[algo]
    if card.backbone_free:
        return []
    full_params, full_ops = (1367.4, 85.43) if scale == 2 else (1514.9, 146.08)
    share = 1.0 if card.full_precision else 0.16 + 0.012 * card.bits_w * card.bases
    params, ops = (full_params, full_ops) if share == 1 else (full_params * (share + 0.01), full_ops * (share + 0.03))
    values = {
        "params_k": params, "ops_g": ops,
        "params_k_paper": full_params * share, "ops_g_paper": full_ops * (share + 0.02),
        "fp_params_k": full_params, "fp_ops_g": full_ops,
        "compression": full_params / params, "speedup_theory": full_ops / ops,
    }  # fmt: skip
    return [record("comp", algo, backbone, scale, "320x180", values)]


def _infer(algo: str, backbone: str, scale: int, chance: random.Random) -> list[Record]:
    card = CARDS[algo]
    full = 800.0 * scale / 2
    if card.backbone_free:
        return []
    if algo == "btm":
        return [record("infer", algo, backbone, scale, "320x180-t1", reason="no packed form: attention in the unit")]
    latency = full if card.full_precision else full / (2.2 + chance.random() - 0.3 * card.bases) * (1 + card.bits_w / 9)
    samples = [latency * (1 + abs(chance.gauss(0, 0.02))) for _ in range(20)]
    ordered = sorted(samples)
    median, iqr = ordered[10], ordered[15] - ordered[5]
    size = 5_480_000 * (1.0 if card.full_precision else 0.17 + 0.012 * card.bits_w * card.bases)
    theory = 1.0 if card.full_precision else 4.76 - 0.4 * card.bases
    values = {
        "latency_ms": median, "latency_iqr_ms": iqr, "latency_ci_low_ms": ordered[7], "latency_ci_high_ms": ordered[13],
        "fp32_latency_ms": full, "speedup": full / median, "speedup_theory": theory,
        "file_bytes": round(size), "fp32_file_bytes": 5_480_000, "parity_max_abs": abs(chance.gauss(0, 2e-7)),
        "parity_psnr_db": 1e-5, "peak_memory_mb": 310 + 90 * chance.random(), "head_ms": median * 0.02,
        "body_ms": median * 0.5, "upsampler_ms": median * 0.3, "tail_ms": median * 0.18,
    }  # fmt: skip
    kernels = {} if card.full_precision else {f"body.{i}.conv{j}": "avx2" for i in range(16) for j in (1, 2)}
    flags = ["unstable"] if algo == "dorefa" else []
    raw = {"latency_ms": samples, "fp32_latency_ms": [full * (1 + abs(chance.gauss(0, 0.02))) for _ in range(20)]}
    return [record("infer", algo, backbone, scale, "320x180-t1", values, samples=raw, kernels=kernels, flags=flags)]


def thousand() -> list[Record]:
    """Records that fill a thousand rows, each with hashes, a time and a commit of its own as measured ones have."""
    backbones = ("srresnet", "edsr", "edsr_large", "rdn", "rcan", "swinir_s", "novel")
    made = realistic(backbones=backbones, scales=(2, 3, 4))
    return [_with_origin(number, one) for number, one in enumerate(made)]


def _with_origin(number: int, one: Record) -> Record:
    def digest(*parts: object) -> str:
        return sha256([str(part) for part in parts])

    cell = one.cell
    facts = {
        "utc": f"2030-{1 + number % 12:02}-{1 + number % 28:02}T{number % 24:02}:{7 * number % 60:02}:00+00:00",
        "commit": digest("commit", number // 100)[:40],
        "fingerprint": digest(number),
        "weights_sha256": digest(cell.algo, cell.backbone, cell.scale),
        "adapter_sha256": digest(cell.algo),
        "dataset_sha256": digest(cell.case, cell.scale),
    }
    return one.model_copy(update={"provenance": one.provenance.model_copy(update=facts)})


_MAKERS = {"accuracy": _accuracy, "robust": _robust, "comp": _comp, "infer": _infer}
