"""Where a run that diverged broke first."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import torch
from torch import Tensor, nn


def finite(tensors: Iterable[Tensor]) -> bool:
    """True when every element of every tensor is finite."""
    norms = torch._foreach_norm([t for t in tensors if t is not None and t.numel()])
    return bool(torch.isfinite(torch.stack([n.float() for n in norms])).all()) if norms else True


def broken_weight(network: nn.Module) -> str | None:
    """Name of the first parameter or buffer, in the network's order, that holds NaN or infinity."""
    tensors = [*network.named_parameters(), *network.named_buffers()]
    return next((name for name, t in tensors if t.is_floating_point() and not torch.isfinite(t).all()), None)


def broken_gradient(network: nn.Module) -> str | None:
    """Name of the parameter nearest the output whose gradient is not finite: gradients break from there backwards."""
    found = [name for name, p in network.named_parameters() if p.grad is not None and not finite([p.grad])]
    return found[-1] if found else None


def broken_activation(network: nn.Module, run: Callable[[], object]) -> str | None:
    """Name of the first module to put out NaN or infinity while ``run`` is called; None when all stay finite."""
    first: list[str] = []

    def watch(name: str) -> Callable[..., None]:
        def hook(module: nn.Module, inputs: object, output: object) -> None:
            if not first and isinstance(output, Tensor) and not torch.isfinite(output).all():
                first.append(name)

        return hook

    handles = [module.register_forward_hook(watch(name)) for name, module in network.named_modules() if name]
    try:
        with torch.no_grad():
            run()
    finally:
        for handle in handles:
            handle.remove()
    return first[0] if first else None
