"""The public interface: a packed network on NumPy pictures, the tour through it, the console command."""

from __future__ import annotations

import re
import subprocess
import sys
import tomllib
from importlib import import_module
from pathlib import Path

import numpy as np
import pytest
import torch

import bench
from bench.contract import UserError
from bench.nn.build import build_network
from bench.packed.pack import pack, save
from bench.pictures.protocol import SR_Y_V1
from bench.plan.discover import discover

ROOT = Path(__file__).resolve().parents[1]
PICTURE = np.random.default_rng(0).integers(0, 256, (9, 13, 3), dtype=np.uint8)


def packed_file(folder: Path, algorithm: str = "frb") -> tuple[Path, torch.nn.Module]:
    network = build_network(discover().loader("frb"), "srresnet", 2).eval()
    path = folder / "frb.packed.safetensors"
    save(pack(network), path, {"algorithm": algorithm, "backbone": "srresnet", "scale": 2})
    return path, network


def test_a_packed_file_runs_on_a_picture_as_the_network_does(tmp_path: Path) -> None:
    path, network = packed_file(tmp_path)
    packed = bench.load_packed(path)
    with torch.no_grad():
        expected = network(torch.from_numpy(PICTURE).permute(2, 0, 1)[None].float() / 255)[0].permute(1, 2, 0).numpy()
    got = packed(PICTURE)
    assert got.dtype == np.uint8 and np.array_equal(got, SR_Y_V1.quantize(expected))
    assert packed.header.algorithm == "frb" and len(packed.layers) == 32
    layer = packed.layers[0]
    assert (layer.name, layer.shape, layer.bits_w, layer.bits_a, layer.bases) == (
        "body.0.conv1",
        (64, 64, 3, 3),
        1,
        1,
        2,
    )
    assert layer.kernel in bench.load_packed(str(path)).layers[5].kernel


@pytest.mark.parametrize(
    "picture", [PICTURE / 255, PICTURE[..., 0], PICTURE[None], np.zeros((0, 3, 3), np.uint8), PICTURE[..., [0, 1]]]
)
def test_other_pictures_are_refused(picture: np.ndarray, tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"expected \(H, W, 3\) and uint8"):
        bench.load_packed(packed_file(tmp_path)[0])(picture)


def test_a_method_from_elsewhere_is_named(tmp_path: Path) -> None:
    path, _ = packed_file(tmp_path, "theirs")
    with pytest.raises(UserError, match="'theirs', which is none of this project's"):
        bench.load_packed(path)
    assert len(bench.load_packed(path, algorithm="algorithms.frb.adapter:FRB").layers) == 32
    with pytest.raises(AttributeError, match="it offers LayerFacts, PackedNetwork, load_packed"):
        _ = bench.load_unpacked


def test_the_tour_runs(tmp_path: Path) -> None:
    tour = ROOT / "docs" / "tour.py"
    done = subprocess.run([sys.executable, str(tour)], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert tour.read_text(encoding="utf-8").count("\n# %%") >= 4


def test_the_page_names_what_there_is() -> None:
    page = (ROOT / "docs" / "api.md").read_text(encoding="utf-8")
    named = re.findall(r"^\| `([\w.]+)` \|", page, re.MULTILINE)
    assert len(named) > 15
    for name in named:
        module, _, attribute = name.rpartition(".")
        assert hasattr(import_module(module), attribute), name
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for block in blocks:
        compile(block, "docs/api.md", "exec")


def test_the_console_command_is_the_command_line() -> None:
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    module, _, name = scripts["bisrbench"].partition(":")
    assert getattr(import_module(module), name)(["--list"]) == 0
