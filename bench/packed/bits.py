"""Booleans and small integers as bits along channels: 64 channels a word, channel c in bit c % 64 of word c // 64."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

WORD = 64


def word_count(channels: int) -> int:
    """Words that hold one bit of each of ``channels`` channels."""
    return -(-channels // WORD)


def pack_words(bits: Tensor) -> Tensor:
    """bool [..., C] -> int64 [..., words]; bits past the last channel are 0."""
    channels = bits.shape[-1]
    packed = np.packbits(bits.numpy(), axis=-1, bitorder="little")
    whole = np.zeros((*packed.shape[:-1], word_count(channels) * WORD // 8), dtype=np.uint8)
    whole[..., : packed.shape[-1]] = packed
    return torch.from_numpy(whole.view("<i8"))


def unpack_words(words: Tensor, channels: int) -> Tensor:
    """int64 [..., words] -> bool [..., C]. Raises ValueError when the words do not fit or hold bits past channel C."""
    if words.shape[-1] != word_count(channels):
        raise ValueError(f"got {words.shape[-1]} words, expected {word_count(channels)} for {channels} channels")
    packed = words.contiguous().numpy().astype("<i8", copy=False).view(np.uint8)
    bits = np.unpackbits(packed, axis=-1, bitorder="little")
    if bits[..., channels:].any():
        raise ValueError(f"bits set past the last of {channels} channels")
    return torch.from_numpy(bits[..., :channels].astype(bool))


def pack_planes(levels: Tensor, bits: int) -> Tensor:
    """Integers 0 to 2**bits - 1 as bit planes, least significant first: [..., C] -> int64 [bits, ..., words]."""
    return torch.stack([pack_words((levels >> bit) & 1 == 1) for bit in range(bits)])


def unpack_planes(planes: Tensor, channels: int) -> Tensor:
    """int64 [bits, ..., words] -> int32 [..., C], the integers behind the planes. Raises as `unpack_words`."""
    return sum(unpack_words(plane, channels).to(torch.int32) << bit for bit, plane in enumerate(planes))
