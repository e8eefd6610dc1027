"""Enlarged parts of pictures: which part, whose numbers, and what comes of files and names not as expected."""

from __future__ import annotations

import base64
import shutil
from hashlib import sha256
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from fake_pictures import BOX, PSNR, accuracy, output, picture_store, psnr_of, truth
from fake_records import CARDS, realistic
from page_parts import Page
from PIL import Image

import reports
from bench.app.main import main
from bench.records.record import Record
from bench.records.saved_pictures import FOLDER, SAVED, picture_path, saved_pictures
from bench.records.store import Store
from reports.album import Album
from reports.choose import _window_sums
from reports.crops import Crop, Crops, crop_rows
from reports.known import Known

NAMES = Known(cards=CARDS)
ROOT = Path(__file__).parents[1]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return picture_store(tmp_path / "store")


def crops_of(store: Store, *more: Record, sets: tuple[str, ...] | None = None) -> Crops:
    records = [record for path in store.files() if (record := store.read(path))]
    return crop_rows([*records, *more], Album([store.root]), NAMES, sets)


def pixels(crop: Crop) -> np.ndarray:
    kind, _, text = crop.picture.partition(";base64,")
    assert kind == "data:image/png"
    return np.array(Image.open(BytesIO(base64.b64decode(text, validate=True))))


def test_the_part_is_where_the_networks_differ_most(store: Store) -> None:
    (row,) = crops_of(store).rows
    left, top, side = BOX
    part = (slice(top, top + side), slice(left, left + side))
    assert [crop.algo for crop in row.crops] == ["", "bicubic", "fp32", "frb", "bnn"], "references, then best first"
    assert (pixels(row.crops[0]) == truth("busy")[part]).all()
    for crop in row.crops[1:]:
        assert (pixels(crop) == output(crop.algo, "busy")[part]).all()
        assert crop.scores == f"{psnr_of(crop.algo, 'busy'):.2f} / 0.8765", "of that picture, from the record"
    assert row.title == "sample, SRResNet \N{MULTIPLICATION SIGN}2" and row.caption.startswith("busy. ")
    assert crops_of(store) == crops_of(store)


def test_window_sums_by_hand() -> None:
    values = np.random.default_rng(0).random((9, 11))
    naive = [[values[i : i + 4, j : j + 4].sum() for j in range(8)] for i in range(6)]
    np.testing.assert_allclose(_window_sums(values, 4), naive)


def test_a_random_network_is_shown_but_does_not_choose(store: Store) -> None:
    one = accuracy("bnn", store.root)
    noise = np.random.default_rng(0).integers(0, 256, truth("calm").shape, dtype=np.uint8)
    Image.fromarray(noise).save(store.root / FOLDER / picture_path(one.cell, "calm"))
    told = {**one.details[SAVED], "calm": {**one.details[SAVED]["calm"], "sr": sha256(noise.tobytes()).hexdigest()}}
    noisy = one.model_copy(update={"details": {**one.details, SAVED: told}})
    store.write(noisy)
    assert crops_of(store).rows[0].caption.startswith("calm. "), "trained, it would decide"
    store.write(noisy.model_copy(update={"flags": ["untrained"]}))
    (row,) = crops_of(store).rows
    assert row.caption.startswith("busy. ") and {crop.algo: crop.flags for crop in row.crops}["bnn"] == "untrained"


def damage(store: Store, how: str, algo: str = "frb") -> None:
    path = next((store.root / FOLDER / "accuracy").glob(f"{algo}.*")) / "busy.png"
    if how == "missing":
        path.unlink()
    elif how == "cut short":
        path.write_bytes(path.read_bytes()[:200])
    elif how == "another picture":
        Image.fromarray(output("bnn", "busy")).save(path)
    elif how == "no picture":
        path.write_text("<script>alert(1)</script>")
    elif how == "a folder":
        path.unlink()
        path.mkdir()


@pytest.mark.parametrize("how", ["missing", "cut short", "another picture", "no picture", "a folder"])
def test_a_picture_that_the_record_does_not_vouch_for_is_not_shown(store: Store, tmp_path: Path, how: str) -> None:
    damage(store, how)
    (row,) = crops_of(store).rows
    assert {crop.algo: bool(crop.picture) for crop in row.crops} == {
        "": True, "bicubic": True, "fp32": True, "frb": False, "bnn": True,
    }  # fmt: skip
    text = reports.build([store.root], tmp_path / "out", ["html"], CARDS)[0].read_text()
    assert text.count("missing, damaged or not the one that was scored") == 1


def test_without_an_original_another_picture_is_taken_and_without_any_the_page_says_so(
    store: Store, tmp_path: Path
) -> None:
    originals = store.root / FOLDER / "accuracy" / "hr.x2.sample"
    (originals / "busy.png").unlink()
    (row,) = crops_of(store).rows
    assert row.caption.startswith("calm. ")
    shutil.rmtree(store.root / FOLDER)
    found = crops_of(store)
    assert found.rows == () and found.problems == ("sample \N{MULTIPLICATION SIGN}2, SRResNet",)
    text = reports.build([store.root], tmp_path / "out", ["html"], CARDS)[0].read_text()
    assert "they are not beside them or were changed since" in text and 'data-tab="_crops"' not in text


def test_a_method_scored_against_another_original_stands_apart(store: Store) -> None:
    one = accuracy("frb", store.root)
    told = {name: {"sr": saved.sr, "hr": "0" * 64} for name, saved in saved_pictures(one.details).items()}
    store.write(one.model_copy(update={"details": {**one.details, SAVED: told}}))
    (row,) = crops_of(store).rows
    assert "frb" not in [crop.algo for crop in row.crops]
    assert "Not shown, for want of this picture with the same original: FRB." in row.caption


def test_numbers_that_do_not_match_the_list_of_pictures_are_not_shown(store: Store) -> None:
    one = accuracy("frb", store.root)
    store.write(one.model_copy(update={"details": {**one.details, "pictures": ["busy", "busy"]}}))
    (row,) = crops_of(store).rows
    assert {crop.algo: crop.scores for crop in row.crops}["frb"] == "\N{EN DASH} / \N{EN DASH}"


def test_without_saved_pictures_the_section_is_absent_and_the_page_says_how_to_get_it(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    for one in realistic(("bicubic", "fp32", "frb"), scales=(2,)):
        store.write(one)
    text = reports.build([store.root], tmp_path / "out", ["html"], CARDS)[0].read_text()
    assert 'data-tab="_crops"' not in text and "<img" not in text
    assert "--set accuracy.save_images=true" in text


def test_pictures_of_published_sets_can_be_left_out(tmp_path: Path) -> None:
    store = picture_store(tmp_path / "store", ("sample", "set5"))
    assert [row.case for row in crops_of(store).rows] == ["sample", "set5"]
    words = ["report", "--store", str(store.root), "--out", str(tmp_path / "out")]
    page = tmp_path / "out" / "index.html"
    for choice, count, warned in (("all", 12, True), ("sample", 6, False), ("none", 0, False)):
        assert main([*words, "--crops", choice]) == 0
        text = page.read_text()
        assert text.count("<img") == count and ("may not be passed on" in text) == warned
    assert main([*words, "--crops", "set7"]) == 2


def test_pages_in_the_repository_show_no_pictures_of_published_sets() -> None:
    for path in (ROOT / "results").rglob("*.html"):
        assert "may not be passed on" not in path.read_text(encoding="utf-8"), f"{path}: build it with --crops sample"


EVIL = "<img src=x onerror=alert(1)>\"'&\u202e"


def test_hostile_names_stay_text_and_lead_nowhere(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    (tmp_path / "store" / FOLDER).mkdir(parents=True)
    for algo in PSNR:
        store.write(accuracy(algo, store.root, names=("calm", EVIL)))
    cards = {**CARDS, "frb": CARDS["frb"].__class__(**{**vars(CARDS["frb"]), "name": EVIL})}
    made = reports.build([store.root], tmp_path / "out", ["site"], cards)
    for path in made:
        text = path.read_text()
        assert "\u202e" not in text
        for tag, attributes in Page(text).tags:
            assert not any(name.startswith("on") for name in attributes), attributes
            assert tag != "img" or (attributes["src"] or "").startswith(("data:image/png;", "data:image/jpeg;"))
    assert "&lt;img src=x onerror=alert(1)&gt;" in made[0].read_text()


@pytest.mark.parametrize("name", ["../../secret", "a/b", "..", "", "a\\b", "a\0b", "x" * 300])
def test_a_name_that_is_a_path_is_no_picture(name: str) -> None:
    good = {"sr": "0" * 64, "hr": "1" * 64}
    assert saved_pictures({SAVED: {name: good, "plain": good}}).keys() == {"plain"}


@pytest.mark.parametrize(
    "told", [None, [], "x", {"a": None}, {"a": {"sr": "0" * 64}}, {"a": {"sr": 1, "hr": "z" * 64}}]
)
def test_malformed_details_are_no_pictures(told: object) -> None:
    assert saved_pictures({SAVED: told}) == {}


def test_from_the_track_to_the_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = Store(tmp_path / "store")
    words = ["--algos", "bicubic", "--track", "accuracy", "--scale", "4", "--datasets", "sample"]
    assert main([*words, "--set", "accuracy.save_images=true", "--out", str(store.root)]) == 0
    (record,) = (record for path in store.files() if (record := store.read(path)))
    assert list(saved_pictures(record.details)) == record.details["pictures"]
    (row,) = crops_of(store).rows
    assert [crop.algo for crop in row.crops] == ["", "bicubic"] and all(crop.picture for crop in row.crops)
    page = (store.root / "report" / "index.html").read_text()
    assert page.count("<img") == 3 and row.crops[1].scores in page
