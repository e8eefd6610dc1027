"""Which claimed layer is running right now: for counting and checking below autograd, at PyTorch's dispatcher."""

from __future__ import annotations

from collections import Counter

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from bench.nn.algorithm import Tag, tagged

aten = torch.ops.aten


class ClaimStack:
    """Context manager over a network: inside it, `current` is the innermost claimed layer in whose forward we are."""

    def __init__(self, network: nn.Module):
        self._claims = {id(module): (name, claim) for name, module, claim in tagged(network)}
        self._network = network
        self._stack: list[tuple[str, Tag]] = []

    @property
    def current(self) -> tuple[str, Tag] | None:
        return self._stack[-1] if self._stack else None

    def __enter__(self) -> ClaimStack:
        claimed = [module for module in self._network.modules() if id(module) in self._claims]
        self._hooks = [module.register_forward_pre_hook(self._push) for module in claimed]
        self._hooks += [module.register_forward_hook(self._pop) for module in claimed]
        return self

    def __exit__(self, *_: object) -> None:
        for hook in self._hooks:
            hook.remove()

    def _push(self, module: nn.Module, _: object) -> None:
        self._stack.append(self._claims[id(module)])

    def _pop(self, *_: object) -> None:
        self._stack.pop()


class LevelWatch(TorchDispatchMode):
    """Counts distinct values of weights and inputs wherever a low-bit layer multiplies; without ``values`` only how
    often it does.
    """

    def __init__(self, stack: ClaimStack, values: bool = True):
        super().__init__()
        self.values = values
        self.problems: list[str] = []
        self.checked: Counter[str] = Counter()
        """Products with weights or between activations, by low-bit layer"""
        self._claims = stack

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        if self._claims.current and not self._claims.current[1].full_precision:
            if func is aten.convolution.default:
                self._check(args[0], args[1].flatten(1))
            elif func in (aten.addmm.default, aten.mm.default):
                self._check(args[-2], args[-1].t())
            elif func in (aten.bmm.default, aten.baddbmm.default):
                self._check(args[-2], args[-1].transpose(1, 2).flatten(0, 1))
            elif func._overloadpacket in flop_registry:
                self.problems.append(f"{self._claims.current[0]}: {func} multiplies where nobody can count its values")
        return func(*args, **(kwargs or {}))

    def _check(self, x: Tensor, weight: Tensor) -> None:
        name, claim = self._claims.current
        self.checked[name] += 1
        if not self.values:
            return
        levels = 1 + int((weight.sort(dim=1).values.diff(dim=1) != 0).sum(1).max())
        if levels > 2 ** (claim.bits_w * claim.bases):
            claimed = f"{claim.bits_w} bit x {claim.bases} base(s)"
            self.problems.append(f"{name}: {levels} weight values in one output channel, claimed {claimed}")
        values = x.unique().numel()
        if values > 2**claim.bits_a:
            self.problems.append(f"{name}: {values} input values, claimed {claim.bits_a} bit")
