"""The backbones by name: one module and one line each. No network code here, so that lists and plans stay quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Literal

from bench.contract.card import KEY_PATTERN
from bench.contract.errors import UserError
from bench.contract.importing import import_file


@dataclass(frozen=True)
class Backbone:
    """What is known about a backbone before its module is imported."""

    key: str
    title: str
    module: str
    """Module that holds the network, or the path of a user's own file."""
    family: Literal["cnn", "transformer"] = "cnn"
    scales: tuple[int, ...] = (2, 3, 4)
    options: Mapping[str, float] = field(default_factory=dict)
    """Further arguments of the module's ``build(algorithm, scale, ...)``."""
    function: str = "build"
    own: bool = False
    """True for one that a user named by its file."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "options", MappingProxyType(dict(self.options)))


BACKBONES: dict[str, Backbone] = {
    backbone.key: backbone
    for backbone in (
        Backbone("srresnet", "SRResNet (MSRResNet)", "bench.nn.backbones.srresnet"),
        Backbone("edsr", "EDSR baseline", "bench.nn.backbones.edsr"),
        Backbone(
            "edsr_large",
            "EDSR",
            "bench.nn.backbones.edsr",
            options={"channels": 256, "blocks": 32, "res_scale": 0.1},
        ),
        Backbone("rdn", "RDN", "bench.nn.backbones.rdn"),
        Backbone("rcan", "RCAN", "bench.nn.backbones.rcan"),
        Backbone("swinir_s", "SwinIR-S", "bench.nn.backbones.swinir_s", family="transformer"),
    )
}


def add_own(spec: str) -> Backbone:
    """Add a user's own backbone, named by ``path/to/file.py:function``, and return it.

    ``function(algorithm, scale)`` builds the network; its name is the backbone's key. The family is that of its
    attribute ``family`` where it has one, else ``cnn``.

    Raises:
        UserError: no such file or function, or a key that another backbone has.
    """
    target, _, name = spec.rpartition(":")
    if not target.endswith(".py") or not KEY_PATTERN.fullmatch(name):
        raise UserError(f"{spec!r} names no backbone. Expected path/to/file.py:function, its name in lower case.")
    path = Path(target).expanduser().resolve()
    build = getattr(import_file(path), name, None)
    if not callable(build):
        raise UserError(f"{path} has no function {name}. Expected {name}(algorithm, scale), which builds the network.")
    made = Backbone(name, name, str(path), getattr(build, "family", "cnn"), function=name, own=True)
    if (other := BACKBONES.setdefault(name, made)).module != made.module:
        raise UserError(f"the backbone {name!r} is {other.module} already. Give {path}'s function another name.")
    return made


def own_backbones() -> dict[str, str]:
    """Key -> ``file.py:function`` of the users' own, for processes that must know them too."""
    return {key: f"{item.module}:{item.function}" for key, item in BACKBONES.items() if item.own}
