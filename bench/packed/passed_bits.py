"""Bits that go straight from one layer to the next.

Where binary layer B reads the very tensor that layer A wrote, A can take its signs while the values are still in the
first-level cache, and B need not pass over the floats again. Nobody declares such pairs: A leaves a `Handover` on its
output tensor, B finds it there and makes itself known to A, and from the next image on A packs for B. B takes what it
finds only if it was packed for it and the tensor has not been written, resized or re-pointed since.
"""

from __future__ import annotations

import weakref
from typing import Any, Protocol

from torch import Tensor

_NOTE = "_packed_handover"


class Layer(Protocol):
    """What this file needs of a packed layer."""

    geometry: Any
    next: weakref.ref[Any] | None
    """The layer that reads what this one writes"""


class Handover:
    """What a layer leaves on its output. A copied or unpickled tensor carries an empty one."""

    def __init__(self, out: Tensor | None = None, maker: Layer | None = None, reader: Layer | None = None):
        self.packed: Tensor | None = None
        """uint8 (N, H, W, bytes): ``out`` packed for ``reader``"""
        self._maker = None if maker is None else weakref.ref(maker)
        self._reader = None if reader is None else weakref.ref(reader)
        self._state = None if out is None else _state(out)

    def __reduce__(self) -> tuple[type[Handover], tuple[()]]:
        return Handover, ()


def leave(out: Tensor, maker: Layer, reader: Layer | None, packed: Tensor | None) -> None:
    """Note on ``out`` that ``maker`` wrote it, and its packed form for ``reader`` if there is one."""
    note = Handover(out, maker, reader)
    note.packed = packed
    setattr(out, _NOTE, note)


def take(x: Tensor, reader: Layer) -> Tensor | None:
    """The packed form of ``x`` that its maker left for ``reader``, if it is still true; None otherwise.

    If another packed layer wrote ``x``, it will pack for ``reader``, a binary layer, from now on.
    """
    note = getattr(x, _NOTE, None)
    if note is None or not reader.geometry.binary or note._maker is None or note._state != _state(x):
        return None
    if note._reader is not None and note._reader() is reader:
        return note.packed
    maker = note._maker()
    if maker is not None:
        maker.next = weakref.ref(reader)
    return None


def _state(x: Tensor) -> tuple[object, ...]:
    """Changes whenever ``x`` is written through PyTorch, or made to show other memory."""
    return x._version, x.data_ptr(), x.shape, x.stride()
