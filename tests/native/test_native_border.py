"""The border to C++ must not trust its caller: a wrong shape, type or layout is an error, never a bad read."""

from __future__ import annotations

import pytest
import torch

from bench.packed.kernels import native


def test_the_native_side_checks_every_array() -> None:
    module = native()
    kernel, vector = module.supported_kernels()[-1], torch.zeros(3)
    no_bits, no_flip = torch.zeros((1, 2, 1, 1, 1), dtype=torch.int64), torch.zeros(1, dtype=torch.int64)

    def common(**changes):
        given = {"stride": 1, "padding": (0, 0), "dilation": 1, "scale": torch.ones(1, 2), "skip": "none"}
        return module.Common(**given | dict.fromkeys(("bias", "pre", "slope", "post")) | changes)

    def build(bits=no_bits, channels=3, threshold=vector, flip=no_flip, **changes):
        return module.binary_layer(kernel, bits, channels, threshold, flip, common(**changes))

    layer = build()
    x, out = torch.zeros(1, 2, 2, 3), torch.zeros(1, 2, 2, 2)
    layer.run(x, out, None, None, 1)
    for bad in (x[:, :1], x.double(), x.transpose(1, 3), x[0], x[..., :2].contiguous()):
        with pytest.raises((ValueError, TypeError)):
            layer.run(bad, out, None, None, 1)
    for bad in (out[:, :1], out.double(), out.transpose(1, 2)[:, :, :1], torch.zeros(1, 2, 2, 3)):
        with pytest.raises((ValueError, TypeError)):
            layer.run(x, bad, None, None, 1)
    for threads in (0, -1, 257):
        with pytest.raises(ValueError, match="threads"):
            layer.run(x, out, None, None, threads)
    with pytest.raises(ValueError, match="out"):
        layer.accumulators(x, torch.zeros((2, 1, 2, 2, 2), dtype=torch.int32), 1)
    bits = torch.zeros((1, 2, 2, 8), dtype=torch.uint8)
    layer.run(x, out, None, None, 1, bits)
    for bad in (
        bits[:, :1],
        bits.to(torch.int32),
        bits[..., :4].contiguous(),
        torch.zeros(33, dtype=torch.uint8)[1:].view(1, 2, 2, 8),
    ):
        with pytest.raises((ValueError, TypeError)):
            layer.run(x, out, None, None, 1, bad)
    two = build(bits=torch.zeros((1, 2, 1, 1, 1), dtype=torch.int64), channels=2, threshold=torch.zeros(2))
    layer.run(x, out, None, None, 1, None, two, bits)
    integers = torch.zeros((1, 2, 1, 1, 2), dtype=torch.int8)
    uniform = module.uniform_layer(kernel, integers, None, 1.0, 0, 3, common())
    for neighbour, given in ((two, None), (None, bits), (two, bits[:, :1]), (layer, bits), (uniform, bits)):
        with pytest.raises((ValueError, TypeError)):
            layer.run(x, out, None, None, 1, None, neighbour, given)
    with pytest.raises(ValueError, match="256 values"):
        module.uniform_layer(kernel, integers, None, 1.0, -255, 255, common())
    for changes in (
        {"channels": 0},
        {"channels": 65},
        {"threshold": torch.zeros(4)},
        {"flip": torch.full((1,), 8)},
        {"bits": torch.full((1, 2, 1, 1, 1), 8)},
        {"bits": torch.zeros((1, 2, 8, 1, 1), dtype=torch.int64)},
        {"bits": torch.zeros((0, 2, 1, 1, 1), dtype=torch.int64)},
        {"scale": torch.ones(2, 2)},
        {"bias": torch.ones(3)},
        {"slope": torch.ones(1)},
        {"stride": 0},
        {"dilation": -1},
        {"padding": (0, -1)},
        {"skip": "sideways"},
    ):
        with pytest.raises(ValueError):
            build(**changes)
