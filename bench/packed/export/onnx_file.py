"""A trained network as an ONNX file, and as OpenVINO's, each run and compared before it counts as written."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor, nn

from bench.contract import Unsupported
from bench.packed.export.units import ExportedUnit
from bench.packed.pack import replace_units
from bench.packed.peers.source import first_line, quiet

OPSET = 17
SIZES = ((20, 24), (17, 31))
"""(height, width) of the pictures that a file for any size is tried on."""
TOLERANCE = 1e-4
"""Largest difference of a file's output, of pictures in 0..1, that counts as equal."""
CLOSE_DB = 50.0
"""Least PSNR between the outputs of quantized networks, which may differ by more: a runtime that folds a scale into a
sum rounds it otherwise, and a value between two levels then takes the other one."""

Run = Callable[[Tensor], Tensor]
ONE_BIT = (
    "1-bit weights are stored as int8, -1 and +1, eight times their size, and run as full precision does: ONNX has no "
    "binary convolution. This file is for storage and exchange, without gain; the packed file has the gain."
)


@dataclass(frozen=True)
class Export:
    """What was written, and how its output compares with the trained network's."""

    path: Path
    difference: float
    """Largest absolute difference over the pictures tried, of pictures in 0..1"""
    psnr_db: float
    notes: tuple[str, ...]
    """What a user of the file should know, a sentence each"""


def exportable(network: nn.Module) -> nn.Module:
    """A copy of ``network`` whose quantized layers consist of ONNX's operations. Raises Unsupported as `pack` does."""
    return replace_units(network, lambda spec: spec, ExportedUnit)


def write_onnx(network: nn.Module, path: Path, size: tuple[int, int] | None, facts: Mapping[str, str]) -> Export:
    """Write ``network`` as ONNX for pictures of ``size`` (width, height), or of any.

    Input ``image`` (1, 3, H, W) float32 in [0, 1], output ``enlarged``. ``facts`` go into the file's metadata. Raises
    Unsupported where a layer, or the network's code, has no such form.
    """
    import onnx

    model = exportable(network)
    notes = _notes(model)
    sizes = SIZES if size is None else ((size[1], size[0]),)
    image = _picture(sizes[0])
    free = {"image": {2: "height", 3: "width"}, "enlarged": {2: "scaled_height", 3: "scaled_width"}}
    try:
        with quiet():
            torch.onnx.export(
                model, (image,), path, dynamo=False, opset_version=OPSET, input_names=["image"],
                output_names=["enlarged"], dynamic_axes=free if size is None else None,
            )  # fmt: skip
    except (RuntimeError, torch.onnx.errors.OnnxExporterError) as error:
        raise Unsupported(f"PyTorch cannot export it to ONNX: {first_line(error)}") from None
    written = onnx.load(path)
    for key, value in {**facts, "notes": " ".join(notes)}.items():
        entry = written.metadata_props.add()
        entry.key, entry.value = key, value
    onnx.save(written, path)
    return _checked(network, onnx_runner(path), path, sizes, notes)


def write_openvino(network: nn.Module, path: Path, size: tuple[int, int] | None, facts: Mapping[str, str]) -> Export:
    """Write ``network`` as OpenVINO's pair of files, ``path`` (.xml) and its .bin; otherwise as `write_onnx`."""
    import openvino

    source = path.with_suffix(".onnx.part")
    try:
        written = write_onnx(network, source, size, facts)
        model = openvino.convert_model(source)
        for key, value in facts.items():
            model.set_rt_info(value, ["bisrbench", key])
        openvino.save_model(model, path, compress_to_fp16=False)
    finally:
        source.unlink(missing_ok=True)
    sizes = SIZES if size is None else ((size[1], size[0]),)
    return _checked(network, openvino_runner(path), path, sizes, written.notes)


def onnx_runner(path: Path) -> Run:
    """Runs an ONNX file in ONNX Runtime."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    return lambda image: torch.from_numpy(session.run(None, {"image": image.numpy()})[0])


def openvino_runner(path: Path) -> Run:
    """Runs an OpenVINO or ONNX file in OpenVINO, in float32."""
    from bench.packed.peers.exchange import core

    settings = {"INFERENCE_PRECISION_HINT": "f32", "INFERENCE_NUM_THREADS": torch.get_num_threads()}
    compiled = core().compile_model(path, "CPU", settings)
    return lambda image: torch.from_numpy(np.array(next(iter(compiled(image.numpy()).values()))))


def _checked(
    network: nn.Module, run: Run, path: Path, sizes: tuple[tuple[int, int], ...], notes: tuple[str, ...]
) -> Export:
    """Raises Unsupported, and removes the file, when it computes something else than the network."""
    largest, squares, count = 0.0, 0.0, 0
    for size in sizes:
        image = _picture(size)
        with torch.no_grad():
            expected = network.cpu().eval()(image)
        try:
            got = run(image)
        except Exception as error:  # each runtime has errors of its own
            path.unlink()
            raise Unsupported(
                f"the file does not run on pictures of {size[1]}x{size[0]}: {first_line(error)}"
            ) from None
        if got.shape != expected.shape or not bool(torch.isfinite(got).all()):
            path.unlink()
            raise Unsupported(
                f"on pictures of {size[1]}x{size[0]} the file gives {tuple(got.shape)}, the network "
                f"{tuple(expected.shape)}: it is fixed to one size. Name yours with --size WxH"
            )
        largest = max(largest, float((got - expected).abs().max()))
        squares, count = squares + float((got - expected).square().sum()), count + got.numel()
    psnr = 10 * np.log10(count / max(squares, 1e-30))
    if not (largest <= TOLERANCE or (notes and psnr >= CLOSE_DB)):
        path.unlink()
        raise Unsupported(f"the file's output differs from the network's by {largest:.2g} of 1 ({psnr:.1f} dB)")
    return Export(path, largest, float(psnr), notes)


def _notes(network: nn.Module) -> tuple[str, ...]:
    bits = {module.weight_bits for module in network.modules() if isinstance(module, ExportedUnit)}
    low = "k-bit layers are int8 in QDQ form; a runtime may run them as 8-bit integers, never as fewer bits."
    return (*([low] if bits - {1} else []), *([ONE_BIT] if 1 in bits else []))


def _picture(size: tuple[int, int]) -> Tensor:
    """(1, 3, H, W) in [0, 1], smooth and coloured, the same every time."""
    height, width = size
    y, x = torch.meshgrid(torch.linspace(0, 9, height), torch.linspace(0, 7, width), indexing="ij")
    return torch.stack([(torch.sin(x + c) * torch.cos(y - c) + 1) / 2 for c in range(3)])[None]
