"""A backbone from a user's own file: named on the command line, it is built, counted, measured and told stale."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.app.main import main
from bench.contract import UserError
from bench.contract.backbones import BACKBONES, add_own
from bench.records.store import load

SOURCE = """
from torch import nn
from bench.nn.network import Network

WIDTH = 4

def mininet(algorithm, scale):
    return Network(
        head=algorithm.layer("head", 3, WIDTH, 3),
        body=nn.Sequential(algorithm.block(WIDTH)),
        upsampler=algorithm.upsample_stage(WIDTH, scale, None),
        tail=algorithm.layer("tail", WIDTH, 3, 3),
        scale=scale,
    )
"""


@pytest.fixture
def spec(tmp_path: Path) -> Iterator[str]:
    file = tmp_path / "mine.py"
    file.write_text(SOURCE)
    yield f"{file}:mininet"
    BACKBONES.pop("mininet", None)


def test_it_is_counted_and_timed_like_any_other(spec: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = [
        "--algos",
        "fp32,frb,recu",
        "--track",
        "comp,infer",
        "--backbone",
        spec,
        "--scale",
        "2",
        "--lr-size",
        "24x16",
    ]
    words += ["--repeats", "1", "--out", str(tmp_path / "out")]
    assert main(words) == 0, capsys.readouterr().err
    records = load([tmp_path / "out"]).records
    assert {(r.cell.track, r.cell.algo, r.cell.backbone, r.status) for r in records} == {
        (track, algo, "mininet", "ok") for track in ("comp", "infer") for algo in ("fp32", "frb", "recu")
    }
    file = Path(spec.rpartition(":")[0])
    file.write_text(SOURCE.replace("WIDTH = 4", "WIDTH = 8"))
    assert main([*words, "--dry-run"]) == 0
    assert "mine.py changed" in capsys.readouterr().out


def test_a_method_for_one_backbone_alone_is_not_on_it(spec: str, tmp_path: Path) -> None:
    assert main(["--algos", "fp32,bam", "--track", "comp", "--backbone", spec, "--out", str(tmp_path / "out")]) == 0
    status = {record.cell.algo: record.status for record in load([tmp_path / "out"]).records}
    assert status == {"fp32": "ok", "bam": "unsupported"}


def test_mistakes_are_told(spec: str, tmp_path: Path) -> None:
    file = Path(spec.rpartition(":")[0])
    for wrong, expected in (
        (f"{file}:nothing", "has no function nothing"),
        (f"{file}:WIDTH", "names no backbone"),
        ("bench.nn:build", "names no backbone"),
        (f"{tmp_path / 'none.py'}:x", "there is no file"),
    ):
        with pytest.raises(UserError, match=expected):
            add_own(wrong)
    taken = tmp_path / "taken.py"
    taken.write_text("def edsr(algorithm, scale): ...")
    with pytest.raises(UserError, match=r"'edsr' is .* already"):
        add_own(f"{taken}:edsr")
