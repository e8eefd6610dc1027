"""The order of channels ahead of a pixel shuffle, in which libraries differ."""

from __future__ import annotations

from torch import nn


def reorder_shuffles(network: nn.Module) -> bool:
    """Turn TensorFlow's order of channels (depth_to_space: position, then channel) into PyTorch's (channel, then
    position) in every convolution ahead of a pixel shuffle, in place. True where there was one."""
    found = False
    for chain in network.modules():
        if not isinstance(chain, nn.Sequential):
            continue
        for before, after in zip(chain, [*chain][1:], strict=False):
            if isinstance(after, nn.PixelShuffle) and isinstance(before, nn.Conv2d):
                found = True
                _reorder(before, after.upscale_factor**2)
    return found


def _reorder(conv: nn.Conv2d, positions: int) -> None:
    for parameter in (conv.weight, conv.bias):
        if parameter is not None:
            rest = parameter.shape[1:]
            parameter.data = parameter.data.view(positions, -1, *rest).transpose(0, 1).reshape(-1, *rest).contiguous()
