"""SwinIR, lightweight (Liang et al., ICCVW 2021): 60 channels, 4 groups of 6 transformer layers, window 8, 6 heads.

910,152 / 918,267 / 929,628 parameters at x2 / x3 / x4. Linear layers are called on the tokens of whole images
(N, H*W, C), before windows are cut: the same function, and a method sees one image per sample.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor, nn

from bench.nn.algorithm import Algorithm, Tag, tag
from bench.nn.backbones.edsr import MEAN
from bench.nn.naming import Naming, within
from bench.nn.network import Network

WINDOW = 8
HEADS = 6


def build(algorithm: Algorithm, scale: int, channels: int = 60, groups: int = 4, layers: int = 6) -> Network:
    network = Network(
        head=algorithm.layer("head", 3, channels, 3),
        body=TransformerBody(algorithm, channels, groups, layers),
        upsampler=nn.Identity(),
        tail=nn.Sequential(algorithm.layer("tail", channels, 3 * scale**2, 3), nn.PixelShuffle(scale)),
        scale=scale,
        image_range=algorithm.image_range(channels),
        mean=MEAN,
        multiple=WINDOW,
    )
    for module in network.modules():
        if isinstance(module, nn.Linear):
            nn.init.trunc_normal_(module.weight, std=0.02)
            nn.init.zeros_(module.bias)
    return network


class TransformerBody(nn.Module):
    """Norm, groups, norm and a convolution, plus the input: (N, C, H, W) -> (N, C, H, W), H and W multiples of 8."""

    def __init__(self, algorithm: Algorithm, channels: int, groups: int, layers: int):
        super().__init__()
        self.first_norm = tag(nn.LayerNorm(channels), Tag("head"))
        self.groups = nn.ModuleList(TransformerGroup(algorithm, channels, layers) for _ in range(groups))
        self.last_norm = tag(nn.LayerNorm(channels), Tag("after_body"))
        self.conv = algorithm.layer("after_body", channels, channels, 3)

    def forward(self, x: Tensor) -> Tensor:
        size = x.shape[-2:]
        tokens = self.first_norm(to_tokens(x))
        for group in self.groups:
            tokens = group(tokens, size)
        return x + self.conv(to_image(self.last_norm(tokens), size))


class TransformerGroup(nn.Module):
    """RSTB: transformer layers, every second one with shifted windows, and a convolution, plus the input."""

    def __init__(self, algorithm: Algorithm, channels: int, layers: int):
        super().__init__()
        self.layers = nn.ModuleList(
            TransformerLayer(algorithm, channels, shift=WINDOW // 2 if i % 2 else 0) for i in range(layers)
        )
        self.conv = algorithm.layer("body", channels, channels, 3)
        self.shortcut = algorithm.block_shortcut

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        y = tokens
        for layer in self.layers:
            y = layer(y, size)
        y = to_tokens(self.conv(to_image(y, size)))
        return tokens + y if self.shortcut else y


class TransformerLayer(nn.Module):
    """Attention and a two-layer perceptron, each behind a norm and with its own residual."""

    def __init__(self, algorithm: Algorithm, channels: int, shift: int, ratio: int = 2):
        super().__init__()
        self.norm1 = tag(nn.LayerNorm(channels), Tag("attention"))
        self.attention = tag(WindowAttention(algorithm, channels, shift), Tag("attention"))
        self.norm2 = tag(nn.LayerNorm(channels), Tag("attention"))
        self.mlp = nn.Sequential(
            algorithm.layer("linear", channels, ratio * channels, 1),
            nn.GELU(),
            algorithm.layer("linear", ratio * channels, channels, 1),
        )

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        tokens = tokens + self.attention(self.norm1(tokens), size)
        return tokens + self.mlp(self.norm2(tokens))


class WindowAttention(nn.Module):
    """Self-attention within windows of 8x8 with a learned bias per relative position (Swin Transformer)."""

    def __init__(self, algorithm: Algorithm, channels: int, shift: int):
        super().__init__()
        self.qkv = algorithm.layer("linear", channels, 3 * channels, 1)
        self.proj = algorithm.layer("linear", channels, channels, 1)
        self.bias_table = nn.Parameter(torch.empty((2 * WINDOW - 1) ** 2, HEADS))
        nn.init.trunc_normal_(self.bias_table, std=0.02)
        self.register_buffer("bias_index", relative_positions(), persistent=False)
        self.shift = shift

    def forward(self, tokens: Tensor, size: tuple[int, int]) -> Tensor:
        height, width = size
        n, length, channels = tokens.shape
        qkv = self.qkv(tokens).view(n, height, width, 3 * channels)
        if self.shift:
            qkv = qkv.roll((-self.shift, -self.shift), dims=(1, 2))
        area, count = WINDOW**2, length // WINDOW**2
        qkv = qkv.view(n, height // WINDOW, WINDOW, width // WINDOW, WINDOW, 3, HEADS, channels // HEADS)
        q, k, v = qkv.permute(5, 0, 1, 3, 6, 2, 4, 7).reshape(3, n, count, HEADS, area, channels // HEADS)
        scores = (q * (channels // HEADS) ** -0.5) @ k.transpose(-2, -1)
        scores = scores + self.bias_table[self.bias_index].permute(2, 0, 1)
        if self.shift:
            scores = scores + shift_mask(height, width, self.shift, tokens.device).to(scores.dtype).unsqueeze(1)
        y = (scores.softmax(-1) @ v).view(n, height // WINDOW, width // WINDOW, HEADS, WINDOW, WINDOW, -1)
        y = y.permute(0, 1, 4, 2, 5, 3, 6).reshape(n, height, width, channels)
        if self.shift:
            y = y.roll((self.shift, self.shift), dims=(1, 2))
        return self.proj(y.reshape(n, length, channels))


def to_tokens(x: Tensor) -> Tensor:
    """(N, C, H, W) -> (N, H*W, C)"""
    return x.flatten(2).transpose(1, 2)


def to_image(tokens: Tensor, size: tuple[int, int]) -> Tensor:
    """(N, H*W, C) -> (N, C, H, W)"""
    return tokens.transpose(1, 2).unflatten(2, size)


def relative_positions() -> Tensor:
    """Row of the bias table for each pair of positions in a window, int64 (64, 64)."""
    y, x = torch.meshgrid(torch.arange(WINDOW), torch.arange(WINDOW), indexing="ij")
    y, x = y.flatten(), x.flatten()
    rows, columns = y[:, None] - y + WINDOW - 1, x[:, None] - x + WINDOW - 1
    return rows * (2 * WINDOW - 1) + columns


@lru_cache(maxsize=4)
def shift_mask(height: int, width: int, shift: int, device: torch.device) -> Tensor:
    """0 where two positions of a shifted window were neighbours in the image, -100 where wrapping joined them.

    float32 (windows, 64, 64). Kept for the last few sizes: all shifted layers of a network share it.
    """

    def regions(length: int) -> Tensor:
        position = torch.arange(length, device=device)
        return (position >= length - WINDOW).long() + (position >= length - shift)

    region = regions(height)[:, None] * 3 + regions(width)
    windows = region.view(height // WINDOW, WINDOW, width // WINDOW, WINDOW).transpose(1, 2).reshape(-1, WINDOW**2)
    return (windows[:, None] != windows[:, :, None]).float() * -100.0


NAMINGS = (
    Naming(
        "SwinIR's official code",
        (
            ("head", "conv_first"),
            ("body.first_norm", "patch_embed.norm"),
            *within(
                "body.groups.{i}.layers.{j}", "layers.{i}.residual_group.blocks.{j}",
                ("norm1", "norm1"), ("norm2", "norm2"), ("mlp.0", "mlp.fc1"), ("mlp.2", "mlp.fc2"),
                ("attention.bias_table", "attn.relative_position_bias_table"),
                ("attention.qkv", "attn.qkv"), ("attention.proj", "attn.proj"),
            ),
            ("body.groups.{i}.conv", "layers.{i}.conv"),
            ("body.last_norm", "norm"),
            ("body.conv", "conv_after_body"),
            ("tail.0", "upsample.0"),
        ),
        (
            "layers.{i}.residual_group.blocks.{j}.attn.relative_position_index",
            "layers.{i}.residual_group.blocks.{j}.attn_mask",
        ),
    ),
)  # fmt: skip
