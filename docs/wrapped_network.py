"""A trained network of somebody else's, measured beside the methods: the file, the class around it, nothing more."""

from pathlib import Path

import torch.nn.functional as F
from torch import nn

from bench.contract import Card, Unsupported
from bench.nn.algorithm import Algorithm
from bench.nn.weight_files import read_weights

FILE = Path(__file__).with_name("network_x2.pth")


class TheirNetwork(nn.Module):  # in practice: from imdn import IMDN, or spandrel.ModelLoader().load_from_file(FILE).model
    def __init__(self):
        super().__init__()
        self.head, self.body = nn.Conv2d(3, 12, 3, padding=1), nn.Conv2d(12, 12, 3, padding=1)

    def forward(self, x):  # images in 0..255, sides a multiple of 4
        return F.pixel_shuffle(self.head(x) + self.body(F.relu(self.head(x))), 2)


class Wrapped(Algorithm):
    card = Card("wrapped", "Their network", "wrapped_network.py:Wrapped", bits_w=32, bits_a=32, backbone_free=True)

    def build(self, backbone, scale):
        if scale != 2:
            raise Unsupported(f"the file is trained for x2, not x{scale}")
        network = TheirNetwork()
        network.load_state_dict(read_weights(FILE).tensors)
        return Around(network)


class Around(nn.Module):  # what the benchmark calls: (N, 3, H, W) RGB in 0..1 -> (N, 3, 2H, 2W) in 0..1
    def __init__(self, network):
        super().__init__()
        self.network = network

    def forward(self, x):
        height, width = x.shape[-2:]
        x = F.pad(x, (0, -width % 4, 0, -height % 4), mode="replicate")
        return self.network(x * 255)[..., : 2 * height, : 2 * width] / 255
