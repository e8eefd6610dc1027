"""What lies in a store and beside it: trainings, half-written pictures, text that is no Unicode, absurd values."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from fake_records import record

from bench.contract import UserError
from bench.nn.training.folder import held
from bench.nn.training.grid import RUNS
from bench.pictures.images import write_png
from bench.records.record import RecordError, canonical, from_text, sha256, to_text
from bench.records.store import Store, load

ONE = SimpleNamespace(is_global_zero=True)


def test_two_trainings_in_one_folder_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    with held(folder, ONE):
        with pytest.raises(UserError, match=r"is in use by process \d+ on this machine.*--out"), held(folder, ONE):
            pytest.fail("two runs held one folder")
        with held(tmp_path / "another", ONE), held(folder, SimpleNamespace(is_global_zero=False)):
            pass
    left = folder / ".weights.safetensors.abc.tmp"
    left.write_bytes(b"half")
    with held(folder, ONE):
        assert not left.exists(), "what a killed run left half written is swept"


def test_trainings_live_outside_stores_and_old_ones_are_no_damaged_records(tmp_path: Path) -> None:
    assert RUNS.parts[-2:] == ("results", "trainings")
    old = tmp_path / "train" / "frb.srresnet.x4.smoke-s0" / "record.json"
    old.parent.mkdir(parents=True)
    old.write_text("{}")
    assert [*Store(tmp_path).files()] == [] and not load([tmp_path]).problems


def test_half_written_pictures_are_swept_once_nobody_writes_them(tmp_path: Path) -> None:
    names = (".a.png.123.part", ".a.png.xyz.tmp", ".b.png.xyz.tmp")
    for name in (*names, ".a.png.new.tmp"):
        (tmp_path / name).write_bytes(b"half")
    for name in names:
        os.utime(tmp_path / name, (0, 0))
    write_png(tmp_path / "a.png", np.zeros((2, 2, 3), np.uint8))
    assert sorted(path.name for path in tmp_path.iterdir()) == [".a.png.new.tmp", ".b.png.xyz.tmp", "a.png"]


def test_a_latin_1_file_name_stands_in_a_record_as_text(tmp_path: Path) -> None:
    name = b"caf\xe9.png".decode("utf-8", "surrogateescape")
    made = record("comp", "frb", "srresnet", 2, "320x180", {}, details={"file": name, "more": [name]})
    Store(tmp_path).write(made)
    (read,) = load([tmp_path]).records
    assert read.details == {"file": "caf\\udce9.png", "more": ["caf\\udce9.png"]}
    assert len(sha256({"file": name})) == 64


@pytest.mark.parametrize("bad", ["surrogate", "bytes", "1e30"])
def test_one_bad_record_costs_a_sentence(bad: str, tmp_path: Path) -> None:
    good = record("comp", "frb", "srresnet", 2, "320x180", {"params_k": 2.0})
    Store(tmp_path).write(good)
    path = tmp_path / record("comp", "bnn", "srresnet", 2, "320x180", {}).relative_path
    content = json.loads(to_text(record("comp", "bnn", "srresnet", 2, "320x180", {"params_k": 1.0})))
    content.pop("sha256")
    if bad == "1e30":
        content["metrics"]["params_k"]["value"] = 1e30
        path.write_text(json.dumps({**content, "sha256": sha256(content)}))
    elif bad == "surrogate":
        content["details"] = {"file": "caf\udce9"}
        path.write_text(json.dumps({**content, "sha256": sha256(content)}))
    else:
        path.write_bytes(canonical({**content, "sha256": ""}).encode().replace(b"bnn", b"b\xe9n"))
    loaded = load([tmp_path])
    assert [each.cell.algo for each in loaded.records] == ["frb"]
    (problem,) = loaded.problems
    assert {"surrogate": "no Unicode", "bytes": "cannot be read", "1e30": "no measurement reaches"}[bad] in str(problem)
    str(problem).encode()


def test_a_record_of_absurd_size_is_not_read(tmp_path: Path) -> None:
    made = record("infer", "frb", "srresnet", 2, "320x180-t1", {"latency_ms": 1e30})
    with pytest.raises(RecordError, match=r"latency_ms is 1e\+30, and no measurement reaches 1e\+12"):
        from_text(to_text(made), tmp_path / made.relative_path)
