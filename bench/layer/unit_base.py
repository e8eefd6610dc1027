"""What surrounds a quantized convolution, trained or packed: tokens, shortcut, scale map."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from bench.layer.spec import Skip


class UnitShell(nn.Module):
    """Prepares the side inputs of a unit and hands over to `compute`.

    Input (N, Ci, H, W), or tokens (N, L, Ci) for a kernel of 1; output alike with Co channels.
    """

    def __init__(self, cin: int, cout: int, skip: Skip, scale_map: nn.Module | None):
        super().__init__()
        if skip != "none" and cout % cin:
            raise ValueError(f"a shortcut needs cout to be a multiple of cin, got {cin} -> {cout}")
        self.cin, self.cout, self.skip, self.scale_map = cin, cout, skip, scale_map

    def compute(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        """(N, Ci, H, W), (N, Co, H, W) or None, (N, 1, H, W) or None -> (N, Co, H, W)."""
        raise NotImplementedError

    def forward(self, x: Tensor) -> Tensor:
        if x.dim() == 3:
            return self(x.transpose(1, 2).unsqueeze(-1)).squeeze(-1).transpose(1, 2)
        shortcut = None
        if self.skip != "none":
            repeats = self.cout // self.cin
            shortcut = x if repeats == 1 else repeat_channels(x, repeats)
        return self.compute(x, shortcut, None if self.scale_map is None else self.scale_map(x))


def repeat_channels(x: Tensor, times: int) -> Tensor:
    """(N, C, H, W) -> (N, times * C, H, W), each channel ``times`` times in a row, in the input's memory format.

    PyTorch's own repetition along dimension 1 gives contiguous memory whatever it gets, which the packed layer would
    then have to turn over: two slow passes over the widest tensor of the network instead of one.
    """
    if x.is_contiguous() or not x.is_contiguous(memory_format=torch.channels_last):
        return x.repeat_interleave(times, dim=1)
    return x.permute(0, 2, 3, 1).repeat_interleave(times, dim=3).permute(0, 3, 1, 2)
