"""What is installed beyond the base, by extra of pyproject.toml. Standard library only; imports none of it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from importlib.util import find_spec
from types import MappingProxyType

from bench.contract import UserError

EXTRAS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "metrics": ("pyiqa", "torchvision"),
        "robust": ("imagecorruptions",),
        "train": ("lightning_fabric",),
        "data": ("pooch", "requests"),
        "peers": ("onnx", "onnxruntime", "openvino"),
        "cluster": ("submitit",),
    }
)
"""Extra -> the modules that a run imports from it."""


def missing(extra: str) -> list[str]:
    """Modules of an extra that this Python does not have."""
    return [name for name in EXTRAS[extra] if find_spec(name) is None]


def install_command(extras: Iterable[str]) -> str:
    """The one command, run in the repository, that installs the base and some extras."""
    names = ",".join(sorted(set(extras)))
    return f'python -m pip install -e ".[{names}]"' if names else "python -m pip install -e ."


def require(needs: Mapping[str, Iterable[str]]) -> None:
    """Refuse what cannot run here, all of it at once. ``needs``: what is to be done -> extras that it needs.

    Raises:
        UserError: an extra is missing; the message holds one command for all that are.
    """
    lacking = {what: {extra: found for extra in extras if (found := missing(extra))} for what, extras in needs.items()}
    lacking = {what: found for what, found in lacking.items() if found}
    if not lacking:
        return
    lines = [
        f"{what} needs {', '.join(name for names in found.values() for name in names)}, which this Python does not have"
        for what, found in lacking.items()
    ]
    command = install_command(extra for found in lacking.values() for extra in found)
    raise UserError(f"{'; '.join(lines)}. In the repository, run: {command}")
