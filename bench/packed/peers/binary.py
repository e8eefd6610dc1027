"""A packed binary layer built from OpenVINO's own operations, its BinaryConvolution among them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from torch import Tensor

from bench.contract import Unsupported
from bench.layer.spec import LayerSpec
from bench.packed.peers.exchange import channels_last, compiled


def openvino_layer(spec: LayerSpec, x: Tensor, skip: Tensor | None, threads: int) -> Callable[[], Tensor]:
    """Runs ``spec`` on ``x`` (N, Ci, H, W) and, if it has one, its shortcut: sign, convolution, epilogue in its order.

    Several bases are several convolutions of the same bits. Raises Unsupported for what the operation cannot express.
    """
    import openvino
    from openvino import opset1 as o

    inputs = [x, *([] if skip is None else [skip])]
    parameters = [o.parameter(list(value.shape), openvino.Type.f32) for value in inputs]
    kept: list[np.ndarray] = []
    y = _layer(spec, parameters[0], None if skip is None else parameters[1], kept)
    return _running(openvino.Model([o.result(y)], parameters), inputs, kept, threads)


def openvino_chain(specs: list[LayerSpec], x: Tensor, threads: int) -> Callable[[], Tensor]:
    """Runs layers one after another in one model; a layer with a shortcut takes its own input. Raises as above."""
    import openvino
    from openvino import opset1 as o

    parameter = o.parameter(list(x.shape), openvino.Type.f32)
    kept: list[np.ndarray] = []
    y = parameter
    for spec in specs:
        y = _layer(spec, y, None if spec.epilogue.skip == "none" else y, kept)
    return _running(openvino.Model([o.result(y)], [parameter]), [x], kept, threads)


def _layer(spec: LayerSpec, x: Any, skip: Any, kept: list[np.ndarray]) -> Any:
    """The OpenVINO node of a layer on node ``x``; the bits of its weights go to ``kept``."""
    import openvino
    from openvino import opset1 as o

    if not spec.binary:
        raise Unsupported("OpenVINO's binary convolution takes 1-bit weights and signs only")
    if spec.input.flip is not None or spec.epilogue.scale_map:
        raise Unsupported("OpenVINO's binarization inverts no channels, and a scale map is no part of the layer")
    e = spec.epilogue

    def channels(value: Tensor) -> Any:
        return o.constant(value.numpy().reshape(1, -1, 1, 1))

    # It gives 1 above the threshold, the format from the threshold on: one float below it the two agree.
    below = o.constant(np.nextafter(spec.input.threshold.numpy(), np.float32(-np.inf)).reshape(1, -1, 1, 1))
    zero, one = (o.constant(np.full((1, 1, 1, 1), value, np.float32)) for value in (0, 1))
    bits = o.fake_quantize(x, below, below, zero, one, 2)
    y = None
    for weight, scale in zip(spec.weight, e.scale, strict=True):
        kept.append(np.packbits((weight > 0).numpy().reshape(-1), bitorder="little"))
        shape = openvino.Shape(list(weight.shape))
        kernel = openvino.op.Constant(openvino.Tensor(kept[-1], shape, openvino.Type.u1))
        pads, dilations = list(spec.padding), [spec.dilation] * 2
        # A pad value of 0 leaves positions outside the image out of the sum.
        sums = o.binary_convolution(bits, kernel, [spec.stride] * 2, pads, pads, dilations, "xnor-popcount", 0.0)
        scaled = o.multiply(sums, channels(scale))
        y = scaled if y is None else o.add(y, scaled)
    y = y if e.bias is None else o.add(y, channels(e.bias))
    y = o.add(y, skip) if e.skip == "before" else y
    y = y if e.pre is None else o.add(y, channels(e.pre))
    y = y if e.slope is None else o.prelu(y, o.constant(e.slope.numpy()))
    y = y if e.post is None else o.add(y, channels(e.post))
    return o.add(y, skip) if e.skip == "after" else y


def _running(model: Any, inputs: list[Tensor], kept: list[np.ndarray], threads: int) -> Callable[[], Tensor]:
    run = compiled(channels_last(model), inputs, threads)

    def with_bits() -> Tensor:
        assert kept  # the model reads the bits where they lie
        return run()

    return with_bits
