"""Parts of a network that do not run as it stands: the other depths of a super-net. Files leave them out."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor, nn


def drop_idle(network: nn.Module, floats: Mapping[str, Tensor] | None = None) -> None:
    """Remove what does not run, in place.

    A module with such parts has a method ``drop_idle()`` that removes them; the choice must follow from what is left.
    It is called once the module holds those of its tensors that are in ``floats``, a state of the whole network.
    """
    given = floats or {}
    for name, module in [*network.named_modules()]:
        if hasattr(module, "drop_idle"):
            held = {f"{name}.{key}": value for key, value in module.state_dict().items()}
            fitting = [key for key, value in held.items() if key in given and given[key].shape == value.shape]
            module.load_state_dict({key.removeprefix(f"{name}."): given[key] for key in fitting}, strict=False)
            module.drop_idle()
