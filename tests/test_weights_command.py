"""``run_bench.py weights``: what a file is, whether it works, and its conversion."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from bench.app.main import main
from bench.nn.build import build_network, hash_tensors, load_weights, namings_of
from bench.plan.discover import discover

LOAD = discover().loader
EDSR8 = Path(__file__).resolve().parents[2] / "shared" / "weights" / "edsr8_x2.safetensors"
ONLY = ("--algos", "fp32,frb,pams_2,pams_4", "--backbone", "srresnet,edsr")


def public(path: Path, algo: str = "fp32", backbone: str = "edsr", scale: int = 4, title: str = "EDSR-PyTorch") -> Path:
    """A file in public names, as its authors' training would leave it."""
    network = build_network(LOAD(algo), backbone, scale)
    naming = next(one for one in namings_of(LOAD(algo), backbone) if one.title.startswith(title))
    torch.save({"params": naming.rename(network.state_dict()), "params_ema": network.state_dict()}, path)
    return Path(f"{path}#params")


def test_a_public_file_is_named_and_converted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file, out = public(tmp_path / "net.pth"), tmp_path / "edsr.safetensors"
    assert main(["weights", str(file), "--convert", str(out), "--no-trial", *ONLY]) == 0
    text = capsys.readouterr().out
    assert "'params' was taken, not 'params_ema'" in text and "Names: EDSR-PyTorch." in text
    assert "It fits fp32@edsr.x4." in text and f"--weights fp32@edsr.x4={out}" in text
    state = build_network(LOAD("fp32"), "edsr", 4).state_dict()
    assert hash_tensors(load_file(out)) == hash_tensors(state)


def test_several_methods_may_share_names(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = public(tmp_path / "net.pth", "pams_4", "edsr", 2, "PAMS")
    assert main(["weights", str(file), "--no-trial", *ONLY]) == 0
    assert "It fits pams_2@edsr.x2, pams_4@edsr.x2; bits" in capsys.readouterr().out


def test_what_does_not_fit_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    state = build_network(LOAD("frb"), "srresnet", 2).state_dict()
    save_file({**state, "tail.2.bias": torch.randn(1), "extra": torch.randn(2)}, tmp_path / "net.safetensors")
    assert main(["weights", str(tmp_path / "net.safetensors"), *ONLY]) == 1
    text = capsys.readouterr().out
    assert "It fits no network. Nearest is frb@srresnet.x2, of which it has 100% by name:" in text
    assert "tail.2.bias: got (1,), expected (3,)" in text and "extra: got (2,), expected none" in text


def test_as_compares_with_one_network(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(public(tmp_path / "net.pth"))
    assert main(["weights", file, "--as", "fp32@edsr.x2"]) == 1
    assert "Nearest is fp32@edsr.x2" in capsys.readouterr().out
    assert main(["weights", file, "--as", "fp32@edsr.x4", "--no-trial"]) == 0
    capsys.readouterr()
    for target, told in (("fp33@edsr", "unknown algorithm 'fp33'"), ("fp32@edsr.four", "expected a scale like x2")):
        assert main(["weights", file, "--as", target]) == 2
        assert told in capsys.readouterr().err


def test_foreign_names_lead_to_a_class_of_ones_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"fea_conv.weight": torch.randn(4, 3, 3, 3)}, tmp_path / "imdn.pth")
    assert main(["weights", str(tmp_path / "imdn.pth"), *ONLY]) == 1
    assert "It is no network of this project" in capsys.readouterr().out


@pytest.mark.skipif(not EDSR8.is_file(), reason=f"{EDSR8}, a trained network from elsewhere, is not there")
def test_a_trial_tells_swapped_channels(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    as_it_is = ["--as", "fp32@edsr.x2"]
    assert main(["weights", str(EDSR8), *as_it_is]) == 0
    assert "no enlarged picture" not in capsys.readouterr().out
    state = load_file(EDSR8)
    for name in ("upsampler.0.0.weight", "upsampler.0.0.bias"):
        rest = state[name].shape[1:]
        state[name] = state[name].view(64, 4, *rest).transpose(0, 1).reshape(256, *rest).contiguous()
    save_file(state, tmp_path / "tf.safetensors")
    assert main(["weights", str(tmp_path / "tf.safetensors"), *as_it_is]) == 0
    assert "TensorFlow's order" in capsys.readouterr().out
    out = tmp_path / "mended.safetensors"
    mend = ["--reorder-shuffle", "--convert", str(out), "--no-trial"]
    assert main(["weights", str(tmp_path / "tf.safetensors"), *as_it_is, *mend]) == 0
    assert hash_tensors(load_file(out)) == hash_tensors(load_file(EDSR8))
    network = build_network(LOAD("fp32"), "edsr", 2)
    load_weights(network, out)


def test_mistakes_end_in_a_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = str(public(tmp_path / "net.pth"))
    for words, told in (
        (["none.pth"], "no weights file at none.pth"),
        ([file, "--as", "fp32@edsr.x4", "--no-trial", "--convert", str(tmp_path / "x.pth")], "ends in .safetensors"),
        ([file, "--as", "fp32@edsr.x4", "--no-trial", "--convert", "/proc/none/x.safetensors"], "cannot be written"),
    ):
        assert main(["weights", *words]) == 2
        assert told in capsys.readouterr().err


def test_a_run_says_which_table_it_takes_and_refuses_a_bad_file_at_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    net = build_network(LOAD("fp32"), "srresnet", 2).state_dict()
    torch.save({"params": net, "params_ema": net}, tmp_path / "net.pth")
    run = ["--algos", "fp32", "--track", "comp", "--scale", "2", "--out", str(tmp_path / "out"), "--report", "md"]
    assert main([*run, "--weights", f"fp32@srresnet.x2={tmp_path / 'net.pth'}"]) == 0
    assert "--weights fp32@srresnet.x2: The table 'params_ema' was taken" in capsys.readouterr().err
    (tmp_path / "page.pth").write_bytes(b"<html>")
    for target, told in (
        (f"fp32={tmp_path / 'page.pth'}", "it is a web page"),
        (f"fp32@vdsr={tmp_path / 'net.pth'}", "unknown backbone in --weights 'vdsr'"),
        (f"fp32@edsr.x5={tmp_path / 'net.pth'}", "unknown scale in --weights 'x5'"),
    ):
        assert main([*run, "--weights", target]) == 2
        assert told in capsys.readouterr().err
