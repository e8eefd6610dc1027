"""Parameter names of the official PAMS networks (colorjam/PAMS, on EDSR)."""

from __future__ import annotations

from bench.nn.backbones.edsr import ENDS, MEAN_SHIFTS, by_mean_shift
from bench.nn.naming import Naming, within

RANGE = (("alpha", "alpha"), ("average", "max_val"))
PAMS = Naming(
    "PAMS's official code",
    (
        *within("body.{i}.act_in", "body.{i}.quant_act1", *RANGE),
        *within("body.{i}.conv2.quantize_act", "body.{i}.quant_act2", *RANGE),
        *within("body.{i}.act_out", "body.{i}.quant_act3", *RANGE),
        ("body.{i}.act_in.initialised", "=1"),
        ("body.{i}.conv2.quantize_act.initialised", "=1"),
        ("body.{i}.act_out.initialised", "=1"),
        *within("body.{i}", "body.{i}", ("conv1", "body.0"), ("conv2", "body.3")),
        *ENDS,
    ),
    (*MEAN_SHIFTS, "body.{i}.body.2"),
    by_mean_shift("head.0", "tail.1"),
)
"""The quantizer between the two convolutions is stored twice."""
