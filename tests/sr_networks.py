"""Small networks and the context in which a track runs them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.contract import Card, Cell, Context, Settings
from bench.nn.algorithm import Algorithm, Tag, tag
from bench.nn.quantizers import ChannelScaledSign, ShiftedSign
from bench.nn.unit import Unit
from bench.plan.discover import discover


class Conv(Algorithm):
    """Two convolutions and a pixel shuffle: the smallest network that upscales."""

    card = Card(key="conv", name="Conv", adapter="sr_networks:Conv", bits_w=32, bits_a=32)
    backbones = ("small",)

    def body(self) -> nn.Module:
        return tag(nn.Conv2d(8, 8, 3, padding=1), Tag("body"))

    def build(self, backbone: str, scale: int) -> nn.Module:
        head = tag(nn.Conv2d(3, 8, 3, padding=1), Tag("head"))
        tail = tag(nn.Conv2d(8, 3 * scale**2, 3, padding=1), Tag("tail"))
        return nn.Sequential(head, nn.ReLU(), self.body(), tail, nn.PixelShuffle(scale))


class Binary(Conv):
    """The same with a binary convolution in the middle."""

    card = Card(key="binary", name="Binary", adapter="sr_networks:Binary", bits_w=1, bits_a=1)

    def body(self) -> nn.Module:
        return tag(Unit(8, 8, 3, weight=ChannelScaledSign(), act=ShiftedSign(8), skip="after"), Tag("body", 1, 1))


class PooledBody(nn.Module):
    """Attention over channels, which looks at the whole picture."""

    def forward(self, x: Tensor) -> Tensor:
        return x * torch.sigmoid(x.mean((2, 3), keepdim=True))


class DeepBinary(Binary):
    """Eight binary convolutions in a row: a sign that flips early spreads."""

    card = Card(key="deep", name="Deep", adapter="sr_networks:DeepBinary", bits_w=1, bits_a=1)

    def body(self) -> nn.Module:
        return nn.Sequential(*(super(DeepBinary, self).body() for _ in range(8)))


class WindowedBody(nn.Module):
    """Subtracts the mean of each 4x4 window: what happens depends on where the window lies."""

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[-2:]
        padded = nn.functional.pad(x, (0, -width % 4, 0, -height % 4))
        windows = padded.unflatten(-2, (-1, 4)).unflatten(-1, (-1, 4))
        return (windows - windows.mean((-3, -1), keepdim=True)).flatten(-2).flatten(-3, -2)[..., :height, :width]


class Windowed(Conv):
    card = Card(key="windowed", name="Windowed", adapter="sr_networks:Windowed", bits_w=32, bits_a=32)

    def body(self) -> nn.Module:
        return WindowedBody()


class Pooled(Conv):
    card = Card(key="pooled", name="Pooled", adapter="sr_networks:Pooled", bits_w=32, bits_a=32)

    def body(self) -> nn.Module:
        return PooledBody()


def context(out: Path | None = None, data_root: Path | None = None, **settings: Any) -> Context:
    """A context that knows the real algorithms and the ones above. ``extra`` holds track options."""
    registry = discover()
    own = {cls.card.key: cls for cls in (Conv, Binary, DeepBinary, Pooled, Windowed)}

    def load(key: str) -> Algorithm:
        return own[key]() if key in own else registry.loader(key)

    cards = {**registry.cards, **{key: cls.card for key, cls in own.items()}}
    return Context(Settings(data_root=data_root, **settings), load, cards, out=out)


def cell(track: str, algo: str, case: str = "sample", scale: int = 2) -> Cell:
    return Cell(track, algo, "none" if algo == "bicubic" else "small", f"x{scale}", case)
