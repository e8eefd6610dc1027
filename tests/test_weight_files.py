"""Files of weights as they come: wrappers, prefixes, number types; and what is no such file."""

from __future__ import annotations

import argparse
import os
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file

from bench.contract import UserError
from bench.nn.weight_files import read_weights

TABLE = {f"{part}.weight": torch.randn(4, 3, 3, 3) for part in ("head", "body.0", "body.1", "tail")}
AVERAGED = {name: value + 1 for name, value in TABLE.items()}


def saved(folder: Path, content: object, name: str = "net.pth") -> Path:
    torch.save(content, folder / name)
    return folder / name


def prefixed(prefix: str, table: dict = TABLE) -> dict:
    return {prefix + name: value for name, value in table.items()}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (TABLE, ""),
        ({"params": TABLE}, "'params' was taken"),
        ({"params_ema": TABLE}, "'params_ema' was taken"),
        ({"model": TABLE, "epoch": 3, "optimizer": {"state": {}, "param_groups": []}}, "'model' was taken"),
        ({"state_dict": {"params": TABLE}}, "'state_dict/params' was taken"),
        ({"anything": {"at": {"all": TABLE}}}, "'anything/at/all' was taken"),
        ({"state_dict": prefixed("module."), "args": argparse.Namespace(lr=1)}, "'module.' was taken off"),
        (prefixed("_orig_mod.module."), "'_orig_mod.module.' was taken off"),
        (prefixed("sr_network."), "'sr_network.' was taken off"),
        (
            {"state_dict": {**prefixed("net."), "loss.vgg.weight": torch.ones(2)}, "hyper_parameters": {"lr": 1e-4}},
            "1 tensors of other modules",
        ),
    ],
)
def test_wrappers_are_opened_and_told(content: object, told: str, tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path, content))
    assert found.tensors.keys() == TABLE.keys()
    assert all(torch.equal(found.tensors[name], value) for name, value in TABLE.items())
    assert told in " ".join(found.remarks()) and bool(found.remarks()) == bool(told)


def test_averaged_weights_come_first_and_the_others_can_be_chosen(tmp_path: Path) -> None:
    path = saved(tmp_path, {"params": TABLE, "params_ema": AVERAGED})
    found = read_weights(path)
    assert torch.equal(found.tensors["head.weight"], AVERAGED["head.weight"])
    assert found.remarks() == ["The table 'params_ema' was taken, not 'params'; choose with FILE#TABLE."]
    chosen = read_weights(Path(f"{path}#params"))
    assert torch.equal(chosen.tensors["head.weight"], TABLE["head.weight"])
    with pytest.raises(UserError, match=r"no table 'ema'. It has: 'params', 'params_ema'"):
        read_weights(Path(f"{path}#ema"))


def test_a_name_with_a_hash_is_a_file_before_it_is_a_table(tmp_path: Path) -> None:
    assert read_weights(saved(tmp_path, TABLE, "net#params.pth")).tensors.keys() == TABLE.keys()


@pytest.mark.parametrize("kind", [torch.float16, torch.bfloat16, torch.float64])
def test_other_floats_become_float32(kind: torch.dtype, tmp_path: Path) -> None:
    found = read_weights(saved(tmp_path, {**{n: v.to(kind) for n, v in TABLE.items()}, "count": torch.tensor(3)}))
    assert found.tensors["head.weight"].dtype == torch.float32 and found.tensors["count"].dtype == torch.int64
    assert torch.equal(found.tensors["tail.weight"], TABLE["tail.weight"].to(kind).float())
    assert f"{str(kind)[6:]} became float32." in found.remarks()


def test_the_content_counts_not_the_suffix(tmp_path: Path) -> None:
    save_file(TABLE, tmp_path / "net.pth")
    assert read_weights(tmp_path / "net.pth").tensors.keys() == TABLE.keys()
    assert read_weights(saved(tmp_path, TABLE, "net.safetensors")).tensors.keys() == TABLE.keys()
    torch.save(TABLE, tmp_path / "old.pt", _use_new_zipfile_serialization=False)
    assert read_weights(tmp_path / "old.pt").tensors.keys() == TABLE.keys()


class Code:
    def __reduce__(self) -> tuple[object, ...]:
        return os.system, ("echo \x1b[31m > ran",)


def cut(path: Path, keep: float) -> Path:
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    return path


def safe(folder: Path) -> Path:
    save_file(TABLE, folder / "net.safetensors")
    return folder / "net.safetensors"


def written(folder: Path, content: bytes) -> Path:
    (folder / "net.pth").write_bytes(content)
    return folder / "net.pth"


BAD = {
    "code": (lambda d: saved(d, {"params": TABLE, "hook": Code()}), "asks for (posix|os).system, which is code"),
    "own class": (lambda d: saved(d, {"params": TABLE, "when": Path("x\x1b[31m")}), "which is code and no tensor"),
    "web page": (lambda d: written(d, b"\n<!DOCTYPE html><html>Sign in</html>"), "it is a web page"),
    "git lfs": (lambda d: written(d, b"version https://git-lfs.github.com/spec/v1\noid"), "git lfs pull"),
    "empty": (lambda d: written(d, b""), "it is empty"),
    "text": (lambda d: written(d, b"weights"), "begins like no such file"),
    "half a zip": (lambda d: cut(saved(d, TABLE), 0.5), "cut off: the end of its archive is missing"),
    "half a safetensors": (lambda d: cut(safe(d), 0.6), "cut off or damaged"),
    "half a header": (lambda d: cut(safe(d), 0.1), "its header alone takes"),
    "4 GB header": (lambda d: written(d, (2**32).to_bytes(8, "little") + b'{"a":1}'), "header claims 4294967296 bytes"),
    "damaged pickle": (lambda d: written(d, b"\x80\x02}q\x00."), "was refused|holds no table"),
    "folder": (lambda d: d, "is a folder"),
    "missing": (lambda d: d / "none.pth", "no weights file"),
    "nan": (lambda d: saved(d, {**TABLE, "x": torch.tensor([0, torch.nan])}), "x holds NaN or infinity"),
    "constant": (lambda d: saved(d, {n: torch.full_like(v, 0.1) for n, v in TABLE.items()}), "nothing was trained"),
    "several": (lambda d: saved(d, {"first": TABLE, "second": AVERAGED}), "several tables: 'first', 'second'. Choose"),
    "a list": (lambda d: saved(d, [TABLE["head.weight"]]), "holds no table of tensors"),
    "numbers": (lambda d: saved(d, {"epoch": 3}), "holds no table of tensors"),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_no_file_of_weights_is_told_in_a_sentence(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    make, sentence = BAD[name]
    with pytest.raises(UserError, match=sentence) as caught:
        read_weights(make(tmp_path))
    text = str(caught.value)
    assert text.rstrip(")").endswith((".", "?")) and all(char.isprintable() for char in text)
    assert "weights_only=True" not in text and not (tmp_path / "ran").exists()


def test_escapes_in_names_reach_no_terminal(tmp_path: Path) -> None:
    path = saved(tmp_path, {**TABLE, "\x1b[31mred": torch.tensor([torch.inf])})
    with pytest.raises(UserError) as caught:
        read_weights(path)
    assert "\x1b" not in str(caught.value) and "?[31mred" in str(caught.value)
