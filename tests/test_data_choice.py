"""``--datasets``: the test sets of accuracy and robust, chosen by name, refused when they are not there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from sr_data import copy_set5, needs_data

from bench.app.main import main
from bench.records.record import Record
from bench.records.store import Store

Plan = Callable[..., list[str]]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A data root with two (empty) sets."""
    for name in ("Set5", "BSD100"):
        (tmp_path / "data" / name / "HR").mkdir(parents=True)
    return tmp_path / "data"


@pytest.fixture
def planned(capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Plan:
    """The cells of a dry run; raises AssertionError with the message when the command is refused."""
    monkeypatch.delenv("BISRBENCH_DATA", raising=False)

    def run(*words: object) -> list[str]:
        selection = ["--algos", "bicubic", "--track", "accuracy,robust", "--scale", "2", "--dry-run"]
        code = main([*selection, "--out", str(tmp_path / "store"), *map(str, words)])
        said = capsys.readouterr()
        assert code == 0, said.err
        return [line.split()[0] for line in said.out.splitlines() if line.startswith(("accuracy/", "robust/"))]

    return run


def test_each_chosen_set_is_a_cell_of_its_own(planned: Plan, root: Path) -> None:
    def both(*sets: str) -> list[str]:
        cases = [*(f"accuracy/bicubic.none.x2.{name}" for name in sets)]
        return [*cases, *(f"robust/bicubic.none.x2.{name}-mild-v1" for name in sets)]

    assert planned("--data-root", root, "--datasets", "BSD100, sample,b100") == both("b100", "sample")
    assert planned("--data-root", root, "--datasets", "all") == both("set5", "b100")
    assert planned("--datasets", "sample") == both("sample")
    assert planned("--data-root", root) == both("set5", "set14"), "without the flag: the preset's"


@pytest.mark.parametrize(("sets", "says"), [
    ("set5,set15", "unknown data set 'set15'. Did you mean 'set5'? Known: set5, set14,"),
    ("set14", "has no Set14: found BSD100, Set5, expected a folder named Set14."),
    (" , ", "names no test set. Known: set5, set14, b100, urban100, manga109, sample, or all."),
])  # fmt: skip
def test_a_set_that_is_unknown_or_absent_ends_the_command(planned: Plan, root: Path, sets: str, says: str) -> None:
    with pytest.raises(AssertionError) as refused:
        planned("--data-root", root, "--datasets", sets)
    assert says in str(refused.value)


def test_a_published_set_needs_a_data_root(planned: Plan) -> None:
    with pytest.raises(AssertionError, match="Set5 needs a data root: give --data-root or set BISRBENCH_DATA"):
        planned("--datasets", "sample,set5")


@needs_data
def test_records_of_other_sets_stay_and_none_is_taken_for_another(tmp_path: Path) -> None:
    copy_set5(tmp_path / "data")
    words = ["--algos", "bicubic", "--track", "accuracy", "--scale", "4", "--data-root", str(tmp_path / "data")]
    store = Store(tmp_path / "store")

    def run(sets: str) -> dict[str, Record]:
        assert main([*words, "--datasets", sets, "--out", str(store.root)]) == 0
        return {path.name: record for path in store.files() if (record := store.read(path))}

    first = run("sample")
    assert list(first) == ["bicubic.none.x4.sample.json"]
    both = run("set5")
    assert list(both) == ["bicubic.none.x4.sample.json", "bicubic.none.x4.set5.json"]
    one, other = both.values()
    assert one == first["bicubic.none.x4.sample.json"], "measured once, kept"
    assert one.provenance.fingerprint != other.provenance.fingerprint
    assert one.provenance.dataset_sha256 != other.provenance.dataset_sha256
