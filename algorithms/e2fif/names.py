"""Parameter names of the official E2FIF networks (pppLang/E2FIF, on EDSR)."""

from __future__ import annotations

from torch import Tensor

from bench.nn.backbones.edsr import MEAN_SHIFTS, by_mean_shift
from bench.nn.naming import Naming, Tensors

BODY = (
    ("head", "head.0.conv1.0"),
    ("body.{i}.conv{j}.norm", "body.{i}.conv{j}.1"),
    ("body.{i}.conv{j}.weight", "body.{i}.conv{j}.0.weight"),
)


def _without_biases(theirs: Tensors) -> dict[str, Tensor]:
    """A binary convolution's bias moves into the running mean that the next normalisation subtracts."""
    found = by_mean_shift("head.0.conv1.0", "tail.0.conv2" if "tail.0.conv2.bias" in theirs else "tail.0")(theirs)
    for name in theirs:
        before, dot, leaf = name.rpartition(".")
        bias = f"{_convolution(before)}.bias"
        if dot and leaf == "running_mean" and bias in found:
            found[name] = found[name] - found.pop(bias)
    return found


def _convolution(norm: str) -> str:
    """``body.0.conv1.1`` follows ``body.0.conv1.0``, ``tail.0.bn1`` follows ``tail.0.conv1``."""
    return norm.replace(".bn1", ".conv1") if norm.endswith(".bn1") else f"{norm.removesuffix('.1')}.0"


E2FIF = Naming("E2FIF's official code", (*BODY, ("tail.0", "tail.0")), MEAN_SHIFTS, _without_biases)
REPEAT = Naming(
    "E2FIF's official code, repeat tail",
    (
        *BODY,
        ("upsampler.0.norm", "tail.0.bn1"),
        ("upsampler.0.weight", "tail.0.conv1.weight"),
        ("tail", "tail.0.conv2"),
    ),
    MEAN_SHIFTS,
    _without_biases,
)
