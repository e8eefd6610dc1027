"""Parameter names of the official QuantSR networks (htqin/QuantSR, on EDSR as in BasicSR)."""

from __future__ import annotations

from bench.nn.backbones.edsr import BASICSR_ENDS
from bench.nn.naming import Naming, within

QUANTSR = Naming(
    "QuantSR's official code",
    (
        *within(
            "body.0.{i}.conv{j}", "body.{i}.conv{j}",
            ("quantize_weight.step", "alpha"), ("quantize_weight.initialised", "init_state"),
            ("quantize_act.shift", "channel_threshold"), ("quantize_act.step", "ActOurs.alpha"),
            ("quantize_act.signed", "ActOurs.signed"), ("quantize_act.initialised", "ActOurs.init_state"),
            ("weight", "weight"), ("bias", "bias"),
        ),
        ("body.0.{i}.learned_shortcut", "body.{i}.learnable_shortcut"),
        *BASICSR_ENDS,
    ),
)  # fmt: skip
