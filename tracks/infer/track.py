"""Real latency of the packed network on this CPU, beside full precision in the same run."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

from bench.contract import Card, Cell, Context, Metric, Outcome, Settings, Unsupported, UserError, combinations
from bench.contract.gates import gate
from bench.contract.options import Option, Options, one_of
from bench.packed.kernels import KERNEL_VARIABLE, selected_kernel
from bench.packed.peers import BINARY, PEERS, REFERENCE, pick_peers
from bench.timing.clock import now
from bench.timing.heap import STEADY_HEAP

ROOT = Path(__file__).parents[2]
ENGINES = ("fp32", "bf16", "openvino-fp32", "openvino-bf16")
"""Arithmetic of full-precision parts: PyTorch's, or a peer's"""


class Infer:
    name = "infer"
    version = 3
    machine_bound = True
    companions = ("fp32",)
    title = "Measured inference"
    about = (
        "One warm process a cell. The packed network is written to its file, loaded back, and timed in turn with the "
        "full-precision network of the same backbone (A B A B) on crops of a photograph, another one each round. A "
        "number is shown only if, in the same run, every integer accumulator equals the trained network's, every timed "
        "output agrees with the trained output within 1e-5, and every layer runs in every pass as often as complexity "
        "counts it. Full precision is PyTorch float32 in channels_last. Whatever is compared takes turns with "
        "it (A B C A B C) on the same input with as many threads, in a process whose heap keeps freed memory, so that "
        "no pass pays page faults for another's (glibc's thresholds; the record counts the faults). Peers run the "
        "full-precision network of the same backbone, or its int8 quantization with ranges taken from the timed "
        "photograph; the PSNR of their outputs stands beside their times. Where one is faster than the packed "
        "network, the flags say so."
    )
    options: ClassVar[dict[str, Option]] = {
        "baseline": Option(f"peers timed in the same rounds, or all: {', '.join(PEERS)}", str, REFERENCE),
        "fp_engine": Option(
            f"arithmetic of the packed network's full-precision parts: {', '.join(ENGINES)}",
            one_of(*ENGINES),
            ENGINES[0],
        ),
    }
    metrics = (
        Metric("latency_ms", "ms", "lower", "Latency", "Median time of one image, packed network", 1),
        Metric("latency_iqr_ms", "ms", "neither", "IQR", "Interquartile range of the latency samples", 1),
        Metric("latency_ci_low_ms", "ms", "neither", "CI low", "95% bootstrap interval of the median, lower end", 1),
        Metric("latency_ci_high_ms", "ms", "neither", "CI high", "95% bootstrap interval of the median, upper end", 1),
        Metric("latency_p99_ms", "ms", "lower", "p99", "99th percentile; only with at least 662 samples", 1),
        Metric("fp32_latency_ms", "ms", "neither", "FP latency", "Median of full precision in the same run", 1),
        Metric("speedup", "x", "higher", "Speed-up", "Measured: median over rounds of FP time / packed time"),
        Metric("speedup_theory", "x", "higher", "Theory", "FP Ops / Ops, strict convention of the comp track"),
        Metric("file_bytes", "bytes", "lower", "File", "Size of the packed network's file", 0),
        Metric("fp32_file_bytes", "bytes", "neither", "FP file", "Size of the full-precision network's file", 0),
        Metric("parity_max_abs", "", "lower", "Parity error", "Largest |packed - trained| of all timed outputs", 8),
        Metric("peak_memory_mb", "MB", "lower", "Memory", "Growth of resident memory in the first packed pass", 1),
        Metric("head_ms", "ms", "lower", "Head", "Median time in the head", 1),
        Metric("body_ms", "ms", "lower", "Body", "Median time in the body", 1),
        Metric("upsampler_ms", "ms", "lower", "Upsampler", "Median time in the upsampler", 1),
        Metric("tail_ms", "ms", "lower", "Tail", "Median time in the tail", 1),
        Metric("fp_parts_ms", "ms", "lower", "FP parts", "The full-precision modules of the packed network, alone", 1),
        Metric("layers_ms", "ms", "lower", "Packed layers", "The packed layers, alone, one after another", 1),
        Metric("layers_cached_ms", "ms", "neither", "Packed layers, cached", "The packed layers alone on 1/64 of the "
               "image, times 64, dispatch taken off: their arithmetic, all activations in the cache", 1),
        Metric(
            "over_bound", "x", "lower", "Over bound",
            "Latency / FP parts alone: what its own full-precision modules leave as the least possible. 1.10 is within "
            "10% of that bound",
        ),
        Metric(
            "over_pieces", "x", "lower", "Over pieces",
            "Latency / (FP parts + packed layers, each alone): what lies between them (layout copies, shortcuts, "
            "interpolation, attention's products) adds to 1",
        ),
        Metric("engine_psnr_db", "dB", "higher", "Engine PSNR", "Output against the same network's all in float32"),
        Metric("over_peer", "x", "higher", "Over best peer", "Time of the fastest peer, full precision's own included, "
               "/ packed time; below 1 the packed network loses"),
        Metric("openvino_binary_ms", "ms", "neither", "OpenVINO binary", "The packed layers, alone, on OpenVINO's "
               "binary convolution", 1),
        Metric("openvino_binary_ratio", "x", "higher", "Over OpenVINO binary", "The same time / packed layers alone"),
        *(
            metric
            for peer in PEERS.values()
            if peer.key not in (REFERENCE, BINARY)
            for metric in (
                Metric(f"{peer.metric}_ms", "ms", "neither", peer.title, "Median of full precision on this peer", 1),
                Metric(f"{peer.metric}_speedup", "x", "neither", f"{peer.title}, speed-up", "FP time / the peer's"),
                Metric(f"{peer.metric}_psnr_db", "dB", "neither", f"{peer.title}, PSNR", "Its output against FP's", 1),
            )
        ),
    )  # fmt: skip

    def cells(self, cards: list[Card], backbones: list[str], levels: list[str], settings: Settings) -> list[Cell]:
        width, height = settings.lr_size
        engine = Options(self, settings)["fp_engine"]
        case = f"{width}x{height}-t{settings.threads}"
        if settings.input is not None:
            case += f"-{hashlib.sha256(str(settings.input).encode()).hexdigest()[:6]}"
        if engine != "fp32":
            case += f"-{engine}"
        grid = combinations(cards, backbones, levels)
        return [Cell(self.name, c.key, backbone, level, case, settings.task) for c, backbone, level in grid]

    def inputs(self, cell: Cell, settings: Settings) -> dict[str, object]:
        """Raises UserError, before a run and not once a cell, for kernels, peers or an engine that cannot run."""
        selected_kernel()
        return {
            "threads": settings.threads,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "input": None if settings.input is None else hashlib.sha256(settings.input.read_bytes()).hexdigest(),
            "kernel": os.environ.get(KERNEL_VARIABLE, ""),
            "baseline": pick_peers(Options(self, settings)["baseline"]),
            "fp_engine": _installed(Options(self, settings)["fp_engine"]),
        }

    def again(self, cell: Cell, made: Mapping[str, Any], flags: Sequence[str]) -> list[str]:
        words = ["--lr-size", cell.case.split("-")[0], *(["--input", "FILE"] if made.get("input") else [])]
        peers = [name for name in made.get("baseline") or () if name != REFERENCE]
        words += ["--baseline", ",".join(peers)] if peers else []
        engine = made.get("fp_engine", ENGINES[0])
        return words + (["--fp-engine", str(engine)] if engine != ENGINES[0] else [])

    def run(self, cell: Cell, context: Context) -> Outcome:
        settings = context.settings
        job = {
            "algo": cell.algo,
            "backbone": cell.backbone,
            "level": cell.level,
            "task": cell.task,
            "adapters": context.load_algorithm.adapters,
            "backbone_free": context.cards[cell.algo].backbone_free,
            "lr_size": settings.lr_size,
            "input": None if settings.input is None else str(settings.input),
            "threads": settings.threads,
            "repeats": settings.repeats,
            "seed": settings.seed,
            "weights": {key: str(path) for key, path in settings.weights.items()},
            "baselines": pick_peers(Options(self, settings)["baseline"]),
            "fp_engine": Options(self, settings)["fp_engine"],
        }
        return Outcome(**_run_worker(job, settings.threads, context.progress))


def _installed(engine: str) -> str:
    """The engine. Raises UserError, with what installs it, when its library is missing."""
    if engine in PEERS:
        pick_peers(engine)
    return engine


def _run_worker(job: dict[str, object], threads: int, progress) -> dict[str, object]:
    """Run one cell in a fresh process; its progress is passed on. The worker dies when this process does."""
    path = os.pathsep.join(filter(None, [str(ROOT), os.environ.get("PYTHONPATH", "")]))
    threading = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    env = os.environ | STEADY_HEAP | threading | {"PYTHONPATH": path}
    command = [sys.executable, "-m", "tracks.infer.worker"]
    worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=env, text=True)
    try:
        worker.stdin.write(json.dumps(job) + "\n")
        worker.stdin.flush()  # left open: the worker ends itself when it closes
        marks: dict[str, int] = {}
        for line in worker.stdout:
            kind, content = json.loads(line)
            if kind == "progress":
                progress(*content)
            elif kind == "mark":
                marks[content] = now()
            elif kind == "unsupported":
                raise Unsupported(content)
            elif kind == "user_error":
                raise UserError(content)
            elif kind == "failed":
                raise RuntimeError(content)
            else:
                check_clock(content["details"]["seconds_rounds"], (marks["end"] - marks["begin"]) / 1e9)
                return content
        code = worker.wait()
        hint = " (killed: out of memory?)" if code == -9 else ""
        raise RuntimeError(f"the measuring process ended with exit code {code}{hint} before it had a result")
    finally:
        worker.kill()
        worker.wait()
        worker.stdin.close()
        worker.stdout.close()


@gate("refused", broken_by="tests/test_gates_infer.py::test_a_slowed_clock_gives_no_number")
def check_clock(inside: float, outside: float) -> None:
    """The clock that timings are read from is bound before any user's file is imported, and what the measuring process
    says its rounds took must be what they took by the clock of the process that started it.

    Both in seconds. Raises RuntimeError where they differ by more than a tenth and a quarter of a second.
    """
    if not abs(inside - outside) <= 0.1 * outside + 0.25:
        raise RuntimeError(
            f"the rounds took {outside:.3g} s, but {inside:.3g} s by the clock of the measuring process, so no number"
        )


TRACK = Infer()
