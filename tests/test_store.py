"""The store: atomic, and it loses nothing that can be read."""

from __future__ import annotations

from pathlib import Path

import pytest
from test_record import CELL, MACHINE, record

from bench.contract import Cell, UserError
from bench.records.record import to_text
from bench.records.store import Store, load

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store")


def names(store: Store) -> list[str]:
    return sorted(path.name for path in store.root.rglob("*") if path.is_file())


def test_write_then_read(store: Store) -> None:
    path = store.write(record())
    assert path == store.path(CELL, MACHINE.id)
    assert store.read(path) == record()
    assert names(store) == [path.name], "no temporary file stays"


def test_an_absent_record_is_none(store: Store) -> None:
    assert store.read(store.path(CELL, None)) is None


def test_a_failed_rename_leaves_the_old_record(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.write(record())

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.replace", refuse)
    with pytest.raises(UserError, match=r"cannot be written \(No space left on device\)"):
        store.write(record(flags=[]))
    assert store.read(path) == record()
    assert names(store) == [path.name]


@pytest.mark.parametrize("damage", [lambda text: text[: len(text) // 2], lambda text: text.replace("0.1", "0.2")])
def test_a_damaged_file_is_reported_then_set_aside(store: Store, damage) -> None:
    path = store.write(record())
    for number in ("", ".2"):
        broken = damage(to_text(record()))
        path.write_text(broken)
        loaded = load([store.root])
        assert loaded.records == []
        assert [problem.path for problem in loaded.problems] == [path]
        assert path.read_text() == broken, "reading changes nothing"
        store.write(record())
        assert path.with_name(f"{path.name}{number}.damaged").read_text() == broken
        assert store.read(path) == record()


def test_a_good_record_survives_a_failure(store: Store) -> None:
    path = store.write(record())
    store.write(record(status="failed", reason="out of memory", metrics={}))
    assert store.read(path).status == "failed"
    assert path.with_name(f"{path.name}.previous").read_text() == to_text(record())


def test_load_takes_every_store_and_no_side_files(tmp_path: Path) -> None:
    one, two = Store(tmp_path / "one"), Store(tmp_path / "two")
    one.write(record())
    other = record(cell=Cell("comp", "frb", "srresnet", "x2", "set5"), machine_bound=False)
    two.write(other)
    for extra in ("files/infer/net.json", "logs/infer/x.json", "any/comp/.half.json.tmp", "any/notes.json"):
        (two.root / extra).parent.mkdir(parents=True, exist_ok=True)
        (two.root / extra).write_text("{")
    loaded = load([one.root, two.root, tmp_path / "absent"])
    assert loaded.records == [record(), other]
    assert loaded.problems == []


def test_binary_rubbish_is_a_problem_not_a_crash(store: Store) -> None:
    path = store.write(record())
    path.write_bytes(b"\xff\xfe\x00")
    assert "cannot be read" in str(load([store.root]).problems[0])


def test_leftovers_are_swept_by_the_owner_of_their_cell_alone(store: Store) -> None:
    path = store.write(record())
    mine, foreign = path.with_name(f".{path.name}.abc.tmp"), path.with_name(".another.json.abc.tmp")
    for leftover in (mine, foreign):
        leftover.write_text('{"half": ')
    assert load([store.root]).problems == []
    with store.writing():
        assert mine.exists(), "a run that does not hold the cell touches nothing"
    store.write(record())
    assert not mine.exists() and foreign.exists()


def test_a_reader_looks_twice(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    path = store.write(record())
    whole, looks = path.read_text(), []

    def half_at_first(self: Path, **_: object) -> str:
        looks.append(self)
        return whole[:50] if len(looks) == 1 else whole

    monkeypatch.setattr(Path, "read_text", half_at_first)
    assert store.read(path) == record()
    assert len(looks) == 2


@pytest.mark.parametrize("inside", [False, True])
def test_a_file_in_place_of_the_folder(tmp_path: Path, inside: bool) -> None:
    (tmp_path / "taken").write_text("precious")
    store = Store(tmp_path / "taken" / "deeper" if inside else tmp_path / "taken")
    with pytest.raises(UserError, match=r"cannot be written .*Nothing was measured.*--out"), store.writing():
        pytest.fail("must not start")
    assert (tmp_path / "taken").read_text() == "precious"


def test_what_the_project_vouches_for_is_sound() -> None:
    reference = ROOT / "results" / "reference"
    if not reference.is_dir():
        pytest.skip("no reference records yet")
    loaded = load([reference])
    assert loaded.problems == []
    assert [str(item.cell) for item in loaded.records if item.provenance.dirty is not False] == []
