"""A full-precision network and its input, in the forms that the peers want them."""

from __future__ import annotations

import logging
import tempfile
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.contract import Unsupported


@dataclass
class Source:
    """``network`` in evaluation mode, channels_last; ``image`` (1, C, H, W) float32, channels_last."""

    network: nn.Module
    image: Tensor
    threads: int
    _copies: list[tuple[Tensor, Callable[[Tensor], Tensor]]] = field(default_factory=list)
    _folder: tempfile.TemporaryDirectory = field(default_factory=tempfile.TemporaryDirectory)

    def copied(self, form: Callable[[Tensor], Tensor]) -> Tensor:
        """The image in another form, in memory of its own that `follow` keeps up to date."""
        copy = form(self.image).clone()
        self._copies.append((copy, form))
        return copy

    def follow(self) -> None:
        """Bring every copy to what the image holds now."""
        for copy, form in self._copies:
            copy.copy_(form(self.image))

    @cached_property
    def onnx(self) -> Path:
        """The network as an ONNX file of this input's size. Raises Unsupported when PyTorch cannot export it."""
        path = Path(self._folder.name) / "fp32.onnx"
        try:
            with quiet():
                torch.onnx.export(self.network, (self.image.contiguous(),), path, dynamo=False)
        except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
            raise Unsupported(f"PyTorch cannot export it to ONNX: {first_line(error)}") from None
        return path

    @cached_property
    def onnx_int8(self) -> Path:
        """The network after ONNX Runtime's static quantization, as an ONNX file with quantize and dequantize nodes.

        8-bit weights (symmetric, a scale per output channel) and activations (asymmetric, a scale per tensor); ranges
        are the smallest and largest values that occur on ``image`` itself. 7-bit weights on CPUs without 8-bit dot
        products, where pairs of products saturate at 16 bits (ONNX Runtime's documented remedy).
        """
        from onnxruntime.quantization import CalibrationDataReader, QuantFormat, QuantType, quantize_static

        class Photograph(CalibrationDataReader):
            def __init__(self, image: Tensor, name: str):
                self.rest = iter([{name: image.contiguous().numpy()}])

            def get_next(self) -> dict | None:
                return next(self.rest, None)

        path = Path(self._folder.name) / "int8.onnx"
        with quiet():
            quantize_static(
                self.onnx,
                path,
                Photograph(self.image, input_name(self.onnx)),
                quant_format=QuantFormat.QDQ,
                activation_type=QuantType.QUInt8,
                weight_type=QuantType.QInt8,
                per_channel=True,
                reduce_range=not has_dot_products(),
            )
        return path


def input_name(path: Path) -> str:
    """Name of an ONNX file's only input."""
    import onnx

    return onnx.load(path, load_external_data=False).graph.input[0].name


def has_dot_products() -> bool:
    """Does this CPU multiply and add four 8-bit pairs into 32 bits at once (VNNI, AMX; NEON always widens)?"""
    if torch.backends.cpu.get_cpu_capability() in ("DEFAULT", "AVX2", "AVX512"):
        return torch.cpu._is_vnni_supported()
    return True


@contextmanager
def quiet() -> Iterator[None]:
    """Exporters and quantizers warn about what they always do; none of it concerns the reader."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


def first_line(error: BaseException) -> str:
    """The beginning of an error's text, or its class where it has none."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:200]
