"""Running a network over pictures: device, tiles, self-ensemble, and the time it takes."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cached_property

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from bench.contract import UserError
from bench.nn.output import ODD_RANGE, check_output, range_flags
from tracks._quality.sets import MEMORY_MB
from tracks._quality.tiling import Footprint, check_reach, footprint, not_tileable, run_tiled, tiles


def pick_device(wanted: str) -> torch.device:
    """``auto`` takes a GPU when there is one. Raises `UserError` for a device that is not there."""
    if wanted == "auto":
        wanted = "cuda" if torch.cuda.is_available() else "cpu"
    if wanted.startswith("cuda") and not torch.cuda.is_available():
        raise UserError(f"device {wanted}: PyTorch sees no GPU here. Set the track's option device to cpu or auto.")
    try:
        return torch.device(wanted)
    except RuntimeError as error:
        raise UserError(f"device {wanted!r}: expected auto, cpu, cuda or cuda:N.") from error


@contextmanager
def exact_float32(threads: int) -> Iterator[None]:
    """``threads`` CPU threads and full float32 on a GPU (no TF32); put back afterwards."""
    before = torch.get_num_threads(), torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32
    torch.set_num_threads(threads)
    torch.backends.cudnn.allow_tf32 = torch.backends.cuda.matmul.allow_tf32 = False
    try:
        yield
    finally:
        torch.set_num_threads(before[0])
        torch.backends.cudnn.allow_tf32, torch.backends.cuda.matmul.allow_tf32 = before[1:]


class Upscaler:
    """A network as a function from pictures to pictures. ``seconds`` adds up the time inside the network."""

    def __init__(
        self,
        network: nn.Module,
        scale: int,
        device: torch.device,
        memory_mb: float = MEMORY_MB,
        self_ensemble: bool = False,
        twin: nn.Module | None = None,
        who: str = "the network",
    ) -> None:
        """Take a network, (N, 3, H, W) float32 RGB in [0, 1] -> (N, 3, sH, sW).

        Args:
            memory_mb: limit for the activations of one pass, in 10^6 bytes; larger pictures are tiled.
            self_ensemble: average the outputs for the eight flips and turns (Lim et al., CVPRW 2017): the "+".
            who: name of the network's class, for messages.
            twin: the network whose operations can be followed where those of ``network`` cannot (packed kernels).
        """
        self.network = network.eval().to(device=device, memory_format=torch.channels_last)
        self.scale, self.device, self.memory_mb, self.self_ensemble = scale, device, memory_mb, self_ensemble
        self.seconds, self.tiled = 0.0, False
        self._probed = self.network if twin is None else twin
        self._reach_checked = False
        self._who, self.odd = who, False

    @property
    def flags(self) -> list[str]:
        """What has to be said about the outputs so far, and of how they were made."""
        told = {ODD_RANGE: self.odd, "self_ensemble": self.self_ensemble}
        return [flag for flag, holds in told.items() if holds]

    @torch.no_grad()
    def __call__(self, lr: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB -> (sH, sW, 3) float32 with 1.0 as white, neither rounded nor clipped."""
        start = time.perf_counter()
        image = torch.from_numpy(lr.astype(np.float32) / np.float32(255)).permute(2, 0, 1)[None]
        image = image.to(self.device, memory_format=torch.channels_last)
        output = self._ensemble(image) if self.self_ensemble else self._run(image)
        result = np.ascontiguousarray(output[0].permute(1, 2, 0).cpu().numpy())  # waits for the GPU
        self.seconds += time.perf_counter() - start
        return result

    @cached_property
    def footprint(self) -> Footprint:
        """Reach and memory of the network, found when first needed."""
        return footprint(self._probed, self.device)

    def _ensemble(self, image: Tensor) -> Tensor:
        total = torch.zeros(())
        for turns in range(4):
            for flipped in (False, True):
                turned = torch.rot90(image.flip(-1) if flipped else image, turns, (-2, -1))
                back = torch.rot90(self._run(turned.contiguous(memory_format=torch.channels_last)), -turns, (-2, -1))
                total = total.to(back) + (back.flip(-1) if flipped else back)
        return total / 8

    def _run(self, image: Tensor) -> Tensor:
        height, width = image.shape[-2:]
        max_pixels = int(self.memory_mb * 1e6 / self.footprint.bytes_per_pixel)
        if height * width <= max_pixels:
            return self._checked(image, self.network(image))
        reach = self.footprint.reach
        if reach is None:
            raise not_tileable("a statistic over the whole picture enters its output")
        plan = list(tiles(height, width, reach, max_pixels))
        if not self._reach_checked:
            check_reach(self._probed, self.scale, reach, self.device)
            self._reach_checked = True
        self.tiled = True
        return run_tiled(lambda tile: self._checked(tile, self.network(tile)), image, self.scale, plan)

    def _checked(self, image: Tensor, output: Tensor) -> Tensor:
        """The output, once it is known to be a picture. Raises `UserError` otherwise."""
        check_output(self._who, output, image, self.scale)
        self.odd = self.odd or bool(range_flags(output))
        return output
