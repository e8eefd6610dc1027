"""Discovery: folders, entry points, a user's own class; and one clear message for each way it can be wrong."""

from __future__ import annotations

import importlib
import multiprocessing
import pickle
import sys
from pathlib import Path

import pytest

from bench import former_names
from bench.contract import Card, UserError, unknown
from bench.plan.discover import Registry, discover, load_class

CARD = 'from bench.contract import Card\nCARD = Card(key="{}", name="N", adapter="m:C", bits_w=1, bits_a=1)\n'
OWN = """\
from torch import nn
from bench.nn.algorithm import Algorithm

class MyAlgo(Algorithm):
    def conv(self, cin, cout, kernel, *, place):
        return nn.Conv2d(cin, cout, kernel, padding=kernel // 2)
"""


@pytest.fixture
def world(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder on the path for packages made by a test."""
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        if name.startswith(("alg", "trk", "bisrbench_own_", "outside")):
            del sys.modules[name]


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text)
    importlib.invalidate_caches()


def message(*rooms: str) -> str:
    with pytest.raises(UserError) as caught:
        discover(*rooms)
    return str(caught.value)


def test_every_real_folder_is_found() -> None:
    registry = discover()
    folders = Path(__file__).resolve().parents[1] / "algorithms"
    names = {p.parent.name for p in folders.glob("[!_]*/__init__.py")}
    assert names >= {"fp32", "bicubic"}
    assert names == {name for name in names for key in registry.algorithms if f"{key}_".startswith(f"{name}_")}


def test_a_new_folder_is_all_it_takes(world: Path) -> None:
    write(world, {"alg/__init__.py": "", "alg/new/__init__.py": CARD.format("new"), "alg/_helper/__init__.py": "1 / 0"})
    write(world, {"trk/__init__.py": "", "trk/_helper.py": "1 / 0"})
    registry = discover("alg", "trk")
    assert registry.cards["new"].name == "N"
    assert registry.algorithms["new"].source == world / "alg/new"


def test_a_folder_may_hold_variants(world: Path) -> None:
    cards = (
        CARD.format("new_2") + "CARDS = (CARD, " + CARD.format("new").splitlines()[1].removeprefix("CARD = ") + ")\n"
    )
    write(world, {"alg/__init__.py": "", "alg/new/__init__.py": cards, "trk/__init__.py": ""})
    found = discover("alg", "trk").algorithms
    assert set(found) == {"new", "new_2"}
    assert {item.source for item in found.values()} == {world / "alg/new"}


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("CARD =\n", ["alg/new/__init__.py, line 1", "invalid syntax"]),
        ("\nimport nothing_of_it\n", ["alg/new/__init__.py, line 2", "ModuleNotFoundError", "nothing_of_it"]),
        ("x = 1 / 0\n", ["alg/new/__init__.py, line 1", "ZeroDivisionError"]),
        ("raise SystemExit\n", ["alg/new/__init__.py, line 1", "SystemExit"]),
        ("x = 1\n", ["alg/new/__init__.py", "CARD is no bench.contract.Card"]),
        (CARD.format("../../etc"), ["alg/new/__init__.py, line 2", "'../../etc' is not allowed", "no path"]),
        (CARD.format("old"), ["CARD.key is 'old' but the folder is 'new'"]),
        (CARD.format("new") + "CARDS = (CARD, 3)\n", ["CARDS is no tuple of bench.contract.Card"]),
        (CARD.format("new") + "CARDS = (CARD, CARD)\n", ["'new' is taken twice"]),
        (CARD.format("newer"), ["CARD.key is 'newer' but the folder is 'new'", "begin the key with 'new_'"]),
        ("CARDS = ()\n", ["alg/new/__init__.py", "CARDS is no tuple"]),
    ],
)
def test_a_wrong_card(world: Path, content: str, expected: list[str]) -> None:
    write(world, {"alg/__init__.py": "", "alg/new/__init__.py": content})
    got = message("alg", "fakes.tracks")
    assert all(part in got for part in expected), got


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ("x = 1\n", "has no TRACK"),
        ("class T:\n    name = 'one'\nTRACK = T()\n", "TRACK lacks about, cells, inputs, machine_bound, metrics, run"),
        ("from fakes.tracks.count import TRACK\n", "TRACK.name is 'count', expected the module's, 'one'"),
    ],
)
def test_a_wrong_track(world: Path, content: str, expected: str) -> None:
    write(world, {"trk/__init__.py": "", "trk/one.py": content})
    got = message("fakes.algorithms", "trk")
    assert expected in got
    assert str(world / "trk/one.py") in got


def install(world: Path, key: str, value: str) -> None:
    """A distribution that offers an algorithm through the entry-point group, as pip would lay it out."""
    write(world, {
        "outside-2.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: outside\nVersion: 2.0\n",
        "outside-2.0.dist-info/entry_points.txt": f"[bisrbench.algorithms]\n{key} = {value}\n",
        "outside/__init__.py": CARD.format(key).replace("m:C", "outside.net:C"),
        "outside/net.py": OWN.replace("MyAlgo", "C"),
    })  # fmt: skip


def test_an_installed_package_offers_an_algorithm(world: Path) -> None:
    install(world, "gamma", "outside:CARD")
    registry = discover("fakes.algorithms", "fakes.tracks")
    assert registry.cards["gamma"].adapter == "outside.net:C"
    assert "entry point gamma of package outside 2.0" in registry.algorithms["gamma"].origin
    assert type(registry.loader("gamma")).__name__ == "C"


def test_a_clash_names_both_origins(world: Path) -> None:
    install(world, "alpha", "outside:CARD")
    got = message("fakes.algorithms", "fakes.tracks")
    assert "folder fakes.algorithms/alpha" in got
    assert "entry point alpha of package outside 2.0" in got


def test_a_class_from_a_file(world: Path, registry: Registry) -> None:
    write(world, {"my_algo.py": OWN})
    registry, key = registry.with_class(f"{world}/my_algo.py:MyAlgo")
    card = registry.cards[key]
    assert (key, card.name, card.bits_w, card.bits_a, card.provenance) == ("myalgo", "MyAlgo", 1, 1, "user file")
    algorithm = registry.loader("myalgo")
    assert type(algorithm).__name__ == "MyAlgo"
    assert algorithm.card.key == "myalgo", "the adapter's own code reads its card"
    assert registry.algorithms[key].source == world / "my_algo.py"


def test_a_class_from_a_module_with_a_card_of_its_own(world: Path, registry: Registry) -> None:
    card = "    card = Card(key='mine', name='Mine', adapter='', bits_w=2, bits_a=4)\n"
    text = OWN.replace("Algorithm):\n", f"Algorithm):\n{card}") + "\n\nclass Variant(MyAlgo):\n    pass\n"
    write(world, {"outside/__init__.py": "", "outside/mod.py": "from bench.contract import Card\n" + text})
    registry, key = registry.with_class("outside.mod:MyAlgo")
    assert (key, registry.cards[key].bits_w, registry.cards[key].adapter) == ("mine", 2, "outside.mod:MyAlgo")
    registry, key = registry.with_class("outside.mod:Variant")
    assert (key, registry.cards[key].bits_a) == ("variant", 4), "a derived class keeps its base's facts, not its key"


def load_in_worker(loader, key: str) -> str:
    return type(loader(key)).__name__


def test_a_file_is_loaded_again_in_a_spawned_worker(world: Path, registry: Registry) -> None:
    write(world, {"my_algo.py": OWN})
    loader = registry.with_class(f"{world}/my_algo.py:MyAlgo")[0].loader
    assert pickle.loads(pickle.dumps(loader)) == loader
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        assert pool.apply(load_in_worker, (loader, "myalgo")) == "MyAlgo"


@pytest.mark.parametrize(
    ("content", "name", "expected"),
    [
        ("def broken(:\n", "MyAlgo", ["my_algo.py, line 1", "invalid syntax"]),
        ("import torch\nfrom os import nothing_there\n", "MyAlgo", ["my_algo.py, line 2", "ImportError"]),
        ("import json\n\nx = json.loads('{')\n", "MyAlgo", ["my_algo.py, line 3", "JSONDecodeError"]),
        (OWN, "MyAlgos", ["unknown class", "my_algo.py", "'MyAlgos'", "Did you mean 'MyAlgo'?"]),
        ("class MyAlgo: pass\n", "MyAlgo", ["not a subclass of bench.nn.algorithm.Algorithm"]),
        ("MyAlgo = 3\n", "MyAlgo", ["not a subclass"]),
        (OWN.replace("MyAlgo", "Alpha"), "Alpha", ["'alpha' is taken twice", "s.algorithms/alpha", "class Alpha in"]),
        (OWN + "    card = 'mine'\n", "MyAlgo", ["MyAlgo.card is str, expected a bench.contract.Card"]),
    ],
)
def test_a_broken_user_file(world: Path, registry: Registry, content: str, name: str, expected: list[str]) -> None:
    write(world, {"my_algo.py": content})
    with pytest.raises(UserError) as caught:
        registry.with_class(f"{world}/my_algo.py:{name}")
    assert all(part in str(caught.value) for part in expected), str(caught.value)


@pytest.mark.parametrize(
    ("spec", "expected"),
    [("nowhere/x.py:A", "there is no file"), ("no.such.module:A", "there is no module"), ("x.py:", "names no class")],
)
def test_a_class_that_is_nowhere(spec: str, expected: str) -> None:
    with pytest.raises(UserError, match=expected):
        load_class(spec)


def test_unknown_names_offer_the_nearest() -> None:
    assert str(unknown("track", "infre", ["comp", "infer"])) == (
        "unknown track 'infre'. Did you mean 'infer'? Known: comp, infer."
    )
    assert "Did you mean" not in str(unknown("track", "zzz", ["comp", "infer"]))


@pytest.mark.parametrize("key", ["", "a/b", "../x", "A", "a.b", ".a", "a b", "é", "a" * 41, "a\n"])
def test_a_key_cannot_be_a_path(key: str) -> None:
    with pytest.raises(UserError, match="not allowed"):
        Card(key=key, name="N", adapter="m:C", bits_w=1, bits_a=1)


def test_a_class_written_by_the_former_readme_still_finds_its_nouns() -> None:
    from bench.sr.images import read_rgb

    from bench import contract, nouns

    assert nouns.Card is contract.Card and nouns.UserError is contract.UserError
    assert read_rgb.__module__ == "bench.pictures.images" and contract.__spec__.name == "bench.contract"
    for name, now in former_names.NAMES.items():
        assert importlib.import_module(name) is importlib.import_module(now)
