"""QuantSR's depth-dynamic body: one super-net trained at three depths, its residual blocks ranked by their shortcut."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from bench.nn.algorithm import Algorithm, ResidualBlock

DEPTHS = {"full": 1, "half": 2, "quarter": 4}
"""Name -> divisor of the number of blocks."""


class ShortcutBlock(ResidualBlock):
    """``s * x + branch`` with one learned s, initially 1. A skipped block still multiplies by s."""

    def __init__(self, algorithm: Algorithm, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None):
        super().__init__(algorithm, channels, res_scale, attention)
        self.learned_shortcut = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        return self.learned_shortcut * x + self.branch(x)

    def branch(self, x: Tensor) -> Tensor:
        """What the block adds to its scaled input."""
        y = self.conv2(self.nonlinearity(self.conv1(x)))
        y = y if self.attention is None else self.attention(y)
        return y if self.res_scale == 1.0 else y * self.res_scale


class SkippedBlock(nn.Module):
    """What is left of a `ShortcutBlock` whose branch does not run: s * x."""

    def __init__(self, learned_shortcut: nn.Parameter):
        super().__init__()
        self.learned_shortcut = learned_shortcut

    def forward(self, x: Tensor) -> Tensor:
        return self.learned_shortcut * x


class Slimmable(nn.Sequential):
    """A chain of `ShortcutBlock` that runs at ``depth``: the blocks with the smallest shortcuts keep their branch.

    Among equal shortcuts the earlier block stays. ``one_more`` keeps one block more, as the released code does.
    """

    def __init__(self, blocks: Iterable[ShortcutBlock], depth: str = "half", one_more: bool = False):
        super().__init__(*blocks)
        self.depth, self.one_more = depth, one_more

    def kept(self) -> set[int]:
        """Indices of the blocks whose branch runs; once the others are dropped, those that are left."""
        left = {index for index, block in enumerate(self) if isinstance(block, ShortcutBlock)}
        if len(left) < len(self):
            return left
        count = len(self) // DEPTHS[self.depth]
        if self.one_more and self.depth != "full":
            count += 1
        shortcuts = torch.cat([block.learned_shortcut for block in self]).detach()
        if shortcuts.is_meta:  # counting: there are no values, and any choice costs the same
            return set(range(count))
        return set(torch.argsort(shortcuts, stable=True)[:count].tolist())

    def forward(self, x: Tensor) -> Tensor:
        kept = self.kept()
        for index, block in enumerate(self):
            x = block(x) if index in kept else block.learned_shortcut * x
        return x

    def drop_idle(self) -> None:
        """Forget the branches that do not run at this depth (see `bench.layer.idle`)."""
        kept = self.kept()
        for index, block in enumerate(self):
            if index not in kept:
                self[index] = SkippedBlock(block.learned_shortcut)
