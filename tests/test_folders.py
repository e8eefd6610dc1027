"""Picture folders as people have them: links, copies in low resolution, DIV2K, pictures that should not be there."""

from __future__ import annotations

from pathlib import Path

import pytest
from sr_data import DATA, needs_data, picture

from bench.app.main import main
from bench.contract import UserError
from bench.nn.training.data import load_pictures
from bench.pictures.folders import hr_name, is_lr_folder, lr_name, training_pictures
from bench.pictures.images import write_png
from bench.pictures.layouts import list_items
from bench.pictures.resize import resize


def fill(folder: Path, *names: str, first: int = 0, side: int = 40) -> None:
    for number, name in enumerate(names, first):
        write_png(folder / f"{name}.png", picture(number, side, side))


def found(folder: Path) -> tuple[list[str], list[str]]:
    notes: list[str] = []
    files = training_pictures(folder, notes.append)
    return [path.relative_to(folder).with_suffix("").as_posix() for path in files], notes


@pytest.mark.parametrize(
    ("stem", "name"),
    [
        ("babyx2", "baby"), ("baby_x2", "baby"), ("baby-x2", "baby"), ("baby_LR", "baby"), ("baby_LRBI_x2", "baby"),
        ("baby", ""), ("0001", ""), ("img_001", ""), ("box", ""), ("x2", ""),
    ],
)  # fmt: skip
def test_names_of_copies(stem: str, name: str) -> None:
    assert lr_name(stem) == name
    assert lr_name(stem, 2) == name
    assert lr_name(stem, 3) == (name if stem == "baby_LR" else "")


def test_names_of_originals_and_folders() -> None:
    assert [hr_name(stem) for stem in ("baby_HR", "baby_HR_x2", "baby")] == ["baby"] * 3
    copies = ("LR", "lr_bicubic", "LR_x2", "LRbicx2", "X2", "DIV2K_train_LR_bicubic", "DIV2K_train_LR_unknown", "LRBI")
    assert all(map(is_lr_folder, copies))
    assert not any(map(is_lr_folder, ("HR", "train", "DIV2K_train_HR", "lroom", "x", "x20", "solr")))


def test_div2k_as_it_is_unpacked(tmp_path: Path) -> None:
    fill(tmp_path / "DIV2K_train_HR", "0001", "0002")
    fill(tmp_path / "DIV2K_train_LR_bicubic" / "X2", "0001x2", "0002x2", first=10, side=20)
    fill(tmp_path / "DIV2K_valid_HR", "0801", first=20)
    fill(tmp_path / "DIV2K_valid_LR_bicubic" / "X2", "0801x2", first=30, side=20)
    files, notes = found(tmp_path)
    assert files == ["DIV2K_train_HR/0001", "DIV2K_train_HR/0002"]
    assert len(notes) == 3 and any("--validate" in note and "DIV2K_valid_HR" in note for note in notes)
    assert found(tmp_path / "DIV2K_valid_HR")[0] == ["0801"]
    assert len(load_pictures(tmp_path, 2)) == 2


def test_copies_beside_their_originals_are_no_ground_truth(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b_HR")
    fill(tmp_path, "ax2", "b_LR", "ax4", first=10, side=20)
    fill(tmp_path, "fox2", first=20)
    files, notes = found(tmp_path)
    assert files == ["a", "b_HR", "fox2"]
    assert len(notes) == 1 and "3 low-resolution copies" in notes[0]


def test_links_are_followed_once(tmp_path: Path) -> None:
    fill(tmp_path / "store", "0001", "0002")
    fill(tmp_path / "mix" / "own", "a")
    (tmp_path / "mix" / "linked").symlink_to(tmp_path / "store")
    (tmp_path / "mix" / "round").symlink_to(tmp_path / "mix")
    (tmp_path / "mix" / "own" / "again.png").symlink_to(tmp_path / "mix" / "own" / "a.png")
    files, notes = found(tmp_path / "mix")
    assert files == ["linked/0001", "linked/0002", "own/a"]
    assert any("round" in note and "read already" in note for note in notes)
    assert any("same file" in note and "taken once" in note for note in notes)
    (tmp_path / "mix" / "gone").symlink_to(tmp_path / "nowhere")
    with pytest.raises(UserError, match="gone: a symbolic link that leads nowhere"):
        found(tmp_path / "mix")


def test_the_same_pixels_twice_are_told(tmp_path: Path) -> None:
    fill(tmp_path, "a", "b")
    fill(tmp_path, "c", first=1)
    notes: list[str] = []
    load_pictures(tmp_path, 2, note=notes.append)
    assert any("c.png holds the same picture as" in note and "b.png" in note for note in notes)


@needs_data
def test_pictures_of_a_test_set_are_refused_for_training_and_welcome_for_validation() -> None:
    with pytest.raises(UserError, match=r"5 training pictures are those of a test set.*baby\.png \(published Set5\)"):
        load_pictures(DATA / "Set5" / "HR", 2)
    assert len(load_pictures(DATA / "Set5" / "HR", 2, may_be_test=True)) == 5


@pytest.mark.parametrize(
    ("folder", "hr", "lr"),
    [
        ("LR_bicubic/X2", "{}", "{}x2"), ("LR_bicubic/x2", "{}", "{}_x2"), ("LR_bicubic/X2", "{}", "{}_LRBI_x2"),
        ("LR_bicubic/X2", "{}", "{}-x2"), ("LRbicx2", "{}", "{}"), ("X2", "{}", "{}x2"), ("LR_x2", "{}", "{}"),
        ("LR/x2", "{}_HR_x2", "{}_LRBI_x2"), ("LR/X2", "{}", "{}_LR"),
    ],
)  # fmt: skip
def test_low_resolution_files_are_found_under_every_usual_name(tmp_path: Path, folder: str, hr: str, lr: str) -> None:
    for number, name in enumerate(("one", "two")):
        original = picture(number, 40, 40)
        write_png(tmp_path / "HR" / f"{hr.format(name)}.png", original)
        write_png(tmp_path / folder / f"{lr.format(name)}.png", resize(original, 0.5))
    items = list_items(tmp_path, 2)
    assert [item.name for item in items] == ["one", "two"]
    assert [item.lr and item.lr.stem for item in items] == [lr.format("one"), lr.format("two")]


def test_checking_a_folder_without_any_set_is_an_error(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    fill(tmp_path / "pictures", "a")
    assert main(["data", "check", "--data-root", str(tmp_path)]) == 2
    assert "holds no folder of a known set" in capsys.readouterr().err


def test_where_sets_are_from_is_one_table(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["data", "fetch"]) == 0
    text = capsys.readouterr().out
    assert all(name in text for name in ("Set5", "Set14", "B100", "Urban100", "Manga109", "DIV2K", "www.manga109.org"))
    assert max(map(len, text.splitlines())) <= 80
