"""An honest method and its dishonest twins, each for the gate that it is to be stopped by."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Card
from bench.nn.algorithm import Algorithm
from bench.nn.estimators import sign
from bench.nn.quantizers import ShiftedSign, WeightQuantizer, channel_mean, scale_values
from bench.nn.unit import Unit
from bench.packed.pack import packed_units


class CenteredSign(WeightQuantizer):
    def forward(self, weight: Tensor) -> Tensor:
        centered = weight - weight.mean(dim=(1, 2, 3), keepdim=True)
        return scale_values(sign(centered), channel_mean(centered))


class Honest(Algorithm):
    """One bit, one base, and nothing else."""

    wrapper: type[nn.Module] | None = None

    def conv(self, cin: int, cout: int, kernel: int, *, place: str) -> nn.Module:
        return Unit(cin, cout, kernel, weight=CenteredSign(), act=ShiftedSign(cin))

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        if self.wrapper is not None:
            network.__class__ = type(self.wrapper.__name__, (self.wrapper, type(network)), {})
        return network


class Floats(Honest):
    """Plain float convolutions under a 1/1 card."""

    def conv(self, cin: int, cout: int, kernel: int, *, place: str) -> nn.Module:
        return nn.Conv2d(cin, cout, kernel, padding=kernel // 2)


class _FloatUnit(Unit):
    def compute(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        if torch.is_grad_enabled():
            return super().compute(x, shortcut, scale_map)
        return F.conv2d(x, self.weight, padding=self.padding)


class FloatsUnwatched(Honest):
    """Binary while gradients are on, as a checker may look; floats when it counts."""

    def conv(self, cin: int, cout: int, kernel: int, *, place: str) -> nn.Module:
        return _FloatUnit(cin, cout, kernel, weight=CenteredSign(), act=ShiftedSign(cin))


class _ProductUnit(Unit):
    def compute(self, x: Tensor, shortcut: Tensor | None, scale_map: Tensor | None) -> Tensor:
        rows = x.flatten(2)
        return super().compute(x, shortcut, scale_map) + (rows @ rows.transpose(1, 2)).mean()


class Products(Honest):
    """A binary convolution, and a product of float matrices beside it."""

    def conv(self, cin: int, cout: int, kernel: int, *, place: str) -> nn.Module:
        return _ProductUnit(cin, cout, kernel, weight=CenteredSign(), act=ShiftedSign(cin))


class SkipsLayers(Honest):
    """Runs one block where complexity counts all of them."""

    def build(self, backbone: str, scale: int) -> nn.Module:
        network = super().build(backbone, scale)
        chain = next(module for module in network.modules() if isinstance(module, nn.Sequential) and len(module) > 3)
        chain.__class__ = _Short
        return network


class _Short(nn.Sequential):
    def forward(self, x: Tensor) -> Tensor:
        return super().forward(x) if torch.is_grad_enabled() or x.is_meta else self[-1](self[0](x))


class _Remembers(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        if not packed_units(self) or torch.is_grad_enabled():
            return super().forward(image)
        key = image.numpy().tobytes()
        kept = self.__dict__.setdefault("_kept", {})
        if key not in kept:
            kept[key] = super().forward(image)
        return kept[key]


class Remembers(Honest):
    """Remembers its output by its input, once it is packed."""

    wrapper = _Remembers


class _KeepsFirst(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        output = super().forward(image)
        return self.__dict__.setdefault("_first", output) if packed_units(self) else output


class KeepsFirst(Honest):
    """Works in every pass, but hands back what it made of the first picture, once it is packed."""

    wrapper = _KeepsFirst


class _NanLater(nn.Module):
    def forward(self, image: Tensor) -> Tensor:
        output = super().forward(image)
        if packed_units(self):
            self.__dict__["_passes"] = self.__dict__.get("_passes", 0) + 1
        return output * float("nan") if self.__dict__.get("_passes", 0) >= 6 else output


class NanLater(Honest):
    """Answers NaN from its sixth packed pass on."""

    wrapper = _NanLater


class _Picture(nn.Module):
    def __init__(self, scale: int, change):
        super().__init__()
        self.scale, self.change = scale, change

    def forward(self, image: Tensor) -> Tensor:
        return self.change(F.interpolate(image, scale_factor=self.scale, mode="bilinear"))


class _Interpolation(Algorithm):
    """No network at all, so that only its output can be wrong."""

    change = staticmethod(lambda output: output)

    def build(self, backbone: str, scale: int) -> nn.Module:
        return _Picture(scale, type(self).change)


def _card(key: str) -> Card:
    return Card(key, key, "", 32, 32, provenance="a twin", backbone_free=True)


class Plain(_Interpolation):
    card = _card("plain")


class Bytes(_Interpolation):
    """A picture in 0..255."""

    card = _card("bytes")
    change = staticmethod(lambda output: output * 255)


class Double(_Interpolation):
    card = _card("double")
    change = staticmethod(lambda output: output.double())


class ChannelsLast(_Interpolation):
    card = _card("channels_last")
    change = staticmethod(lambda output: output.permute(0, 2, 3, 1))


class Small(_Interpolation):
    card = _card("small")
    change = staticmethod(lambda output: output[..., 1:])


class Several(_Interpolation):
    card = _card("several")
    change = staticmethod(lambda output: [output])


class Nan(_Interpolation):
    card = _card("nan")
    change = staticmethod(lambda output: output / 0 * 0)


class Glaring(_Interpolation):
    """Contrast that no picture has."""

    card = _card("glaring")
    change = staticmethod(lambda output: (output - 0.5) * 8)
