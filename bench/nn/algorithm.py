"""What a method is: the unit that replaces a convolution, and where it does so."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar, Literal, TypeVar

import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Card, Unsupported
from bench.contract.backbones import BACKBONES
from bench.layer.unit_base import UnitShell
from bench.nn.naming import Naming
from bench.nn.starts import start_named

ALIGNMENT = 130.0
"""Image range at 64 channels that brings features and binary branches to one size (BBCU's k)"""

EQUAL_START = "fan_in"
"""Start of binary layers' latent weights on equal footing: narrow enough for signs to turn, wide enough to scale by"""

CNNS = tuple(key for key, backbone in BACKBONES.items() if backbone.family == "cnn")
"""Backbones for methods that are defined on convolutions alone."""

Place = Literal["head", "body", "after_body", "upsample", "conv_hr", "tail", "linear", "attention"]
"""Where a layer stands. Backbones ask a method for convolutions at ``body`` (of any input width and kernel 3 or 1) and
linear layers at ``linear``; ``after_body`` is the convolution before the long skip, ``upsample`` the one before a pixel
shuffle, ``conv_hr`` the one at full size, ``tail`` the last. ``attention`` is what an attention mechanism computes
besides its linear layers (products, position tables, normalisation, channel squeeze); it stays full precision."""


@dataclass(frozen=True)
class Tag:
    """What a convolution or linear layer claims to be. Counting needs a claim; conformance tests it."""

    place: Place
    bits_w: int = 32
    bits_a: int = 32
    bases: int = 1

    @property
    def full_precision(self) -> bool:
        return self.bits_w == 32 and self.bits_a == 32


@dataclass(frozen=True)
class Recipe:
    """How a method is trained in its paper. Presets shorten it in proportion; they never change its kind."""

    iterations: int = 300_000
    batch: int = 16
    lr_patch: int = 32
    """Low-resolution patch side, pixels."""
    learning_rate: float = 1e-4
    betas: tuple[float, float] = (0.9, 0.999)
    halve_at: tuple[int, ...] = (200_000,)
    """Iterations after which the learning rate is halved."""
    source: str = ""
    """Where the figures stand; what is assumed."""
    calibration: bool = False
    """True for a post-training method: the weights stay the teacher's, and what is left to learn, the quantizers'
    bounds, does so at this recipe's own rate and optimizer whatever the preset, for they are not weights."""
    from_teacher: bool = False
    """True when training starts from the full-precision teacher's weights, wherever name and shape agree."""


class Algorithm:
    """A method. `conv` is enough for a new binarizer; everything else has a default.

    Backbones ask for each layer by its place and never know which method they carry.
    """

    card: ClassVar[Card]
    scope: ClassVar[frozenset[Place]] = frozenset({"body"})
    """Places the method quantizes; the rest stays full precision."""
    backbones: ClassVar[tuple[str, ...]] = tuple(BACKBONES)
    """Keys of those it is defined on. Of a user's own, see `is_defined_on`."""
    block_shortcut: ClassVar[bool] = True
    """False when each unit carries its own shortcut (see `bench.nn.unit.skip_for`), so that the backbone's shortcut
    around one unit or a chain of them would count twice."""
    needs_teacher: ClassVar[bool] = False
    """True when `loss` compares with a trained full-precision network."""
    recipe: ClassVar[Recipe] = Recipe()
    start: ClassVar[str | Mapping[Place, str]] = ""
    """How the latent weights of its layers begin in its own code: a name out of `bench.nn.starts`, or one for each
    place; where there is none, as `conv` made them. The card says where it comes from."""
    as_printed: ClassVar[bool] = False
    """True for a network that begins as its paper's own does: by `start`, and fed with images in 0..1. All others with
    binary activations begin on equal footing: latents by `EQUAL_START`, images in the range of `ALIGNMENT`."""

    namings: ClassVar[Mapping[str, tuple[Naming, ...]]] = {}
    """Backbone -> the parameters' names in the official code's networks (see `bench.nn.naming`), so that trained ones
    can be brought along."""

    def conv(self, cin: int, cout: int, kernel: int, *, place: Place) -> nn.Module:
        """The unit that replaces a stride-1, same-size convolution at ``place``: (N, cin, H, W) -> (N, cout, H, W).

        For ``place == "linear"`` the kernel is 1 and it is called on tokens (N, L, cin).
        """
        raise NotImplementedError(f"{type(self).__name__} must define conv(self, cin, cout, kernel, *, place)")

    def nonlinearity(self, channels: int) -> nn.Module:
        """What stands where the backbone's body has a ReLU."""
        return nn.ReLU()

    def block(self, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None) -> nn.Module:
        """A residual block of the body. ``attention`` acts on the branch before it is scaled and added (RCAN)."""
        return ResidualBlock(self, channels, res_scale, attention)

    def upsample_stage(self, channels: int, factor: int, activation: nn.Module | None) -> nn.Module:
        """(N, channels, H, W) -> (N, channels, factor*H, factor*W)."""
        conv = self.layer("upsample", channels, channels * factor**2, 3)
        return nn.Sequential(*(m for m in (conv, nn.PixelShuffle(factor), activation) if m is not None))

    def image_range(self, channels: int) -> float:
        """The network works on images multiplied by this (input in [0, 1]); the output is divided by it again.

        Signs lose the size of what they were taken from, so what a binary layer adds to the features is some thirty
        times larger than SRResNet's features of an image in 0..1, and adding nothing is the best that it can learn.
        `ALIGNMENT` brings both to one size, by the same rule for every method with binary activations (BBCU, Xia et
        al., ICLR 2023, section 3.2, residual alignment). A backbone with a range of its own (EDSR's 255) takes the
        larger of the two.
        """
        return ALIGNMENT * channels / 64 if self._equal_footing else 1.0

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """Training loss of a batch: lr (N, 3, h, w) and hr (N, 3, scale*h, scale*w), both in [0, 1].

        Runs ``network(lr)`` itself, so that a method may look at features. ``teacher`` is the trained full-precision
        network of the same backbone, in evaluation mode, when `needs_teacher` is set.
        """
        return F.l1_loss(network(lr), hr)

    def take_over(self, network: nn.Module, teacher: nn.Module) -> int:
        """Where `Recipe.from_teacher` is set: copy what training starts from; how many tensors that were."""
        return copy_matching(network, teacher)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        """Called before each training iteration with the share of the run that is done, in [0, 1)."""

    def after_step(self, network: nn.Module) -> None:
        """Called after each optimizer step, e.g. to clip latent weights."""

    def parameter_groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        """Optimizer groups; one group with everything unless the method trains some parameters at another rate."""
        return [{"params": list(network.parameters()), "lr": learning_rate}]

    def layer(self, place: Place, cin: int, cout: int, kernel: int, *, bias: bool = True) -> nn.Module:
        """The layer at ``place``: the method's own where it is in scope, else a full-precision one. Tagged."""
        if place in self.scope:
            card = self.card
            conv = self.conv(cin, cout, kernel, place=place)
            self._begin(conv, place)
            return tag(conv, Tag(place, card.bits_w, card.bits_a, card.bases))
        if place == "linear":
            return tag(nn.Linear(cin, cout, bias), Tag(place))
        return tag(nn.Conv2d(cin, cout, kernel, padding=kernel // 2, bias=bias), Tag(place))

    def start_at(self, place: Place) -> str:
        """Name of the start of the latent weights at ``place``; empty where they begin as `conv` made them."""
        own = self.start if isinstance(self.start, str) else self.start.get(place, "")
        return EQUAL_START if self._equal_footing else own

    def _begin(self, layer: nn.Module, place: Place) -> None:
        name = self.start_at(place)
        for unit in parts_of(layer, UnitShell) if name else ():
            start_named(name)(unit.weight)

    @property
    def _equal_footing(self) -> bool:
        return self.card.bits_a == 1 and not self.as_printed

    @classmethod
    def is_defined_on(cls, backbone: str) -> bool:
        """True for its `backbones`, and for a user's own of a family that it covers whole."""
        if (asked := BACKBONES.get(backbone)) is None or not asked.own:
            return backbone in cls.backbones
        return all(key in cls.backbones for key, one in BACKBONES.items() if one.family == asked.family and not one.own)

    def build(self, backbone: str, scale: int) -> nn.Module:
        """The network on ``backbone``. Raises Unsupported when the method does not fit it."""
        from bench.nn.backbones import build_backbone

        if not self.is_defined_on(backbone):
            raise Unsupported(f"{self.card.name} is not defined on {backbone}; it is on: {', '.join(self.backbones)}")
        return build_backbone(self, backbone, scale)


class ResidualBlock(nn.Module):
    """``x + res_scale * attention(branch)``, the branch being conv - nonlinearity - conv.

    Where the units carry their own shortcuts, the convolutions return the input and the branch together. The branch is
    then what they added to the input, so that neither scale nor attention touches the identity path.
    """

    def __init__(self, algorithm: Algorithm, channels: int, res_scale: float = 1.0, attention: nn.Module | None = None):
        super().__init__()
        self.conv1 = algorithm.layer("body", channels, channels, 3)
        self.nonlinearity = algorithm.nonlinearity(channels)
        self.conv2 = algorithm.layer("body", channels, channels, 3)
        self.attention = attention
        self.shortcut, self.res_scale = algorithm.block_shortcut, res_scale

    def forward(self, x: Tensor) -> Tensor:
        y = self.conv2(self.nonlinearity(self.conv1(x)))
        if self.attention is None and self.res_scale == 1.0:
            return x + y if self.shortcut else y
        branch = y if self.shortcut else y - x
        if self.attention is not None:
            branch = self.attention(branch)
        return x + (branch * self.res_scale if self.res_scale != 1.0 else branch)


def copy_matching(module: nn.Module, source: nn.Module) -> int:
    """Copy weights wherever name and shape agree; how many tensors that were. A unit in place of a linear layer holds
    its weights as a 1x1 convolution's."""
    mine, theirs = module.state_dict(), source.state_dict()
    shapes = {name: (value.shape, (*value.shape, 1, 1)) for name, value in theirs.items()}
    common = [name for name, value in mine.items() if value.shape in shapes.get(name, ())]
    module.load_state_dict({**mine, **{name: theirs[name].reshape(mine[name].shape) for name in common}})
    return len(common)


def tag(module: nn.Module, claim: Tag) -> nn.Module:
    """Attach a claim to a layer and return it."""
    module.bench_tag = claim
    return module


def tagged(module: nn.Module) -> Iterable[tuple[str, nn.Module, Tag]]:
    """Every tagged layer of a network: (name, module, claim)."""
    for name, child in module.named_modules():
        claim = getattr(child, "bench_tag", None)
        if claim is not None:
            yield name, child, claim


Part = TypeVar("Part", bound=nn.Module)


def parts_of(network: nn.Module, kind: type[Part]) -> Iterator[Part]:
    """Every module of class ``kind`` in a network, e.g. the quantizers whose schedule an algorithm advances."""
    return (module for module in network.modules() if isinstance(module, kind))
