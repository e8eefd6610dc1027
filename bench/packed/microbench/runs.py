"""One chain of layers on every engine: what runs it, or why it cannot."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.layer.spec import LayerSpec
from bench.packed.find_chains import join_chains
from bench.packed.layer import PackedLayer
from bench.packed.microbench.shapes import Shape, convolutions, random_spec
from bench.packed.pack import PackedUnit
from bench.packed.parity import TOLERANCE, relative_error
from bench.packed.peers import BINARY, PEERS, REFERENCE, SLOW, build_peer, missing
from bench.packed.peers.source import Source

BASELINE = "PyTorch fp32, channels_last"
"""What speed-ups are counted from: the layout that the networks run in."""
PACKED = (("1 base", 1, 1), ("2 bases", 2, 1), ("2-bit", 1, 2), ("4-bit", 1, 4), ("8-bit", 1, 8))
"""Title, bases, bits of weights and inputs"""
TOGETHER = ("1 base", "2 bases", "4-bit")
"""Those that are also timed as layers that advance together"""
DEPTH = 32
"""Layers of such a chain: as many as SRResNet's body has"""
WORST = 0.2
"""Largest difference of a peer from float32, relative to its range: 8 bits through four layers stay far below."""

Runs = dict[str, Callable[[], Tensor]]


@torch.no_grad()
def build_runs(shape: Shape, threads: int) -> tuple[Runs, dict[str, str]]:
    """Row -> what runs the chain once, and row -> why there is none. The input is laid out beforehand for each."""
    generator = torch.Generator().manual_seed(0)
    image = torch.randn(1, shape.cin, shape.height, shape.width, generator=generator)
    last = image.contiguous(memory_format=torch.channels_last)
    plain, turned = convolutions(shape), convolutions(shape).to(memory_format=torch.channels_last)
    source = Source(turned, last, threads)
    runs: Runs = {"PyTorch fp32": lambda: plain(image), BASELINE: lambda: turned(last)}
    reasons: dict[str, str] = {}
    expected = turned(last)
    for peer in PEERS.values():
        if peer.key == REFERENCE:
            continue
        try:
            if lacking := missing(peer):
                raise Unsupported(f"{', '.join(lacking)} not installed")
            if peer.key == BINARY:
                runs[peer.title] = _binary(shape, last, threads)
                continue
            run = build_peer(peer, source)
            _close(run().float(), expected, WORST)
            if (times := _time(run) / _time(runs[BASELINE])) > SLOW:
                raise Unsupported(f"emulated: {times:.0f} times float32's time in one pass")
            runs[peer.title] = run
        except Unsupported as reason:
            reasons[peer.title] = str(reason)
    for title, bases, bits in PACKED:
        layers = [PackedLayer(random_spec(shape, bases, bits, generator), threads) for _ in range(shape.length)]
        runs[f"{layers[0].kernel}, {title}"] = _chain(layers, last)
        if shape.length > 1 and title in TOGETHER:
            specs = [random_spec(shape, bases, bits, generator) for _ in range(DEPTH)]
            runs[f"{layers[0].kernel}, {title}, {DEPTH} layers together"] = together(specs, last, threads)
    return runs, reasons


@dataclass(frozen=True)
class DeepRun:
    """Layers that advance together, as in a network's body."""

    run: Callable[[], Tensor]
    layers: int

    def __call__(self) -> Tensor:
        return self.run()


def together(specs: list[LayerSpec], image: Tensor, threads: int) -> DeepRun:
    """The layers as one chain, each with its own input as shortcut where it has one."""
    units = [PackedUnit(PackedLayer(s, threads), s.in_channels, s.out_channels, s.epilogue.skip, None) for s in specs]
    body = nn.ModuleDict({"body": nn.Sequential(*units)})
    join_chains(body)
    return DeepRun(lambda: body["body"](image), len(specs))


def _chain(layers: list[PackedLayer], image: Tensor) -> Callable[[], Tensor]:
    def run() -> Tensor:
        x = image
        for layer in layers:
            x = layer(x, x if layer.geometry.skip != "none" else None)
        return x

    return run


def _binary(shape: Shape, image: Tensor, threads: int) -> Callable[[], Tensor]:
    """OpenVINO's binary convolution with the same epilogues, its result compared with ours on the same bits."""
    from bench.packed.peers.binary import openvino_chain

    specs = [random_spec(shape, 1, 1, torch.Generator().manual_seed(i)) for i in range(shape.length)]
    run = openvino_chain(specs, image, threads)
    _close(run(), _chain([PackedLayer(spec, threads) for spec in specs], image)(), TOLERANCE)
    return run


def _time(run: Callable[[], Tensor]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _close(actual: Tensor, expected: Tensor, worst: float) -> None:
    error = relative_error(actual, expected)
    if not error <= worst:  # NaN as well
        raise Unsupported(f"its result is wrong: it differs by {error:.2g} of the range")
