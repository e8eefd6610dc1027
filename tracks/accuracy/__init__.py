"""PSNR and SSIM on the published test sets, exact to the published protocol."""

from tracks.accuracy.track import TRACK

__all__ = ["TRACK"]
