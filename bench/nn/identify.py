"""Which network a table of tensors belongs to: method, backbone and scale, by names and shapes alone."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.contract import Unsupported
from bench.contract.backbones import BACKBONES
from bench.nn.algorithm import Algorithm
from bench.nn.build import namings_of
from bench.nn.naming import Fit, Tensors, fit

Load = Callable[[str], Algorithm]
PLAIN = "fp32"
"""Key of full precision"""


@dataclass(frozen=True)
class Match:
    """A network that a table of tensors was read as."""

    algo: str
    backbone: str
    scale: int
    fitted: Fit

    @property
    def exact(self) -> bool:
        return not self.fitted.problems

    @property
    def target(self) -> str:
        """``fp32@edsr.x2``, as ``--weights`` takes it."""
        return f"{self.algo}@{self.backbone}.x{self.scale}"


def identify(
    tensors: Tensors, load: Load, algos: Iterable[str], backbones: Sequence[str], scale: int | None = None
) -> list[Match]:
    """Every network that the tensors fit in full; where there is none, the nearest one, or nothing when no name is met.

    Full precision and methods whose official names are known come first; all others only if none of these fits.
    """
    keys = list(algos)
    plain = [(key, backbone) for key in keys if key == PLAIN for backbone in backbones]
    official = [(key, backbone) for key in keys for backbone in load(key).namings if backbone in backbones]
    found = _best(tensors, load, [*plain, *official], scale)
    if not any(one.exact for one in found):
        likely = _likely(tensors, load, backbones)
        found += _best(tensors, load, [(key, backbone) for backbone in likely for key in keys], scale)
    exact = [one for one in found if one.exact]
    return exact or sorted(found, key=lambda one: (-one.fitted.share, len(one.fitted.problems)))[:1]


def _best(tensors: Tensors, load: Load, pairs: Sequence[tuple[str, str]], scale: int | None) -> list[Match]:
    """Of methods on backbones those whose names are met best, at every scale or at the one given."""
    scales = {backbone: [scale] if scale else BACKBONES[backbone].scales for _, backbone in pairs}
    found = [one for pair in pairs if (one := _match(tensors, load, *pair, scales[pair[1]][0])) is not None]
    best = max((one.fitted.share for one in found), default=0)
    near = [one for one in found if one.fitted.share and one.fitted.share == best]
    others = [(one, other) for one in near if not one.exact for other in scales[one.backbone][1:]]
    return near + [
        m for one, other in others if (m := _match(tensors, load, one.algo, one.backbone, other)) is not None
    ]


def _match(tensors: Tensors, load: Load, algo: str, backbone: str, scale: int) -> Match | None:
    algorithm = load(algo)
    expected = _state(algorithm, backbone, scale)
    namings = namings_of(algorithm, backbone)
    return None if expected is None else Match(algo, backbone, scale, fit(expected, tensors, namings))


def _likely(tensors: Tensors, load: Load, backbones: Iterable[str]) -> list[str]:
    """Backbones whose parts around the body have the tensors' names, in the project's own naming."""
    ends = {}
    for backbone in backbones:
        state = _state(load(PLAIN), backbone, BACKBONES[backbone].scales[0]) or {}
        names = {name for name in state if not name.startswith("body.")}
        ends[backbone] = len(names & tensors.keys()) / max(1, len(names))
    most = max(ends.values(), default=0)
    return [backbone for backbone, share in ends.items() if share and share == most]


def elsewhere(tensors: Tensors, algorithm: Algorithm, backbone: str) -> Match | None:
    """The other scale, or other backbone, of a method that tensors fit in full."""
    key = algorithm.card.key
    places = sorted(algorithm.backbones, key=lambda other: other != backbone)
    pairs = ((other, scale) for other in places if other in BACKBONES for scale in BACKBONES[other].scales)
    found = (_match(tensors, lambda _: algorithm, key, other, scale) for other, scale in pairs)
    return next((one for one in found if one is not None and one.exact), None)


def _state(algorithm: Algorithm, backbone: str, scale: int) -> dict[str, Tensor] | None:
    """Names and shapes of a network's tensors, without memory for them; None where the method has no such network."""
    try:
        with torch.random.fork_rng(devices=[]), torch.device("meta"):
            return algorithm.build(backbone, scale).state_dict()
    except Unsupported:
        return None
