"""In which arithmetic the full-precision parts of a network run."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.layer.unit_base import UnitShell
from bench.nn.quantizers import ActQuantizer


def run_in_bf16(network: nn.Module) -> nn.Module:
    """Everything outside the quantized units moves to bfloat16, in place; the image and the output stay float32.

    A quantizer that stands between units stays float32 too: it may share its range with a unit, whose packed twin has
    the step in float32. Layers with parameters take their input in bfloat16 and hand bfloat16 on; a quantized unit
    takes float32, trained or packed. Both networks of a pair go through the same casts, so their integers must still
    be equal.
    """
    kept = (UnitShell, ActQuantizer)
    inside = {id(part) for module in network.modules() if isinstance(module, kept) for part in module.modules()}
    for module in network.modules():
        if isinstance(module, UnitShell):
            module.register_forward_pre_hook(_to_float)
        elif id(module) not in inside and (own := dict(module.named_parameters(recurse=False))):
            if next(module.children(), None) is None:
                module.to(torch.bfloat16)
                module.register_forward_pre_hook(_to_bf16)
            else:  # a table of its own, used between layers
                for parameter in own.values():
                    parameter.data = parameter.data.to(torch.bfloat16)
    network.register_forward_hook(lambda _module, _inputs, output: output.float())
    return network


def _to_bf16(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.to(torch.bfloat16) for x in inputs)


def _to_float(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
    return tuple(x.float() if x.dtype == torch.bfloat16 else x for x in inputs)
