"""Networks written for other programs compute the same there."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from torch import nn

from bench.app.main import main
from bench.contract import Unsupported
from bench.nn.backbones import edsr, srresnet, swinir_s
from bench.nn.build import build_network
from bench.plan.discover import discover

onnx = pytest.importorskip("onnx", reason="the extra peers (onnx, onnxruntime, openvino) is not installed")
pytest.importorskip("onnxruntime", reason="the extra peers (onnx, onnxruntime, openvino) is not installed")
pytest.importorskip("openvino", reason="the extra peers (onnx, onnxruntime, openvino) is not installed")

from bench.packed.export import onnx_file  # noqa: E402
from bench.packed.export.onnx_file import ONE_BIT, TOLERANCE, onnx_runner, openvino_runner, write_onnx, write_openvino  # noqa: E402

LOAD = discover().loader


def small(algo: str, seed: int = 3) -> nn.Module:
    """A shallow SRResNet whose body matters: wide weights, drawn shifts and slopes."""
    torch.manual_seed(seed)
    network = srresnet.build(LOAD(algo), 2, channels=16, blocks=2)
    network.train()(torch.rand(2, 3, 12, 12))  # ranges and steps start from data
    for name, parameter in network.named_parameters():
        if parameter.dim() > 1 and name.startswith(("head", "tail", "upsampler")):
            parameter.data.mul_(6)
        elif parameter.dim() == 1 and not name.endswith(("alpha", "step")):
            parameter.data.add_(torch.rand_like(parameter) / 8)
    return network.eval()


FULL = {"fp32": lambda: small("fp32"), "edsr": lambda: edsr.build(LOAD("fp32"), 4, 16, 2).eval()}
KBIT = ("quantsr_4", "pams_int4", "dorefa_8", "tflite_8")
BINARY = ("bbcu", "frb", "e2fif", "reactnet", "xnor", "irnet")


@pytest.mark.parametrize("name", FULL)
def test_full_precision_runs_in_both_with_equal_output_at_any_size(name: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    network = FULL[name]()
    made = write_onnx(network, tmp_path / "net.onnx", None, {"algorithm": name})
    assert made.difference <= TOLERANCE and made.notes == ()
    assert write_openvino(network, tmp_path / "net.xml", None, {}).difference <= TOLERANCE
    for run in (onnx_runner(tmp_path / "net.onnx"), openvino_runner(tmp_path / "net.onnx")):
        image = torch.rand(1, 3, 9, 14)
        with torch.no_grad():
            assert torch.allclose(run(image), network(image), atol=TOLERANCE)
    told = {entry.key: entry.value for entry in onnx.load(tmp_path / "net.onnx").metadata_props}
    assert told["algorithm"] == name


@pytest.mark.parametrize("algo", KBIT)
def test_k_bit_networks_are_qdq_and_equal_in_both(algo: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    network = small(algo)
    made = write_onnx(network, tmp_path / "net.onnx", None, {})
    other = write_openvino(network, tmp_path / "net.xml", None, {})
    assert made.difference <= TOLERANCE and other.difference <= TOLERANCE
    assert len(made.notes) == 1 and "never as fewer bits" in made.notes[0]
    nodes = [node.op_type for node in onnx.load(tmp_path / "net.onnx").graph.node]
    assert nodes.count("QuantizeLinear") >= 4 and nodes.count("DequantizeLinear") >= 8


@pytest.mark.parametrize("algo", BINARY)
def test_1_bit_networks_are_plus_and_minus_one_and_flagged(algo: str, tmp_path: Path) -> None:
    torch.set_num_threads(1)
    network = small(algo)
    made = write_onnx(network, tmp_path / "net.onnx", None, {})
    assert made.notes == (ONE_BIT,) and made.psnr_db > 100
    model = onnx.load(tmp_path / "net.onnx")
    kernels = [onnx.numpy_helper.to_array(x) for x in model.graph.initializer if x.data_type == onnx.TensorProto.INT8]
    assert kernels and all(set(kernel.flatten().tolist()) <= {-1, 1} for kernel in kernels)
    assert ONE_BIT in {entry.value for entry in model.metadata_props}


def test_attention_in_windows(tmp_path: Path) -> None:
    network = swinir_s.build(LOAD("fp32"), 2, groups=1, layers=2).eval()
    assert write_onnx(network, tmp_path / "net.onnx", (16, 8), {}).difference <= TOLERANCE


def test_what_cannot_be_exported_says_why(tmp_path: Path) -> None:
    for algo, why in (("cadyq", "chosen for each image at run time"), ("pams_4", "which no integer grid holds")):
        with pytest.raises(Unsupported, match=rf"body\.0\.conv1: .*{why}"):
            write_onnx(build_network(LOAD(algo), "edsr", 2).eval(), tmp_path / "net.onnx", None, {})
    assert not (tmp_path / "net.onnx").exists()


def test_a_file_that_computes_something_else_is_not_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_file, "onnx_runner", lambda path: lambda image: onnx_runner(path)(image) + 0.01)
    with pytest.raises(Unsupported, match=r"differs from the network's by 0\.01"):
        write_onnx(small("fp32"), tmp_path / "net.onnx", None, {})
    monkeypatch.setattr(onnx_file, "onnx_runner", lambda path: lambda image: torch.full((1, 3, 40, 48), torch.nan))
    with pytest.raises(Unsupported, match="fixed to one size"):
        write_onnx(small("fp32"), tmp_path / "net.onnx", None, {})
    assert not (tmp_path / "net.onnx").exists()


def test_the_command_writes_all_three(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = srresnet.build(LOAD("bnn"), 2).state_dict()
    save_file({k: v.contiguous() for k, v in state.items()}, tmp_path / "net.safetensors")
    words = ["export", "bnn", "--weights", str(tmp_path / "net.safetensors"), "--scale", "2"]
    assert main([*words, "--to", "packed", "--out", str(tmp_path / "bnn.packed.safetensors")]) == 0
    text = capsys.readouterr().out
    assert "32 packed layers" in text and "bench.load_packed(" in text
    assert main([*words, "--to", "onnx", "--out", str(tmp_path / "bnn.onnx"), "--size", "24x16"]) == 0
    assert ONE_BIT in capsys.readouterr().out
    assert main(["export", "cadyq", "--to", "onnx", "--out", str(tmp_path / "c.onnx"), "--allow-untrained"]) == 1
    assert "not exported: cadyq as onnx: body.0.conv1" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["frb,bnn", "--to", "packed"], "takes one algorithm"),
        (["pams_8", "--to", "packed"], "no trained weights of pams_8 on srresnet at x2"),
        (["fp32", "--to", "onnx", "--out", "net.xml"], "expected a name that ends in .onnx"),
        (["fp32", "--to", "onnx", "--out", "/none/net.onnx"], "its folder does not exist"),
        (["fp32", "--to", "onnx", "--weights", "none.pth"], "no such file"),
        (["fp32", "--to", "onnx", "--scale", "5"], "has no x5"),
        (["fp32"], "--to"),
    ],
)
def test_mistakes_end_in_a_sentence(words: list[str], told: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["export", *words]) == 2
    assert told in capsys.readouterr().err
