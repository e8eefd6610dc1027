"""The process that measures one cell of the infer track: JSON job on stdin, JSON lines on stdout."""

from __future__ import annotations

import copy
import json
import os
import signal
import sys
import tempfile
import threading
import traceback
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.discover import Loader
from bench.nn.network import PARTS
from bench.nn.weights import prepare_network
from bench.nouns import Cell, Settings, Unsupported, UserError
from bench.packed.pack import load_into, pack, packed_units, save
from bench.packed.parity import Parity, check_layers
from tracks._memory import PeakMemory
from tracks._photo import photo
from tracks._timing import PartTimer, interleave, summarize, timing_flags

WARMUPS = 2


def say(kind: str, content: object) -> None:
    print(json.dumps([kind, content]), flush=True)  # noqa: T201 (the protocol with the parent process)


def trained_network(job: dict, key: str) -> tuple[nn.Module, str | None, str | None]:
    """The trained network of algorithm ``key``, the hash of its weights, and their label (None: untrained)."""
    weights = {name: Path(path) for name, path in job["weights"].items()}
    cell = Cell("infer", key, job["backbone"], job["scale"], "")
    settings = Settings(seed=job["seed"], weights=weights)
    network, sha, label = prepare_network(Loader(job["adapters"])(key), cell, settings)
    return network.to(memory_format=torch.channels_last), sha, label


def through_file(network: nn.Module, header: dict[str, object]) -> tuple[nn.Module, int]:
    """Pack, write, read back: the network in the file is the one that runs. Returns it and the file's size in bytes."""
    packed = pack(network)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network.safetensors"
        save(packed, path, header)
        return load_into(network, path), path.stat().st_size


@torch.no_grad()
def measure(job: dict) -> dict[str, object]:
    torch.set_num_threads(job["threads"])
    say("progress", ("building", 0.0))
    trained, sha, label = trained_network(job, job["algo"])
    header = {"algorithm": job["algo"], "backbone": job["backbone"], "scale": job["scale"], "weights_sha256": sha}
    packed, file_bytes = through_file(trained, header)
    image, image_sha = photo(tuple(job["lr_size"]), job["input"])
    with PeakMemory() as memory:
        packed(image)

    say("progress", ("checking parity", 0.05))
    layers = check_layers(trained, packed, image)

    networks = {"packed": packed}
    if not job["backbone_free"]:
        full, full_sha, _ = trained_network(job, "fp32")
        reference, fp32_bytes = through_file(full, header | {"algorithm": "fp32", "weights_sha256": full_sha})
        networks["fp32"] = reference
    timers = {name: PartTimer(network, PARTS) for name, network in networks.items()}
    outcomes: list[Parity] = []
    rounds = WARMUPS + job["repeats"]

    def after(name: str, turn: int, output: Tensor) -> None:
        if name == "packed":
            outcomes.append(layers.with_output(output))
            say("progress", (f"round {turn + WARMUPS + 1} of {rounds}", 0.1 + 0.9 * (turn + WARMUPS + 1) / rounds))
        if turn == -1:
            timers[name].clear()

    samples = interleave(
        {n: (lambda net=net: net(image)) for n, net in networks.items()}, WARMUPS, job["repeats"], after
    )
    parity = max(outcomes, key=lambda p: p.output_error)
    if not parity.passed:
        raise RuntimeError(f"no parity, so no number: {parity.reason()}")

    latency = summarize(samples["packed"], job["seed"])
    metrics = {
        "latency_ms": latency["median"],
        "latency_iqr_ms": latency["iqr"],
        "latency_ci_low_ms": latency["ci_low"],
        "latency_ci_high_ms": latency["ci_high"],
        "file_bytes": file_bytes,
        "parity_max_abs": parity.output_max_abs,
        "peak_memory_mb": memory.growth_mb,
    }
    if "p99" in latency:
        metrics["latency_p99_ms"] = latency["p99"]
    metrics |= {f"{part}_ms": float(np.median(series)) for part, series in timers["packed"].series.items()}
    if "fp32" in samples:
        ratios = np.asarray(samples["fp32"]) / np.asarray(samples["packed"])
        metrics["fp32_latency_ms"] = float(np.median(samples["fp32"]))
        metrics["speedup"] = float(np.median(ratios))
        metrics["fp32_file_bytes"] = fp32_bytes
        metrics["speedup_theory"] = theoretical_speedup(full, trained, tuple(job["lr_size"]))
    return {
        "metrics": metrics,
        "samples": {f"{name}_ms": series for name, series in samples.items()}
        | {f"{name}_{part}_ms": s for name, timer in timers.items() for part, s in timer.series.items()},
        "flags": timing_flags(samples["packed"]) + (["untrained"] if label is None else []),
        "details": {
            "parity": {"layers": parity.layers, "layer_error": parity.layer_error, "output_error": parity.output_error},
            "weights": label or "seeded, untrained",
            "input": {
                "sha256": image_sha,
                "size": list(job["lr_size"]),
                "file": Path(job["input"]).name if job["input"] else "built-in photograph",
            },
        },
        "kernels": {name: unit.layer.kernel for name, unit in packed_units(packed).items()},
        "weights_sha256": sha,
        "dataset_sha256": image_sha,
    }


@torch.enable_grad()  # counting runs the training form: the deployed one computes integers, which shapes alone cannot
def theoretical_speedup(full: nn.Module, trained: nn.Module, lr_size: tuple[int, int]) -> float:
    """Full precision's operations over this network's, strict convention, at the measured input size."""
    from bench.nn.complexity import count_network
    from tracks._conventions import STRICT

    counts = [count_network(copy.deepcopy(network), lr_size) for network in (full, trained)]
    return STRICT.ops(counts[0]) / STRICT.ops(counts[1])


def end_with_parent() -> None:
    """Leave when stdin closes: the parent is gone, and nobody will read the result."""
    sys.stdin.read()
    os._exit(1)


def main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; the parent decides
    job = json.loads(sys.stdin.readline())
    threading.Thread(target=end_with_parent, daemon=True).start()
    try:
        say("outcome", measure(job))
    except Unsupported as reason:
        say("unsupported", str(reason))
    except UserError as error:
        say("user_error", str(error))
    except Exception as error:
        print(traceback.format_exc(), file=sys.stderr)  # noqa: T201
        say("failed", f"{type(error).__name__}: {error}" if not isinstance(error, RuntimeError) else str(error))


if __name__ == "__main__":
    main()
