"""How often the claimed layers and quantized units of a network run in a pass."""

from __future__ import annotations

from collections import Counter
from functools import partial

from torch import nn

from bench.layer.unit_base import UnitShell


class CallCount:
    """Context manager over a network: inside it, `calls` grows by one for each call of a watched module.

    Watched are claimed layers and quantized units, except those whose names are in ``leave``. A call that a module
    makes of itself (tokens turned into an image) belongs to the first. Where another engine runs a module as one (its
    ``forward`` says ``as_one``), a call of it is one of each watched module inside.
    """

    def __init__(self, network: nn.Module, leave: frozenset[str] = frozenset()):
        self.calls: Counter[str] = Counter()
        self._modules = {
            name: module
            for name, module in network.named_modules()
            if name not in leave and (hasattr(module, "bench_tag") or isinstance(module, UnitShell))
        }
        self._inside: Counter[str] = Counter()
        self._as_one = {
            name: module for name, module in network.named_modules() if getattr(module.forward, "as_one", False)
        }

    def __enter__(self) -> CallCount:
        self._hooks = []
        for name, module in self._modules.items():
            self._hooks.append(module.register_forward_pre_hook(partial(self._enter, name)))
            self._hooks.append(module.register_forward_hook(partial(self._leave, name)))
        for name, module in self._as_one.items():
            inside = [watched for watched in self._modules if watched.startswith(f"{name}.")]
            self._hooks.append(module.register_forward_pre_hook(partial(self._enter_all, inside)))
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def take(self) -> dict[str, int]:
        """The calls since the last time, by name; those that did not run are left out."""
        calls = dict(self.calls)
        self.calls.clear()
        return calls

    def _enter(self, name: str, *_: object) -> None:
        self.calls[name] += not self._inside[name]
        self._inside[name] += 1

    def _enter_all(self, names: list[str], *_: object) -> None:
        self.calls.update(names)

    def _leave(self, name: str, *_: object) -> None:
        self._inside[name] -= 1


def shortfall(calls: dict[str, int], counted: dict[str, int]) -> str:
    """The first layer that did not run as often as it was counted, in words; empty when all did."""
    odd = [name for name in counted.keys() | calls.keys() if calls.get(name, 0) != counted.get(name, 0)]
    if not odd:
        return ""
    name = min(odd)
    more = f" (and {len(odd) - 1} more layers)" if len(odd) > 1 else ""
    return f"{name} ran {calls.get(name, 0)} times in a pass, counted were {counted.get(name, 0)}{more}"
