"""Random packed layers, a strategy over all of them, and the reference that their integers must equal."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from hypothesis import strategies as st
from torch import Tensor

from bench.layer.spec import Epilogue, LayerSpec, SignInput, UniformInput
from bench.packed.kernels import supported_kernels

KERNELS = supported_kernels()


def reference_accumulators(spec: LayerSpec, x: Tensor) -> Tensor:
    """int32 [bases, N, Ho, Wo, Co] by float64 convolution of the quantized input: float64 holds these integers."""
    rule = spec.input
    if isinstance(rule, SignInput):
        bit = x >= rule.threshold.view(-1, 1, 1)
        if rule.flip is not None:
            bit ^= rule.flip.view(-1, 1, 1)
        q = torch.where(bit, 1.0, -1.0)
    else:
        shifted = x if rule.shift is None else x + rule.shift.view(-1, 1, 1)
        scaled = shifted / torch.tensor(rule.step, dtype=torch.float32)
        q = torch.round(scaled.nan_to_num(nan=float(rule.low)).clamp(rule.low, rule.high))
    sums = [
        F.conv2d(q.double(), plane.double(), None, spec.stride, spec.padding, spec.dilation) for plane in spec.weight
    ]
    return torch.stack(sums).permute(0, 1, 3, 4, 2).to(torch.int32)


def random_spec(
    channels: tuple[int, int],
    kernel: tuple[int, int] = (3, 3),
    *,
    bases: int = 1,
    weight_bits: int = 1,
    input_bits: int = 1,
    signed: bool = False,
    epilogue: Epilogue | None = None,
    seed: int = 0,
    **geometry,
) -> LayerSpec:
    """A layer of ``channels = (Ci, Co)``; ``input_bits`` 1 is a sign with random thresholds and flips."""
    ci, co = channels
    g = torch.Generator().manual_seed(seed)
    shape = (bases, co, ci, *kernel)
    if weight_bits == 1:
        weight = 2 * torch.randint(0, 2, shape, generator=g) - 1
    else:
        weight = torch.randint(-(2 ** (weight_bits - 1)), 2 ** (weight_bits - 1), shape, generator=g)
    if input_bits == 1:
        rule = SignInput(torch.randn(ci, generator=g), torch.rand(ci, generator=g) < 0.5)
    else:
        low = -(2 ** (input_bits - 1)) if signed else 0
        rule = UniformInput(input_bits, 0.1, low, low + 2**input_bits - 1, torch.randn(ci, generator=g))
    if epilogue is None:
        epilogue = Epilogue(torch.randn(bases, co, generator=g))
    return LayerSpec(rule, weight.to(torch.int8), epilogue, weight_bits, **geometry)


def image_for(spec: LayerSpec, batch: int, height: int, width: int, seed: int = 1) -> Tensor:
    """float32 (N, Ci, H, W), channels_last, with values exactly on decision points and special ones among the rest."""
    g = torch.Generator().manual_seed(seed)
    shape = (batch, spec.in_channels, height, width)
    x = torch.randn(shape, generator=g)
    rule = spec.input
    if isinstance(rule, SignInput):
        edge = rule.threshold.view(-1, 1, 1).expand(shape)
    else:
        shift = torch.zeros(spec.in_channels) if rule.shift is None else rule.shift
        middle = torch.randint(rule.low, rule.high + 1, shape, generator=g) + 0.5
        edge = middle * rule.step - shift.view(-1, 1, 1)
    x = torch.where(torch.rand(shape, generator=g) < 0.3, edge, x)
    special = torch.tensor([0.0, -0.0, float("inf"), float("-inf"), float("nan"), 1e-42, -3e38])
    chosen = special[torch.randint(0, len(special), shape, generator=g)]
    x = torch.where(torch.rand(shape, generator=g) < 0.1, chosen, x)
    return x.contiguous(memory_format=torch.channels_last)


def random_epilogue(bases: int, channels: int, present: set[str], *, scale_map: bool, skip: str, seed: int) -> Epilogue:
    """An epilogue with the vectors named in ``present``; zeros of both signs among their values."""
    g = torch.Generator().manual_seed(seed)

    def vector(*shape: int) -> Tensor:
        values = torch.randn(shape, generator=g)
        zero = torch.where(torch.rand(shape, generator=g) < 0.5, 0.0, -0.0)
        return torch.where(torch.rand(shape, generator=g) < 0.2, zero, values)

    vectors = {name: vector(channels) for name in ("bias", "pre", "slope", "post") if name in present}
    return Epilogue(vector(bases, channels), scale_map=scale_map, skip=skip, **vectors)


@st.composite
def layer_specs(draw: st.DrawFn) -> LayerSpec:
    """Any layer of moderate size: every field of `LayerSpec`, its input rule and its epilogue varies."""

    def small(low: int, high: int) -> int:
        return draw(st.integers(low, high))

    weight_bits, input_bits = draw(st.sampled_from([(1, 1), (1, 1), (1, 1), (4, 4), (8, 8), (2, 2), (2, 1), (1, 3)]))
    bases, channels = small(1, 3), small(1, 70)
    epilogue = random_epilogue(
        bases,
        channels,
        draw(st.sets(st.sampled_from(["bias", "pre", "slope", "post"]))),
        scale_map=draw(st.booleans()),
        skip=draw(st.sampled_from(["none", "before", "after"])),
        seed=small(0, 2**31),
    )
    return random_spec(
        (small(1, 140), channels),
        (small(1, 7), small(1, 7)),
        bases=bases,
        weight_bits=weight_bits,
        input_bits=input_bits,
        signed=draw(st.booleans()),
        epilogue=epilogue,
        stride=small(1, 3),
        padding=(small(0, 4), small(0, 4)),
        dilation=small(1, 2),
        seed=small(0, 2**31),
    )


@st.composite
def layers_with_images(draw: st.DrawFn) -> tuple[LayerSpec, Tensor]:
    """A layer, and 1 to 3 images for it, at least as large as the kernel's reach after padding."""
    spec = draw(layer_specs())
    least = [spec.dilation * (side - 1) + 1 - 2 * pad for side, pad in zip(spec.kernel, spec.padding, strict=True)]
    height, width = (max(1, low) + draw(st.integers(0, 9)) for low in least)
    return spec, image_for(spec, draw(st.integers(1, 3)), height, width, seed=draw(st.integers(0, 2**31)))


def unaligned(x: Tensor) -> Tensor:
    """A channels_last copy of (N, C, H, W) that begins at an odd element of a larger buffer."""
    n, c, h, w = x.shape
    copy = torch.empty(x.numel() + 1)[1:].view(n, h, w, c).permute(0, 3, 1, 2)
    return copy.copy_(x)
