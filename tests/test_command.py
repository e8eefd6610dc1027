"""The printed command of a record measures that record: its words, read back, give the record's settings."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Any

import pytest
from fake_records import record as invented
from PIL import Image

from bench.app.run_flags import run_parser
from bench.app.settings import build_settings
from bench.contract import Settings, Track, UserError
from bench.contract.damage_sets import IMAGENET_C, case_of, damages_of
from bench.packed.peers import PEERS, missing
from bench.pictures.catalog import SETS
from bench.plan.cells import load_preset, pick_levels
from bench.plan.command import command
from bench.plan.discover import discover
from bench.records.machine import ROOT
from bench.records.record import Record
from bench.records.store import load
from bench.tasks import load_task

REGISTRY = discover()
RECORDS = load([ROOT / "results" / "reference"]).records
HASHED = {"data", "input", "weights_file_sha256"}
"""Of what a record holds only a hash, the command has FILE or DIR."""


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data root that has every set's folder, without pictures, and a file for FILE."""
    root = tmp_path_factory.mktemp("data")
    for info in SETS.values():
        (root / info.name).mkdir()
        Image.new("RGB", (8, 8)).save(root / info.name / "one.png")
    (root / "FILE").touch()
    return root


def read_back(words: list[str], root: Path) -> tuple[Settings, list[str], Any]:
    """The settings, the levels and the flags of a command's words."""
    places = {"DIR": str(root), "FILE": str(root / "FILE")}
    words = [places.get(word, word.replace("=FILE", f"={root / 'FILE'}")) for word in words]
    flags = run_parser().parse_args(words[words.index("run_bench.py") + 1 :])
    preset = load_preset(flags.preset)
    levels = pick_levels(load_task(flags.task), flags.level, flags.scale, REGISTRY, preset)
    return build_settings(flags, preset, REGISTRY), levels, flags


def differences(record: Record, root: Path) -> dict[str, tuple[Any, Any]]:
    """What the command would measure otherwise: name -> (record's, command's)."""
    words = shlex.split(str(command(record)))
    settings, (level,), flags = read_back(words, root)
    track: Track = REGISTRY.tracks[record.cell.track]
    cells = track.cells([REGISTRY.cards[flags.algos]], [flags.backbone or "none"], [level], settings)
    own = next((cell for cell in cells if _same(cell, record.cell)), None)
    made = record.provenance
    pairs: dict[str, tuple[Any, Any]] = {
        "cell": (True, own is not None),
        "threads": (made.threads, settings.threads),
        "seed": (made.seed, settings.seed),
    }
    if own is not None:
        inputs = track.inputs(own, settings)
        names = (inputs.keys() & made.settings.keys()) - HASHED
        pairs |= {name: (made.settings[name], inputs[name]) for name in names}
        if made.settings.get("kernel"):
            pairs["kernel"] = (f"BISRBENCH_KERNEL={made.settings['kernel']}", words[0])
    return {name: pair for name, pair in pairs.items() if pair[0] != pair[1]}


def _same(cell: Any, other: Any) -> bool:
    """Equal, or the same but for the name that ImageNet-C's cells had before there was another set of damages."""
    if cell.track == "robust" and damages_of(other.case) == IMAGENET_C and damages_of(cell.case) == IMAGENET_C:
        return cell.algo == other.algo and cell.level == other.level
    return cell == other


def runnable(record: Record) -> bool:
    """False for a record with peers that are not installed here: its command is refused, with what installs them."""
    peers = record.provenance.settings.get("baseline") or []
    return not any(missing(PEERS[peer]) for peer in peers if isinstance(peer, str))


@pytest.mark.parametrize("record", RECORDS, ids=lambda record: str(record.cell))
def test_a_committed_records_command_gives_back_its_settings(record: Record, root: Path) -> None:
    if not runnable(record):
        with pytest.raises(UserError, match="which this Python does not have"):
            differences(record, root)
        pytest.skip("its peers are not installed here")
    assert differences(record, root) == {}


@pytest.mark.parametrize(
    ("track", "changed", "word"),
    [
        ("accuracy", {"save_images": True}, "accuracy.save_images=true"),
        ("accuracy", {"engine": "packed"}, "accuracy.engine=packed"),
        ("accuracy", {"device": "cuda:1"}, "accuracy.device=cuda:1"),
        ("accuracy", {"metrics": ["lpips"]}, "accuracy.metrics=lpips"),
        ("accuracy", {"allow_untrained": True}, "--allow-untrained"),
        ("robust", {"device": "cpu"}, "robust.device=cpu"),
        ("robust", {"corruptions": ["snow", "fog"]}, "robust.corruptions=snow,fog"),
        ("infer", {"fp_engine": "bf16"}, "--fp-engine"),
        ("infer", {"baseline": ["torch-fp32", "torch-bf16"]}, "torch-bf16"),
        ("train", {"data": "a" * 64}, "train.data=DIR"),
    ],
)
def test_no_setting_is_lost(track: str, changed: dict[str, Any], word: str) -> None:
    cases = {"infer": "320x180-t1", "train": "300x2x16-t1", "robust": case_of("set5", IMAGENET_C)}
    record = invented(track, "frb", "srresnet", 2, cases.get(track, "set5"), {})
    assert word not in shlex.split(str(command(record)))
    made = record.provenance.model_copy(update={"settings": {**record.provenance.settings, **changed}})
    assert word in shlex.split(str(command(record.model_copy(update={"provenance": made}))))


@pytest.mark.parametrize(
    ("option", "expected"),
    [
        ("comp.lr_size=abc", "WIDTHxHEIGHT"), ("comp.lr_size=64", "WIDTHxHEIGHT"), ("comp.lr_size=0.5", "WIDTHxHEIGHT"),
        ("train.iterations=true", "a whole number, 1 or more"), ("train.batch=0", "a whole number, 1 or more"),
        ("train.patch=2x2", "a whole number, 1 or more"), ("accuracy.memory_mb=nan", "a number above 0"),
        ("accuracy.self_ensemble=1", "true or false"), ("infer.fp_engine=int8", "fp32 or bf16"),
        ("robust.set=everything", "mild-v1"), ("comp.lr_sise=64x64", "Did you mean 'comp.lr_size'"),
    ],
)  # fmt: skip
def test_a_value_of_another_kind_is_the_users_mistake(option: str, expected: str) -> None:
    flags = run_parser().parse_args(["--algos", "fp32", "--track", "all", "--set", option])
    with pytest.raises(UserError, match=expected):
        build_settings(flags, load_preset("quick"), REGISTRY)
