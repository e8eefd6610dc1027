"""Parameter names of the official CADyQ networks (Cheeun/CADyQ, on EDSR)."""

from __future__ import annotations

from torch import Tensor

from bench.nn.backbones.edsr import ENDS, MEAN_SHIFTS, RANGE, by_mean_shift
from bench.nn.naming import Naming, Tensors, within


def _spread_in_units(theirs: Tensors) -> dict[str, Tensor]:
    """Selectors see the features' spread in units of the image's range here, and in 0..255 there: all columns behind
    the two of the image's gradients."""
    found = by_mean_shift("head.0", "tail.1")(theirs)
    for name, value in theirs.items():
        if name.endswith("net_small.0.weight"):
            found[name] = value.clone()
            found[name][:, 2:] *= RANGE
    return found


def _selector(ours: str, theirs: str) -> tuple[tuple[str, str], ...]:
    quantizers = (
        pair
        for i in range(3)
        for pair in within(
            f"{ours}.quantizers.{i}", f"{theirs}.quant_bit{i + 1}", ("alpha", "alpha"), ("average", "max_val")
        )
    )
    return (*quantizers, (f"{ours}.quantizers.{{j}}.initialised", "=1"), (f"{ours}.logits", f"{theirs}.net_small.0"))


CADYQ = Naming(
    "CADyQ's official code",
    (
        *_selector("body.{i}.select1", "body.{i}.bitsel1"),
        *_selector("body.{i}.select2", "body.{i}.body.2"),
        *within("body.{i}.act_out", "body.{i}.quant_act3", ("alpha", "alpha"), ("average", "max_val")),
        ("body.{i}.act_out.initialised", "=1"),
        *within("body.{i}", "body.{i}", ("conv1", "body.0"), ("conv2", "body.3")),
        *ENDS,
    ),
    MEAN_SHIFTS,
    _spread_in_units,
)
