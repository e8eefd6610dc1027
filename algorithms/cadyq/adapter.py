from __future__ import annotations

from typing import ClassVar

from torch import Tensor, nn

from algorithms.cadyq import CARD
from algorithms.cadyq.names import CADYQ
from algorithms.cadyq.selector import BitSelector, ImageGradients, recorded_bits
from bench.nn.algorithm import Algorithm, Recipe, Tag, parts_of, tag
from bench.nn.quantizers import ActQuantizer
from bench.nn.transfer import structured_transfer
from bench.nn.uniform import MaxWeight
from bench.nn.uniform_act import OnGrid, PamsRange, range_groups
from bench.nn.unit import plain_unit

EPOCHS = 300


class CADyQ(Algorithm):
    """8-bit weights; each layer's activations take 4, 6 or 8 bits, as the image needs."""

    card = CARD
    backbones = ("srresnet", "edsr", "edsr_large")
    needs_teacher = True
    namings: ClassVar = {"edsr": (CADYQ,)}
    recipe = Recipe(
        300_000, 16, 48, 1e-4, (0.9, 0.999), (150_000,), "official script; 1000 iterations an epoch assumed",
        from_teacher=True,
    )  # fmt: skip

    def __init__(self):
        self.bit_weight, self.gradients = 1e-4, ImageGradients()

    def build(self, backbone: str, scale: int) -> nn.Module:
        self.gradients = ImageGradients()
        network = super().build(backbone, scale)
        self.gradients.image_range = network.image_range
        for selector in parts_of(network, BitSelector):
            selector.start()  # a backbone may have drawn weights for every full-precision layer
        network.image_gradients = self.gradients
        network.head.register_forward_pre_hook(self.gradients.watch)  # a hook, so that no parameter changes its name
        return network

    def unit(self, channels: int, act: ActQuantizer) -> nn.Module:
        card = self.card
        unit = plain_unit(channels, channels, 3, MaxWeight(card.bits_w), OnGrid(act))
        return tag(unit, Tag("body", card.bits_w, card.bits_a))

    def block(self, channels: int, res_scale: float = 1.0) -> nn.Module:
        return CADyQBlock(self, channels, res_scale)

    def on_progress(self, network: nn.Module, progress: float) -> None:
        epoch = int(EPOCHS * progress) + 1
        self.bit_weight = 1e-4 + 1e-6 * epoch
        for act in parts_of(network, PamsRange):
            act.calibrating = epoch == 1

    def loss(self, network: nn.Module, lr: Tensor, hr: Tensor, teacher: nn.Module | None = None) -> Tensor:
        """PAMS's loss, plus the chosen bits over those expected, summed over layers and images."""
        with recorded_bits(network) as bits:
            loss = structured_transfer(network, lr, hr, teacher, weight=1e3)
        return loss + self.bit_weight * sum(x.sum() for x in bits)

    def parameter_groups(self, network: nn.Module, learning_rate: float) -> list[dict[str, object]]:
        return range_groups(network, [act.alpha for act in parts_of(network, PamsRange)], learning_rate)


class CADyQBlock(nn.Module):
    """x = select(x); x + quantize(res_scale * conv(select(nonlinearity(conv(x)))))."""

    def __init__(self, algorithm: CADyQ, channels: int, res_scale: float):
        super().__init__()
        self.select1 = BitSelector(channels, algorithm.gradients)
        self.conv1 = algorithm.unit(channels, self.select1)
        self.nonlinearity = algorithm.nonlinearity(channels)
        self.select2 = BitSelector(channels, algorithm.gradients)
        self.conv2 = algorithm.unit(channels, self.select2)
        self.act_out, self.res_scale = PamsRange(algorithm.card.bits_a), res_scale

    def forward(self, x: Tensor) -> Tensor:
        x = self.select1(x)
        y = self.conv2(self.select2(self.nonlinearity(self.conv1(x))))
        return x + self.act_out(y * self.res_scale)
