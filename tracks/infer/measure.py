"""One cell of the infer track, measured: packed network, full precision, peers, pieces, in turn in one process."""

from __future__ import annotations

import copy
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.contract import Cell, Settings, Unsupported, factor_of
from bench.nn.complexity import NetworkCount, count_as_run
from bench.nn.label import check_label
from bench.nn.network import PARTS
from bench.nn.output import check_output, range_flags
from bench.nn.weights import prepare_network
from bench.packed.chain import single_layers, told_chains
from bench.packed.kernels import native
from bench.packed.pack import load_into, pack, packed_units, save
from bench.packed.parity import check_layers
from bench.packed.peers import BINARY
from bench.plan.discover import Loader
from bench.timing.memory import PeakMemory
from bench.timing.rounds import PartTimer, summarize, timing_flags
from tracks.infer.engine import run_in_bf16
from tracks.infer.openvino_parts import run_on_openvino
from tracks.infer.peers import Peers, peer_metrics, prepare_peers, psnr_db
from tracks.infer.photo import photos
from tracks.infer.pieces import SHRINK, in_turn, openvino_layers, shrunk, take_apart
from tracks.infer.rounds import WARMUPS, Slide, WorkWatch, run_rounds

WORTH_SHRINKING = 128 * 128
"""Pixels of an image of which a small part is more than borders"""

Tell = Callable[[str, float], None]


def trained_network(job: dict, key: str) -> tuple[nn.Module, str | None, str | None]:
    """The trained network of algorithm ``key``, the hash of its weights, and their label (None: untrained)."""
    weights = {name: Path(path) for name, path in job["weights"].items()}
    cell = Cell("infer", key, job["backbone"], job["level"], "", job["task"])
    settings = Settings(seed=job["seed"], weights=weights)
    network, sha, label = prepare_network(Loader(job["adapters"])(key), cell, settings)
    return network.to(memory_format=torch.channels_last), sha, label


def through_file(network: nn.Module, header: dict[str, object]) -> tuple[nn.Module, int]:
    """Pack, write, read back: the network in the file is the one that runs. Returns it and the file's size in bytes."""
    packed = pack(network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save(packed, path, header)
        return load_into(network, path, header), path.stat().st_size


@torch.no_grad()
def measure(job: dict, tell: Tell, mark: Callable[[str], None]) -> dict[str, object]:
    """An `Outcome`'s fields. Raises Unsupported and UserError with a reason, RuntimeError when parity is lost.

    ``mark`` is called with ``begin`` and ``end`` around the timed rounds, for whoever has a clock of his own.
    """
    torch.set_num_threads(job["threads"])
    tell("building", 0.0)
    trained, sha, label = trained_network(job, job["algo"])
    lr_size = tuple(job["lr_size"])
    pictures, image_sha = photos(lr_size, job["input"])
    tell("checking the label", 0.02)
    check_label(Loader(job["adapters"])(job["algo"]).card, trained, pictures[0])
    counted = count_as_run(trained, lr_size)
    header = {
        "algorithm": job["algo"],
        "backbone": job["backbone"],
        "scale": factor_of(job["level"]),
        "weights_sha256": sha,
    }
    packed, file_bytes = through_file(trained, header)
    image = pictures[0]
    engine = {}
    if job["fp_engine"] != "fp32":
        in_float = packed(image)
        run_on_engine(trained, job), run_on_engine(packed, job)
        engine["engine_psnr_db"] = psnr_db(packed(image), in_float)
        del in_float
    with PeakMemory() as memory:
        packed(image)

    tell("checking parity", 0.05)
    check_output(job["adapters"][job["algo"]].rpartition(":")[2], trained(image), image, factor_of(job["level"]))
    layers = [check_layers(trained, packed, picture) for picture in pictures]

    peers, full, slide = Peers(), None, Slide(pictures)
    image = slide.image
    runs: dict[str, Callable[[], Any]] = {"packed": lambda: packed(image)}
    apart = copy.deepcopy(packed)  # before anything listens to its modules
    if not job["backbone_free"]:
        full, full_sha, _ = trained_network(job, "fp32")
        reference, fp32_bytes = through_file(full, header | {"algorithm": "fp32", "weights_sha256": full_sha})
        runs["fp32"] = lambda: reference(image)
        timers = {"packed": PartTimer(packed, PARTS), "fp32": PartTimer(reference, PARTS)}
        peers = prepare_peers(job["baselines"], full, image, job["threads"], lambda key: tell(f"building {key}", 0.08))
        slide.followers = peers.follow
        runs |= peers.runs
    else:
        timers = {"packed": PartTimer(packed, PARTS)}
    runs |= pieces_of(apart, image, job, peers)
    rounds = WARMUPS + job["repeats"]

    def heard(name: str, turn: int) -> None:
        if name == "packed":
            tell(f"round {turn + WARMUPS + 1} of {rounds}", 0.1 + 0.9 * (turn + WARMUPS + 1) / rounds)
        if turn == -1 and name in timers:
            timers[name].clear()

    mark("begin")
    work = WorkWatch(packed, counted.calls)
    samples, faults, parity, seconds = run_rounds(runs, slide, layers, work, job["repeats"], heard)
    mark("end")

    latency = summarize(samples["packed"], job["seed"])
    metrics = {
        "latency_ms": latency["median"],
        "latency_iqr_ms": latency["iqr"],
        "latency_ci_low_ms": latency["ci_low"],
        "latency_ci_high_ms": latency["ci_high"],
        "file_bytes": file_bytes,
        "parity_max_abs": parity.output_max_abs,
        "peak_memory_mb": memory.growth_mb,
    } | engine
    if "p99" in latency:
        metrics["latency_p99_ms"] = latency["p99"]
    metrics |= {f"{part}_ms": float(np.median(series)) for part, series in timers["packed"].series.items()}
    flags = timing_flags(samples["packed"]) + (["untrained"] if label is None else []) + range_flags(layers[0].output)
    if full is not None:
        metrics["fp32_latency_ms"] = float(np.median(samples["fp32"]))
        metrics["speedup"] = _ratio(samples, "fp32", "packed")
        metrics["fp32_file_bytes"] = fp32_bytes
        metrics["speedup_theory"] = theoretical_speedup(full, counted, lr_size)
        compared, lost = peer_metrics(samples, peers)
        metrics, flags = metrics | compared, flags + lost
    metrics |= piece_metrics(samples)
    if job["fp_engine"] != "fp32":
        flags.append(f"full precision in {job['fp_engine']}")
    return {
        "metrics": metrics,
        "samples": {f"{name.replace('-', '_')}_ms": series for name, series in samples.items()}
        | {f"{name}_{part}_ms": s for name, timer in timers.items() for part, s in timer.series.items()},
        "flags": flags,
        "details": {
            "parity": {"layers": parity.layers, "layer_error": parity.layer_error, "output_error": parity.output_error},
            "weights": label or "seeded, untrained",
            "fp_engine": job["fp_engine"],
            "peers": peers.details(),
            "layer_calls": sum(counted.calls.values()),
            "seconds_rounds": seconds,
            "chains": told_chains(packed),
            "caches": list(native().caches()),
            "page_faults": {name: int(np.median(counts)) for name, counts in faults.items()},
            "input": {
                "sha256": image_sha,
                "crops": len(pictures),
                "size": list(job["lr_size"]),
                "file": Path(job["input"]).name if job["input"] else "built-in photograph",
            },
        },
        "kernels": {name: unit.layer.kernel for name, unit in packed_units(packed).items()},
        "weights_sha256": sha,
        "dataset_sha256": image_sha,
    }


def run_on_engine(network: nn.Module, job: dict) -> nn.Module:
    """The network with its full-precision parts in the arithmetic that the job asks for, in place."""
    if job["fp_engine"] == "bf16":
        return run_in_bf16(network)
    return run_on_openvino(network, job["fp_engine"], job["threads"])


def pieces_of(packed: nn.Module, image: Tensor, job: dict, peers: Peers) -> dict[str, Callable[[], Any]]:
    """The packed network's full-precision modules, its packed layers, and those on OpenVINO, each as one run."""
    pieces = take_apart(packed, image)
    if not pieces.layers:
        if BINARY in job["baselines"]:
            peers.reasons[BINARY] = "there is no packed layer to compare with"
        return {}
    runs = {"fp_parts": in_turn(pieces.full_precision), "layers": in_turn(pieces.layers)}
    if image.shape[2] * image.shape[3] >= WORTH_SHRINKING:
        small, least = shrunk(pieces.layers, SHRINK), shrunk(pieces.layers, max(image.shape[2:]))
        runs |= {"layers_small": in_turn(small), "layers_least": in_turn(least)}
    if BINARY in job["baselines"]:
        try:
            with single_layers():
                layers = take_apart(packed, image).layers
                runs[BINARY] = in_turn(openvino_layers(layers, job["threads"]))
        except Unsupported as reason:
            peers.reasons[BINARY] = str(reason)
    return runs


def piece_metrics(samples: dict[str, list[float]]) -> dict[str, float]:
    """Metrics of a network's pieces, and of the whole against them."""
    if "layers" not in samples:
        return {}
    apart = np.asarray(samples["fp_parts"]) + np.asarray(samples["layers"])
    metrics = {
        "fp_parts_ms": float(np.median(samples["fp_parts"])),
        "layers_ms": float(np.median(samples["layers"])),
        "over_pieces": float(np.median(np.asarray(samples["packed"]) / apart)),
        "over_bound": _ratio(samples, "packed", "fp_parts"),
    }
    if "layers_small" in samples:
        arithmetic = (
            np.maximum(0, np.asarray(samples["layers_small"]) - np.asarray(samples["layers_least"])) * SHRINK**2
        )
        if (cached := float(np.median(arithmetic))) <= metrics["layers_ms"]:  # else borders outweigh the small image
            metrics["layers_cached_ms"] = cached
    if BINARY in samples:
        metrics["openvino_binary_ms"] = float(np.median(samples[BINARY]))
        metrics["openvino_binary_ratio"] = _ratio(samples, BINARY, "layers")
    return metrics


def _ratio(samples: dict[str, list[float]], above: str, below: str) -> float:
    """Median over rounds, so that a slow moment of the machine meets both sides."""
    return float(np.median(np.asarray(samples[above]) / np.asarray(samples[below])))


def theoretical_speedup(full: nn.Module, counted: NetworkCount, lr_size: tuple[int, int]) -> float:
    """Full precision's operations over those of the network as ``counted``, strict convention, at the measured size."""
    from bench.nn.conventions import STRICT

    return STRICT.ops(count_as_run(full, lr_size)) / STRICT.ops(counted)
