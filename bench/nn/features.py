"""Features inside a network, for losses that compare a network with its teacher."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from torch import Tensor, nn


@contextmanager
def recorded(network: nn.Module, kinds: type[nn.Module] | tuple[type[nn.Module], ...]) -> Iterator[list[Tensor]]:
    """Inside the context, every output of a module of ``kinds`` is appended to the list, in the order they run."""
    outputs: list[Tensor] = []
    hooks = [
        module.register_forward_hook(lambda module, args, output: outputs.append(output))
        for module in network.modules()
        if isinstance(module, kinds)
    ]
    try:
        yield outputs
    finally:
        for hook in hooks:
            hook.remove()
