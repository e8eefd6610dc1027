"""A packed binary layer built from OpenVINO's own operations, its BinaryConvolution among them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from torch import Tensor

from bench.nouns import Unsupported
from bench.packed.peers.exchange import channels_last, compiled
from bench.packed.spec import LayerSpec


def openvino_layer(spec: LayerSpec, x: Tensor, skip: Tensor | None, threads: int) -> Callable[[], Tensor]:
    """Runs ``spec`` on ``x`` (N, Ci, H, W) and, if it has one, its shortcut: sign, convolution, epilogue in its order.

    Several bases are several convolutions of the same bits. Raises Unsupported for what the operation cannot express.
    """
    import openvino
    from openvino import opset1 as o

    if not spec.binary:
        raise Unsupported("OpenVINO's binary convolution takes 1-bit weights and signs only")
    if spec.input.flip is not None or spec.epilogue.scale_map:
        raise Unsupported("OpenVINO's binarization inverts no channels, and a scale map is no part of the layer")
    e = spec.epilogue

    def channels(value: Tensor) -> openvino.Node:
        return o.constant(value.numpy().reshape(1, -1, 1, 1))

    inputs = [x, *([] if skip is None else [skip])]
    parameters = [o.parameter(list(value.shape), openvino.Type.f32) for value in inputs]
    # It gives 1 above the threshold, the format from the threshold on: one float below it the two agree.
    below = o.constant(np.nextafter(spec.input.threshold.numpy(), np.float32(-np.inf)).reshape(1, -1, 1, 1))
    zero, one = (o.constant(np.full((1, 1, 1, 1), value, np.float32)) for value in (0, 1))
    bits = o.fake_quantize(parameters[0], below, below, zero, one, 2)
    y, kept = None, []
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
    y = o.add(y, parameters[1]) if e.skip == "before" else y
    y = y if e.pre is None else o.add(y, channels(e.pre))
    y = y if e.slope is None else o.prelu(y, o.constant(e.slope.numpy()))
    y = y if e.post is None else o.add(y, channels(e.post))
    y = o.add(y, parameters[1]) if e.skip == "after" else y
    run = compiled(channels_last(openvino.Model([o.result(y)], parameters)), inputs, threads)

    def checked() -> Tensor:
        assert kept  # the model reads the bits where they lie
        return run()

    return checked
