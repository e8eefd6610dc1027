"""Parameter names of the official BBCU networks (Zj-BinXia/BBCU)."""

from __future__ import annotations

from bench.nn.backbones.srresnet import ENDS
from bench.nn.naming import Naming, within

UNIT = (
    ("quantize_act.shift", "move0.bias"),
    ("weight", "binary_conv.weight"),
    ("nonlinearity.before", "relu.pr_bias0.bias"),
    ("nonlinearity.slope", "relu.pr_prelu.weight"),
    ("nonlinearity.after", "relu.pr_bias1.bias"),
)
BODY = (*within("body.{i}.conv1", "body.{i}.body.0", *UNIT), *within("body.{i}.conv2", "body.{i}.body.1", *UNIT))
BBCU_L = Naming("BBCU-L's official code", (*BODY, *ENDS))
BBCU_M = Naming(
    "BBCU-M's official code",
    (
        *BODY,
        *within("upsampler.0.0", "upconv1", *UNIT),
        *within("upsampler.1.0", "upconv2", *UNIT),
        *within("tail.0", "conv_hr", *UNIT),
        *ENDS,
    ),
)
