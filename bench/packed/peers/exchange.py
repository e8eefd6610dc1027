"""Peers that read an ONNX file: ONNX Runtime and OpenVINO, both on the CPU with the same number of threads."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from bench.contract import Unsupported
from bench.packed.peers.source import Source, input_name


def ort_fp32(source: Source) -> Callable[[], Tensor]:
    return _ort(source.onnx, source)


def ort_int8(source: Source) -> Callable[[], Tensor]:
    return _ort(source.onnx_int8, source)


def openvino_fp32(source: Source) -> Callable[[], Tensor]:
    return _openvino(source.onnx, source, "f32")


def openvino_bf16(source: Source) -> Callable[[], Tensor]:
    """Raises Unsupported on a CPU without bfloat16 instructions."""
    require_bf16()
    return _openvino(source.onnx, source, "bf16")


def openvino_int8(source: Source) -> Callable[[], Tensor]:
    """The same quantized file as ONNX Runtime's."""
    return _openvino(source.onnx_int8, source, "f32")


def _ort(path: Path, source: Source) -> Callable[[], Tensor]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.inter_op_num_threads = source.threads, 1
    options.log_severity_level = 3
    # Idle threads must not take the cores from whoever is timed next.
    options.add_session_config_entry("session.force_spinning_stop", "1")
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    feed = {input_name(path): source.copied(Tensor.contiguous).numpy()}
    return lambda: torch.from_numpy(session.run(None, feed)[0])


@cache
def core() -> Any:
    """The one OpenVINO Core of this process, kept for its life.

    On CPUs with AMX its plugin gives the thread that makes a Core another stack for signals and frees that stack with
    the Core, without taking it back: the next signal that Python handles would end the process.
    """
    import openvino

    return openvino.Core()


def _openvino(path: Path, source: Source, precision: str) -> Callable[[], Tensor]:
    model = channels_last(core().read_model(path))
    image = source.copied(lambda image: image.contiguous(memory_format=torch.channels_last))
    return compiled(model, [image], source.threads, precision)


def channels_last(model: object) -> object:
    """An OpenVINO model whose inputs and output lie in memory as everyone else's here, (N, H, W, C)."""
    import openvino

    steps = openvino.preprocess.PrePostProcessor(model)
    for end in (*(steps.input(i) for i in range(len(model.inputs))), steps.output()):
        end.tensor().set_layout(openvino.Layout("NHWC"))
        end.model().set_layout(openvino.Layout("NCHW"))
    return steps.build()


def require_bf16() -> None:
    """Raises Unsupported on a CPU where OpenVINO would silently compute in float32."""
    if "BF16" not in core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        raise Unsupported("OpenVINO computes in bf16 only where the CPU has instructions for it")


def settings(threads: int, precision: str) -> dict[str, object]:
    """How OpenVINO runs wherever it is timed here: one picture at a time, ``precision`` f32 or bf16."""
    return {
        "INFERENCE_NUM_THREADS": threads,
        "NUM_STREAMS": 1,
        "PERFORMANCE_HINT": "LATENCY",
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,
    }


def compiled(model: object, inputs: list[Tensor], threads: int, precision: str = "f32") -> Callable[[], Tensor]:
    """Runs an OpenVINO model with channels-last ends on ``inputs``; the output lives until the next run."""
    request = core().compile_model(model, "CPU", settings(threads, precision)).create_infer_request()
    feed = {i: x.permute(0, 2, 3, 1).contiguous().numpy() for i, x in enumerate(inputs)}

    def run() -> Tensor:
        (output,) = request.infer(feed, share_inputs=True, share_outputs=True).values()
        return torch.from_numpy(output).permute(0, 3, 1, 2)

    return run
