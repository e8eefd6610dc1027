"""Trained networks of others as contestants: the documented example, colours, sides, names, and claims of few bits."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.app.main import main
from bench.contract import Card, Cell, Settings, Unsupported, UserError
from bench.nn.algorithm import Tag, tag
from bench.nn.build import build_network
from bench.nn.foreign import NONE, Foreign
from bench.nn.label import check_label
from bench.nn.weights import prepare_network

EXAMPLE = Path(__file__).resolve().parents[1] / "docs" / "wrapped_network.py"
IMAGE = torch.rand(1, 3, 10, 13, generator=torch.Generator().manual_seed(0))


def card(bits: int = 32) -> Card:
    return Card("theirs", "Theirs", "x:Theirs", bits, bits, backbone_free=True)


class Theirs(Foreign):
    """Doubles pictures in 0..255 whose sides 4 divides, and refuses others."""

    card = card()
    scales = (2,)
    colours, multiple = 255.0, 4

    def network(self, scale: int) -> nn.Module:
        return Doubling()


class Doubling(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Conv2d(3, 12, 3, padding=1), nn.PixelShuffle(2), nn.Conv2d(3, 3, 1))

    def forward(self, x: Tensor) -> Tensor:
        assert x.shape[2] % 4 == x.shape[3] % 4 == 0
        return self.first(x)


def test_colours_and_sides_are_its_own() -> None:
    network = build_network(Theirs(), NONE, 2)
    with torch.no_grad():
        got = network(IMAGE)
        padded = nn.functional.pad(IMAGE, (0, 3, 0, 2), mode="reflect")
        expected = network.body(padded * 255.0)[..., :20, :26] / 255.0
    assert got.shape == (1, 3, 20, 26) and torch.equal(got, expected)
    with pytest.raises(Unsupported, match="Theirs has no x3; it has: x2"):
        build_network(Theirs(), NONE, 3)


def test_weights_are_read_under_its_own_names_even_if_they_begin_alike(tmp_path: Path) -> None:
    theirs = Doubling()
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in theirs.state_dict().items()}}, tmp_path / "a.pth"
    )
    torch.save(theirs.state_dict(), tmp_path / "b.pth")
    cell = Cell("accuracy", "theirs", NONE, "x2", "set5")
    for file in ("a.pth", "b.pth"):
        network, _, label = prepare_network(Theirs(), cell, Settings(weights={"theirs": tmp_path / file}))
        assert label == "own-unknown" and torch.equal(network.body.first[0].weight, theirs.first[0].weight)
    torch.save({**theirs.state_dict(), "first.0.weight": torch.randn(1, 3)}, tmp_path / "c.pth")
    with pytest.raises(UserError, match=r"first.0.weight: got \(1, 3\), expected \(12, 3, 3, 3\)"):
        prepare_network(Theirs(), cell, Settings(weights={"theirs": tmp_path / "c.pth"}))


class Rounded(nn.Conv2d):
    """A convolution of 8-bit weights on an 8-bit input, or not."""

    honest = True

    def forward(self, x: Tensor) -> Tensor:
        step = self.weight.abs().max() / 127
        weight = torch.round(self.weight / step) * step if self.honest else self.weight
        return self._conv_forward(torch.round(x.clamp(0, 255)), weight, self.bias)


def quantized(layer: nn.Module, bits: int) -> Foreign:
    class Own(Theirs):
        card = card(bits)

        def network(self, scale: int) -> nn.Module:
            return nn.Sequential(tag(layer, Tag("body", bits, bits)) if bits < 32 else layer, nn.PixelShuffle(2))

    return Own()


def labelled(method: Foreign) -> None:
    check_label(method.card, build_network(method, NONE, 2).eval(), IMAGE)


def test_a_claim_of_few_bits_is_checked_and_none_is_made_without_one() -> None:
    labelled(quantized(Rounded(3, 12, 3, padding=1), 8))
    torch.manual_seed(0)
    wide = Rounded(3, 64, 9, padding=4)
    wide.honest = False
    with pytest.raises(Unsupported, match="weight values"):
        labelled(quantized(nn.Sequential(wide, nn.Conv2d(64, 12, 1)), 4))

    class Claiming(Theirs):
        card = card(1)

    with pytest.raises(Unsupported):
        labelled(Claiming())


def test_the_documented_example_runs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    text = EXAMPLE.read_text(encoding="utf-8")
    assert len(text.splitlines()) < 40
    (tmp_path / EXAMPLE.name).write_text(text, encoding="utf-8")
    torch.manual_seed(0)
    theirs = runpy.run_path(str(EXAMPLE))["TheirNetwork"](2)
    torch.save({"params_ema": theirs.state_dict()}, tmp_path / "net.pth")
    words = [
        "--algos",
        f"{tmp_path / EXAMPLE.name}:Wrapped",
        "--track",
        "accuracy,comp",
        "--preset",
        "smoke",
        "--report",
    ]
    words += ["md", "--scale", "2", "--out", str(tmp_path / "out"), "--weights", f"wrapped={tmp_path / 'net.pth'}"]
    assert main(words) == 0, capsys.readouterr().err
    (record,) = (tmp_path / "out").rglob("comp/wrapped.*.json")
    metrics = json.loads(record.read_text())["metrics"]
    assert metrics["params_k"]["value"] == pytest.approx(sum(p.numel() for p in theirs.parameters()) / 1e3)
    (record,) = (tmp_path / "out").rglob("accuracy/wrapped.*.json")
    assert "own-unknown" in json.loads(record.read_text())["flags"]
