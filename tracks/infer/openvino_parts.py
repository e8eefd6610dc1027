"""The full-precision parts of a network on OpenVINO."""

from __future__ import annotations

import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.layer.unit_base import UnitShell
from bench.packed.peers.exchange import channels_last, core, require_bf16, settings
from bench.packed.peers.source import Source

PRECISIONS = {"openvino-fp32": "f32", "openvino-bf16": "bf16"}
"""Engine -> in what OpenVINO computes"""


def run_on_openvino(network: nn.Module, engine: str, threads: int) -> nn.Module:
    """Let OpenVINO compute the largest modules around convolutions that hold no quantized unit, in place.

    Upsampler and tail run as one where neither holds one: between them lies the widest tensor of the network, which
    then stays in OpenVINO's own precision and layout; the time of both is the tail's. What stands between modules
    (shortcuts, interpolation, attention's products) stays in PyTorch. Raises Unsupported for bf16 on a CPU without its
    instructions.
    """
    precision = PRECISIONS[engine]
    if precision == "bf16":
        require_bf16()
    parts = [*_parts(network)]
    ends = [getattr(network, name, None) for name in ("upsampler", "tail")]
    if all(any(end is part for part in parts) for end in ends):
        ends[0].forward, ends[1].forward = RunsLater(), OnOpenVINO(tuple(ends), precision, threads)
        parts = [part for part in parts if not any(part is end for end in ends)]
    for part in parts:
        part.forward = OnOpenVINO((part,), precision, threads)
    return network


class RunsLater:
    """The ``forward`` of a module whose work is done with that of the next."""

    as_one = True

    def __call__(self, x: Tensor) -> Tensor:
        return x


class OnOpenVINO:
    """A module's ``forward``: (N, C, H, W) float32 -> its output, channels_last, compiled once a shape.

    ``modules``: what it computes, one after another; the module itself is the last.
    """

    as_one = True
    """The modules inside run with it and are not called (see `bench.nn.calls`)"""

    def __init__(self, modules: tuple[nn.Module, ...], precision: str, threads: int):
        self.modules, self.precision, self.threads = modules, precision, threads
        self._requests: dict[torch.Size, tuple[Any, tuple[int, ...]]] = {}

    def __deepcopy__(self, memo: dict[int, Any]) -> OnOpenVINO:
        return OnOpenVINO(copy.deepcopy(self.modules, memo), self.precision, self.threads)

    def __call__(self, x: Tensor) -> Tensor:
        import openvino

        if x.shape not in self._requests:
            self._requests[x.shape] = self._request(x)
        request, shape = self._requests[x.shape]
        image = x.detach().float().permute(0, 2, 3, 1).contiguous()
        out = torch.empty(shape)
        request.set_input_tensor(openvino.Tensor(image.numpy(), shared_memory=True))
        request.set_output_tensor(openvino.Tensor(out.numpy(), shared_memory=True))
        request.infer()
        return out.permute(0, 3, 1, 2)

    def _request(self, x: Tensor) -> tuple[Any, tuple[int, ...]]:
        image = x.detach().float().clone(memory_format=torch.channels_last)
        source = Source(nn.Sequential(*map(_own_code, self.modules)), image, self.threads)
        model = channels_last(core().read_model(source.onnx))  # its file lives as long as the source
        compiled = core().compile_model(model, "CPU", settings(self.threads, self.precision))
        return compiled.create_infer_request(), tuple(compiled.output(0).shape)


def _own_code(module: nn.Module) -> nn.Module:
    """The same module with its class's ``forward``."""
    plain = copy.copy(module)
    del plain.forward
    return plain


def _parts(module: nn.Module) -> Iterator[nn.Module]:
    if not any(isinstance(part, UnitShell) for part in module.modules()):
        if any(isinstance(part, nn.Conv2d) and max(part.kernel_size) > 1 for part in module.modules()):
            yield module
        return
    for child in module.children():
        yield from _parts(child)
