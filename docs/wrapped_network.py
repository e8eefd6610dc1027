"""A trained network of somebody else's, measured beside the methods of this project."""

from torch import nn

from bench.contract import Card
from bench.nn.foreign import Foreign


class TheirNetwork(nn.Module):
    """In practice imported: from imdn import IMDN; or, for a file that spandrel knows, load_from_file(FILE).model."""

    def __init__(self, scale):
        super().__init__()
        self.fea_conv = nn.Conv2d(3, 12, 3, padding=1)
        self.IMDB1 = nn.Sequential(nn.Conv2d(12, 12, 3, padding=1), nn.LeakyReLU(0.05), nn.Conv2d(12, 12, 3, padding=1))
        self.upsampler = nn.Sequential(nn.Conv2d(12, 3 * scale**2, 3, padding=1), nn.PixelShuffle(scale))

    def forward(self, x):
        features = self.fea_conv(x)
        return self.upsampler(features + self.IMDB1(features))


class Wrapped(Foreign):
    card = Card("wrapped", "Their network", "wrapped_network.py:Wrapped", bits_w=32, bits_a=32, backbone_free=True)
    scales = (2, 4)
    colours = 255.0  # its images lie in 0..255
    multiple = 4  # it wants sides that 4 divides

    def network(self, scale):
        return TheirNetwork(scale)
