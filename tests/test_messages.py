"""What goes wrong in a user's own files is told once, with file, line and the next step."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from sr_data import picture

from bench.app.main import main
from bench.contract import UserError
from bench.nn.build import build_network, load_weights
from bench.pictures.images import write_png
from bench.plan.discover import discover, load_class
from bench.tasks.sr.datasets import open_set

CLASS = """\
from bench.contract import Card
from bench.nn.algorithm import Algorithm


class {name}(Algorithm):
    {card}

    def conv(self, cin, cout, kernel, *, place):
        return {what}
"""
CARD = 'card = Card(key="mine", name="Mine", adapter="m.py:Mine", bits_w=1, bits_a=1, provenance="ours")'


def test_a_fault_in_every_check_is_told_once_with_its_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CLASS.format(name="Mine", card=CARD, what="no_such_thing"))
    assert main(["--check", f"{path}:Mine"]) == 1
    lines = capsys.readouterr().out.splitlines()
    assert sum("no_such_thing" in line for line in lines) == 1
    assert any("NameError" in line and "(mine.py, line 9 in conv)" in line for line in lines)
    assert sum(line.endswith(": as seed") for line in lines) >= 5


def test_a_failed_cell_names_the_line_of_the_method(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CLASS.format(name="Mine", card=CARD, what="[][cin]"))
    words = ["--algos", f"{path}:Mine", "--track", "comp", "--preset", "smoke", "--out", str(tmp_path / "out")]
    assert main(words) == 1
    errors = capsys.readouterr().err
    assert "(mine.py, line 9 in conv)" in errors and str(tmp_path / "mine.py") not in errors.partition("log:")[0]


@pytest.mark.parametrize("name", ["_Mine", "M\N{LATIN SMALL LETTER E WITH ACUTE}thode"])
def test_a_class_whose_name_gives_no_key(tmp_path: Path, name: str) -> None:
    path = tmp_path / "mine.py"
    path.write_text(CLASS.format(name=name, card="pass", what="None"))
    with pytest.raises(UserError, match=rf"class name {name} gives no key.*card = Card\(key="):
        load_class(f"{path}:{name}")


def test_a_file_beside_the_methods(tmp_path: Path) -> None:
    path = tmp_path / "mine.py"
    path.write_text("import helper_of_mine\n")
    with pytest.raises(UserError, match=r"No module named 'helper_of_mine'$"):
        load_class(f"{path}:Mine")
    (tmp_path / "helper_of_mine.py").write_text("class Mine: pass\n")
    with pytest.raises(UserError, match=r"class in .*mine\.py 'Mine'"):
        load_class(f"{path}:Mine")


@pytest.mark.parametrize("prefix", ["module.", "net.", "module.net."])
def test_weights_under_a_wrappers_prefix(tmp_path: Path, tiny: None, prefix: str) -> None:
    network = build_network(discover().loader("fp32"), "srresnet", 2, seed=1)
    state = {prefix + name: value for name, value in network.state_dict().items()}
    torch.save({"state_dict": state}, tmp_path / "w.pth")
    other = build_network(discover().loader("fp32"), "srresnet", 2, seed=2)
    load_weights(other, tmp_path / "w.pth")
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), other.parameters(), strict=True))
    torch.save({"module.other.weight": torch.zeros(3)}, tmp_path / "x.pth")
    with pytest.raises(UserError, match=r"another network:(.|\n)*module\.other|missing, expected"):
        load_weights(other, tmp_path / "x.pth")


def test_a_picture_too_small_to_score_is_named(tmp_path: Path) -> None:
    for number in range(109):
        side = 12 if number == 7 else 16
        write_png(tmp_path / "Manga109" / f"img{number:03d}.png", np.asarray(picture(number, side, side)))
    data = open_set("manga109", 2, tmp_path)
    assert data[0].truth.shape == (16, 16, 3)
    with pytest.raises(UserError, match=r"img007\.png: 12x12 pixels are too small.*15x15"):
        data[7]


@pytest.mark.parametrize("value", ["inf", "nan", "-1", "0", "much"])
def test_a_limit_that_is_no_number(tmp_path: Path, capsys: pytest.CaptureFixture[str], value: str) -> None:
    words = ["--algos", "bicubic", "--track", "accuracy", "--set", f"accuracy.memory_mb={value}"]
    assert main([*words, "--out", str(tmp_path)]) == 2
    assert f"accuracy.memory_mb={value}: expected a number above 0" in capsys.readouterr().err
