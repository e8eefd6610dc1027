"""Parts of a grid: together the whole, the same everywhere, whatever the order of the lists."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_resume import WORDS, content

from bench.contract import UserError
from bench.contract.part import Part, fraction
from bench.nn.training.combinations import Grid

ITEMS = [f"{algo}.x{scale}" for algo in ("alpha", "beta", "gamma") for scale in (2, 3, 4)]


@pytest.mark.parametrize("of", [1, 2, 4, 9, 20])
def test_parts_are_equally_long_and_together_the_whole(of: int) -> None:
    parts = [Part(number, of).take(ITEMS, str) for number in range(1, of + 1)]
    assert sorted(item for part in parts for item in part) == sorted(ITEMS)
    assert max(map(len, parts)) - min(map(len, parts)) <= 1
    assert all(part == [item for item in ITEMS if item in part] for part in parts), "the order stays"


def test_parts_follow_names_alone() -> None:
    """Pinned: another version that dealt otherwise would measure some cells twice and others never."""
    assert Part(2, 4).take(ITEMS, str) == ["beta.x2", "gamma.x4"]
    assert Part(2, 4).take(ITEMS[::-1], str) == ["gamma.x4", "beta.x2"]


def test_no_part_gets_all_that_is_slow() -> None:
    items = [f"algo{number}.x{scale}" for number in range(40) for scale in (2, 4)]
    for number in (1, 2):
        part = Part(number, 2).take(items, str)
        assert 10 < sum(item.endswith("x2") for item in part) < 30


def test_named_members_and_a_mistyped_one() -> None:
    assert Part(names=("beta.x3", "alpha.x2")).take(ITEMS, str) == ["alpha.x2", "beta.x3"]
    with pytest.raises(UserError, match=r"--cell beta.x5: none of the 9 .* Did you mean beta\.x[234]\?"):
        Part(names=("beta.x5",)).take(ITEMS, str)


@pytest.mark.parametrize("text", ["0/4", "5/4", "1", "1/", "/4", "a/b", "1/4/2", "x/4"])
def test_a_fraction_that_is_none(text: str, bench) -> None:
    assert fraction("3/8") == (3, 8)
    code, _, errors = bench("--algos", "all", "--track", "count", "--cells", text)
    assert code == 2 and "expected I/N with I from 1 to N" in errors


def test_parts_of_a_run_equal_the_whole(bench, tmp_path: Path) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    assert bench(*WORDS, "--out", whole)[0] == 0
    for number in range(1, 6):
        code, out, errors = bench(*WORDS, "--out", parts, "--cells", f"{number}/5")
        assert code == 0 and f"part {number} of 5: " in errors and "Page" not in out
    assert content(parts) == content(whole)
    assert bench("report", "--store", parts, "--out", tmp_path)[0] == 0


def test_more_parts_than_cells(bench, tmp_path: Path) -> None:
    codes = [bench(*WORDS, "--out", tmp_path, "--cells", f"{number}/13")[0] for number in range(1, 14)]
    assert codes == [0] * 13
    assert len(content(tmp_path)) == 12


def test_a_named_cell_needs_no_lists(bench, tmp_path: Path) -> None:
    name = "count/beta.srresnet.x3.320x180"
    code, _, errors = bench("--cell", name, "--out", tmp_path)
    assert code == 0, errors
    assert [path.name for path in (tmp_path / "any/count").iterdir()] == ["beta.srresnet.x3.320x180.json"]
    code, _, errors = bench("--cell", "count/beta.srresnet.x3.32x18", "--out", tmp_path)
    assert code == 2 and f"Did you mean {name}?" in errors


def test_trainings_are_split_alike() -> None:
    grid = Grid(["fp32", "frb"], ["srresnet"], [4, 2], [0, 1], "board")
    names = [one.name for one in grid.trainings()]
    assert names[0] == "fp32.srresnet.x4.board-s0" and len(names) == 8
    parts = [Grid(["fp32", "frb"], ["srresnet"], [4, 2], [0, 1], "board", Part(n, 3)).trainings() for n in (1, 2, 3)]
    assert sorted(one.name for part in parts for one in part) == sorted(names)
    one = Grid(["fp32", "frb"], ["srresnet"], [4, 2], [0, 1], "board", Part(names=(names[3],))).trainings()
    assert [training.name for training in one] == [names[3]]
