"""CADyQ's choice of bits: per image and layer, from the image's gradients and the features' spread."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.nn.algorithm import Tag, parts_of, tag
from bench.nn.quantizers import ActQuantizer, QuantizedInput
from bench.nn.uniform import straight_through
from bench.nn.uniform_act import PamsRange

BITS = (4, 6, 8)
GRAY = (0.299, 0.587, 0.114)


class ImageGradients(nn.Module):
    """Keeps the mean |horizontal| and |vertical| Sobel gradient of the latest images in ``means``, (N, 2).

    In grey values of [0, 1], times 1000; the kernel's weights add up to 1 on either side (kornia's normalised Sobel).
    """

    def __init__(self):
        super().__init__()
        self.image_range, self.means = 1.0, torch.zeros(1, 2)

    def watch(self, module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        """A forward pre-hook for the module that the image enters first."""
        self(inputs[0])

    @torch.no_grad()
    def forward(self, image: Tensor) -> Tensor:
        """The means of images (N, 3, H, W), also kept."""
        gray = sum(share * image[:, c : c + 1] for c, share in enumerate(GRAY)) / self.image_range
        x = F.pad(gray, (1, 1, 1, 1), mode="replicate")
        across, down = x[..., 2:] - x[..., :-2], x[..., 2:, :] - x[..., :-2, :]
        across = across[..., :-2, :] + 2 * across[..., 1:-1, :] + across[..., 2:, :]
        down = down[..., :-2] + 2 * down[..., 1:-1] + down[..., 2:]
        self.means = 1000 / 8 * torch.cat([across.abs().mean((2, 3)), down.abs().mean((2, 3))], dim=1)
        return self.means


class BitSelector(ActQuantizer):
    """One of three PAMS quantizers for each image: the largest logit decides.

    The gradient is that of the mixture by the logits' softmax, so all three quantizers learn. Features' spread is in
    units of the image's range, like the gradients; the official code takes it in 0..255, where the softmax soon
    saturates.
    """

    bits = max(BITS)

    def __init__(self, channels: int, gradients: ImageGradients):
        super().__init__()
        self.quantizers = nn.ModuleList(PamsRange(bits) for bits in BITS)
        self.logits = tag(nn.Linear(channels + 2, len(BITS)), Tag("attention"))
        self.record: list[Tensor] | None = None
        self._gradients = (gradients,)  # in a tuple: it is a part of the network
        self.start()

    def start(self) -> None:
        """Equal logits for every image but for 1 more on the 8 bits."""
        with torch.no_grad():
            self.logits.weight.fill_(1)
            self.logits.bias.copy_(torch.tensor([0.0, 0.0, 1.0]))

    def forward(self, x: Tensor) -> Tensor:
        (gradients,) = self._gradients
        spread = torch.std(x.detach(), dim=(2, 3)) / gradients.image_range
        shares = torch.softmax(self.logits(torch.cat([gradients.means.to(spread), spread], dim=1)), dim=1)
        chosen = F.one_hot(shares.argmax(dim=1), len(BITS)).to(shares)
        if self.record is not None:
            bits = torch.tensor(BITS, dtype=shares.dtype, device=shares.device)
            expected = (shares * bits).sum(1)
            self.record.append(straight_through((chosen * bits).sum(1), expected) / expected.detach())
        values = torch.stack([quantizer(x) for quantizer in self.quantizers], dim=1)
        hard, soft = ((weights[..., None, None, None] * values).sum(1) for weights in (chosen, shares))
        return straight_through(hard, soft)

    def export(self, channels: int) -> QuantizedInput:
        raise Unsupported(
            "the input's bits, and with them its step, are chosen for each image at run time; a packed layer has one"
        )


@contextmanager
def recorded_bits(network: nn.Module) -> Iterator[list[Tensor]]:
    """Inside the context, each selector appends (N,) bits of its choice over bits expected, differentiable."""
    record: list[Tensor] = []
    for selector in parts_of(network, BitSelector):
        selector.record = record
    try:
        yield record
    finally:
        for selector in parts_of(network, BitSelector):
            selector.record = None
