"""Peers inside PyTorch: float32, bfloat16, and int8 after graph-mode quantization."""

from __future__ import annotations

import copy
from collections.abc import Callable

import torch
from torch import Tensor

from bench.contract import Unsupported
from bench.nn.network import PARTS
from bench.packed.peers.source import Source, first_line, quiet


def fp32(source: Source) -> Callable[[], Tensor]:
    return lambda: source.network(source.image)


def bf16(source: Source) -> Callable[[], Tensor]:
    """Weights and activations in bfloat16; the output stays so. CPUs without bf16 instructions emulate it, slowly."""
    network = copy.deepcopy(source.network).to(torch.bfloat16)
    image = source.copied(lambda image: image.to(torch.bfloat16))
    return lambda: network(image)


def int8(source: Source) -> Callable[[], Tensor]:
    """8-bit weights per output channel, 8-bit activations per tensor (7 bits used on x86), ranges from the input.

    PyTorch's FX graph quantization, part by part, since image range, mean and interpolation stay float. Its successor
    generates C++ and needs a compiler at run time.
    """
    from torch.ao.quantization import MinMaxObserver, QConfig, get_default_qconfig_mapping, quantize_fx

    mapping = get_default_qconfig_mapping(torch.backends.quantized.engine)
    ranges = MinMaxObserver.with_args(reduce_range=torch.backends.quantized.engine in ("x86", "fbgemm", "onednn"))
    mapping = mapping.set_global(QConfig(activation=ranges, weight=mapping.global_qconfig.weight))
    holder = torch.nn.Module()
    holder.whole = copy.deepcopy(source.network)
    parts = [(holder.whole, name) for name in PARTS if hasattr(holder.whole, name)] or [(holder, "whole")]
    try:
        with quiet(), torch.no_grad():
            for owner, name in parts:
                setattr(owner, name, quantize_fx.prepare_fx(getattr(owner, name), mapping, (source.image,)))
            holder.whole(source.image)
            for owner, name in parts:
                setattr(owner, name, quantize_fx.convert_fx(getattr(owner, name)))
            holder.whole(source.image)
    except Exception as error:  # the tracer and the observers raise whatever the network's code meets in them
        raise Unsupported(f"PyTorch's graph quantization does not take it: {first_line(error)}") from None
    return lambda: holder.whole(source.image)
