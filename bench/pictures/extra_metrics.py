"""Further full-reference metrics through pyiqa, on request; never a download.

Metrics without weights always run. Learned metrics run when the files they need already lie where pyiqa and
torchvision look for them, and are refused at once otherwise. Importing this module imports neither torch nor pyiqa.
"""

from __future__ import annotations

import contextlib
import difflib
import importlib
import io
import math
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlparse

import numpy as np
from numpy.typing import NDArray

from bench.contract import Metric, UserError
from bench.pictures.protocol import SR_Y_V1, Protocol

if TYPE_CHECKING:
    import torch

_HOW = "pyiqa's defaults on 8-bit RGB, border cut as for PSNR."

WEIGHT_FREE: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("fsim", "", "higher", "FSIM", f"Feature similarity (Zhang 2011). {_HOW}", 4),
        Metric("gmsd", "", "lower", "GMSD", f"Gradient magnitude similarity deviation (Xue 2014). {_HOW}", 4),
        Metric("vsi", "", "higher", "VSI", f"Visual saliency-induced index (Zhang 2014). {_HOW}", 4),
        Metric("nlpd", "", "lower", "NLPD", f"Normalized Laplacian pyramid distance (Laparra 2016). {_HOW}", 4),
        Metric("ms_ssim", "", "higher", "MS-SSIM", f"Multi-scale SSIM (Wang 2003). {_HOW}", 4),
        Metric("vif", "", "higher", "VIF", f"Visual information fidelity (Sheikh 2006). {_HOW}", 4),
    )
}
"""Metrics that need no weights."""

LEARNED: dict[str, Metric] = {
    metric.key: metric
    for metric in (
        Metric("lpips", "", "lower", "LPIPS", f"Learned perceptual similarity, AlexNet (Zhang 2018). {_HOW}", 4),
        Metric("lpips-vgg", "", "lower", "LPIPS-VGG", f"Learned perceptual similarity, VGG16 (Zhang 2018). {_HOW}", 4),
        Metric("dists", "", "lower", "DISTS", f"Structure and texture similarity (Ding 2020). {_HOW}", 4),
        Metric("deepdc", "", "lower", "DeepDC", f"Deep distance correlation (Zhu 2022). {_HOW}", 4),
        Metric("pieapp", "", "lower", "PieAPP", f"Preference-trained error (Prashnani 2018). {_HOW}", 4),
    )
}
"""Metrics that need weights files."""

EXTRA: dict[str, Metric] = WEIGHT_FREE | LEARNED


@dataclass(frozen=True)
class _Files:
    """Where a learned metric's weights are named: a table of addresses in pyiqa, an enumeration in torchvision."""

    pyiqa: tuple[str, str] | None = None
    torchvision: str | None = None


_FILES = {
    "lpips": _Files(("lpips_arch", "0.1_alex"), "AlexNet_Weights"),
    "lpips-vgg": _Files(("lpips_arch", "0.1_vgg"), "VGG16_Weights"),
    "dists": _Files(("dists_arch", "url"), "VGG16_Weights"),
    "deepdc": _Files(None, "VGG19_Weights"),
    "pieapp": _Files(("pieapp_arch", "url"), None),
}


def check_names(names: Iterable[str]) -> list[str]:
    """The names without repetition. Raises `UserError` for one that does not exist. Costs nothing."""
    names = list(dict.fromkeys(names))
    for name in names:
        if name not in EXTRA:
            near = difflib.get_close_matches(name, EXTRA, n=1)
            raise UserError(
                f"unknown metric {name!r}.{f' Did you mean {near[0]!r}?' if near else ''} Without weights: "
                f"{', '.join(WEIGHT_FREE)}; with weights: {', '.join(LEARNED)}. PSNR and SSIM are always there."
            )
    return names


def weights_files(name: str) -> list[Path]:
    """The local files that a learned metric loads, present or not."""
    import torchvision
    from pyiqa.utils.download_util import DEFAULT_CACHE_DIR
    from torch.hub import get_dir

    wanted, files = _FILES[name], []
    if wanted.pyiqa is not None:
        module, key = wanted.pyiqa
        address = importlib.import_module(f"pyiqa.archs.{module}").default_model_urls[key]
        files.append(Path(DEFAULT_CACHE_DIR) / Path(urlparse(address).path).name)
    if wanted.torchvision is not None:
        address = getattr(torchvision.models, wanted.torchvision).IMAGENET1K_V1.url
        files.append(Path(get_dir()) / "checkpoints" / Path(urlparse(address).path).name)
    return files


class ExtraMetrics:
    """A set of metrics, built once and applied to many pictures."""

    def __init__(self, names: Iterable[str], device: str = "cpu", protocol: Protocol = SR_Y_V1) -> None:
        """Raises `UserError` for an unknown name and, at once, for a learned metric whose files are not there."""
        self.names, self.device, self.protocol = check_names(names), device, protocol
        check_weights(self.names)
        self._metrics = {name: _create(name, device) for name in self.names}

    def score(self, sr: NDArray[np.uint8], hr: NDArray[np.uint8], scale: int) -> dict[str, float]:
        """Name -> value of one picture; both (H, W, 3) uint8 RGB. Raises `UserError` when one has no finite value."""
        import torch

        if not self._metrics:
            return {}
        pair = [_to_tensor(self.protocol.crop_border(image, scale), self.device) for image in (sr, hr)]
        values = {}
        for name, metric in self._metrics.items():
            try:
                with torch.inference_mode():
                    values[name] = float(metric(*pair))
            except (RuntimeError, ValueError, AssertionError) as error:
                raise _cannot_score(name, hr, str(error)) from error
            if not math.isfinite(values[name]):
                raise _cannot_score(name, hr, f"its value is {values[name]}")
        return values


def check_weights(names: Iterable[str]) -> None:
    """Raise `UserError` for the first learned metric whose files are not all there."""
    for name in (name for name in names if name in LEARNED):
        missing = [file for file in weights_files(name) if not file.is_file()]
        if not missing:
            continue
        places = "\n  ".join(str(file) for file in missing)
        raise UserError(
            f"the metric {name!r} is learned and its weights are not on this machine; nothing is downloaded here. "
            f"Missing:\n  {places}\nPut them there (once `pyiqa.create_metric({name!r})` has run with a network "
            "connection, they are), or leave the metric out."
        )


def _create(name: str, device: str) -> torch.nn.Module:
    import pyiqa

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            return pyiqa.create_metric(name, device=device)
    except Exception as error:
        raise UserError(
            f"the metric {name!r} cannot be built: {error}. Its weights files may be damaged; replace "
            "them or leave the metric out."
        ) from error


def _to_tensor(image: NDArray[np.uint8], device: str) -> torch.Tensor:
    import torch

    planes = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
    return planes[None].to(device, torch.float32) / 255


def _cannot_score(name: str, hr: NDArray[np.uint8], why: str) -> UserError:
    return UserError(
        f"the metric {name!r} has no value for a picture of {hr.shape[1]}x{hr.shape[0]} pixels ({why}). "
        "Small or flat pictures are the usual cause; leave the metric out."
    )
