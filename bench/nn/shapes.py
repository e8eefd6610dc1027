"""Runs a network on shapes alone, fast."""

from __future__ import annotations

from functools import cache
from typing import NamedTuple

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode


class ShapesOnly(TorchDispatchMode):
    """Runs operations on the meta device, each distinct one once.

    PyTorch works out the shapes of most operations in Python, which takes a deep network seconds. Networks repeat
    themselves, so an operation on shapes met before gets a new tensor of the shape known from then.
    """

    def __init__(self) -> None:
        super().__init__()
        self._known: dict[object, object] = {}

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        written = _written(func)
        if written is None:
            return func(*args, **kwargs)
        key = _key(func, args, kwargs)
        if key in self._known:
            return _argument(written, args, kwargs) if written else _empty(self._known[key])
        out = func(*args, **kwargs)
        results = out if isinstance(out, tuple) else (out,)
        if _key(func, args, kwargs) == key and all(isinstance(item, Tensor) and item.is_meta for item in results):
            self._known[key] = _signature(out)
        return out


class _Shape(NamedTuple):
    size: torch.Size
    stride: tuple[int, ...]
    dtype: torch.dtype
    device: torch.device


class _Written(NamedTuple):
    """The argument that an in-place operation changes and returns."""

    position: int
    name: str


@cache
def _written(func: torch._ops.OpOverload) -> _Written | tuple[()] | None:
    """What ``func`` writes to: one argument, nothing (), or None for views and whatever else shares storage."""
    shared = [(i, a) for i, a in enumerate(func._schema.arguments) if a.alias_info]
    if not shared:
        return () if not any(r.alias_info for r in func._schema.returns) else None
    if len(shared) == len(func._schema.returns) == 1 and shared[0][1].alias_info.is_write:
        return _Written(shared[0][0], shared[0][1].name)
    return None


def _argument(written: _Written, args: tuple[object, ...], kwargs: dict[str, object]) -> object:
    return kwargs[written.name] if written.name in kwargs else args[written.position]


def _key(func: torch._ops.OpOverload, args: tuple[object, ...], kwargs: dict[str, object]) -> tuple[object, ...]:
    return (func, _signature(args), _signature(tuple(kwargs.items()))) if kwargs else (func, _signature(args))


def _signature(value: object) -> object:
    """Arguments or results of an operation, of tensors only what shapes depend on. Hashable."""
    if isinstance(value, Tensor):
        return _Shape(value.size(), value.stride(), value.dtype, value.device)
    return tuple(_signature(item) for item in value) if isinstance(value, tuple | list) else value


def _empty(signature: object) -> Tensor | tuple[Tensor, ...]:
    """New tensors for the signature of an operation's result."""
    if isinstance(signature, _Shape):
        return torch.empty_strided(signature.size, signature.stride, dtype=signature.dtype, device="meta")
    return tuple(_empty(item) for item in signature)
