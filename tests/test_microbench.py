"""The benchmark of single layers, on a layer small enough to be quick, and its table in results/README.md."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.contract import UserError
from bench.packed import kernels
from bench.packed.layer import PackedLayer
from bench.packed.microbench import timing
from bench.packed.microbench.__main__ import main
from bench.packed.microbench.runs import BASELINE, DEPTH, TOGETHER, build_runs, together
from bench.packed.microbench.shapes import SHAPES, Shape, random_spec
from reports.microbench import microbench_text

SMALL = Shape(64, 64, 3, 10, 6, "test")


@pytest.fixture(scope="module")
def rows() -> list[timing.Row]:
    return timing.time_shape(SMALL, 1, 3)


def test_every_engine_has_a_time_or_a_reason(rows: list[timing.Row]) -> None:
    assert len({row.title for row in rows}) == len(rows) >= 14
    for row in rows:
        assert (row.ms is None) == bool(row.reason)
        assert len(row.samples_ms) == (0 if row.ms is None else 3)
    (base,) = [row for row in rows if row.title == BASELINE]
    assert base.speedup == 1 and base.gmacs == pytest.approx(64 * 64 * 9 * 60 / 1e6 / np.median(base.samples_ms))


def test_bit_serial_bounds_count_passes(rows: list[timing.Row]) -> None:
    """b * b passes, of which all but the first cost what a second base costs; named as what they are."""
    rounds = {"k, 1 base": [10.0, 12.0], "k, 2 bases": [16.0, 11.0], "k, 2-bit": [1.0, 1.0]}
    bounds = timing.bit_serial_bounds({name: np.array(series) for name, series in rounds.items()})
    two, four = (next(series for name, series in bounds.items() if f"{bits}-bit" in name) for bits in (2, 4))
    assert two.tolist() == [10 + 3 * 6, 12] and four.tolist() == [10 + 15 * 6, 12]
    found = {row.title for row in rows} & bounds.keys()
    assert found == bounds.keys() and all("not measured" in title for title in found)


def test_runs_are_repeatable_and_distinct() -> None:
    """The same inputs and weights each time; packed rows differ from each other."""
    runs, _ = build_runs(SMALL, 1)
    with torch.no_grad():
        whole = runs[BASELINE]()
        again = build_runs(SMALL, 1)[0]
        assert torch.equal(whole, again[BASELINE]())
    packed = [name for name in runs if ("base" in name or "-bit" in name) and "together" not in name]
    outputs = [runs[name]() for name in packed]
    assert len(outputs) == 5 and all(torch.isfinite(output).all() for output in outputs)
    assert not any(torch.equal(outputs[0], other) for other in outputs[1:])


def test_layers_together_are_a_chain_and_timed_by_the_layer(rows: list[timing.Row]) -> None:
    specs = [random_spec(SMALL, 1, 1, torch.Generator().manual_seed(seed)) for seed in range(3)]
    image = torch.randn(1, 64, 6, 10)
    deep, x = together(specs, image, 1), image
    for layer in map(PackedLayer, specs):
        x = layer(x, x)
    assert deep.layers == 3 and torch.equal(deep(), x)
    found = [row for row in rows if row.title.endswith(f"{DEPTH} layers together")]
    assert [row.title.split(", ")[1] for row in found] == list(TOGETHER)
    assert all(row.ms > 0 and len(row.samples_ms) == 3 for row in found)


def test_the_script_writes_what_the_readme_shows(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys) -> None:
    monkeypatch.setattr("bench.packed.microbench.__main__.SHAPES", (SMALL,))
    path = tmp_path / "microbench.json"
    assert main(["--threads", "1", "--rounds", "2", "--json", str(path)]) == 0
    printed = capsys.readouterr().out
    content = json.loads(path.read_text())
    text = microbench_text(path)
    for row in content["rows"]:
        assert row["title"] in printed
        assert (row["title"] in text) and (row["ms"] is None or f"{row['ms']:.2f} (" in text)
    fastest = min((row for row in content["rows"] if row["ms"] is not None), key=lambda row: row["ms"])
    assert text.count("**") == 2 and f"**{fastest['ms']:.2f} " in text
    assert "cpu" in content["machine"] and content["machine"]["cpu"] in text


def test_an_engine_without_a_time_has_one_reason(tmp_path: Path) -> None:
    def row(title: str, shape: str, ms: float | None, reason: str = "") -> dict[str, object]:
        return {"title": title, "shape": shape, "threads": 1, "ms": ms, "speedup": ms and 1.0, "reason": reason}

    rows = [
        row("ours", "small", 1.0), row("ours", "large", 2.0),
        row("picky", "small", 1.5), row("picky", "large", None, "too large"),
        row("absent", "small", None, "8 times too slow"), row("absent", "large", None, "9 times too slow"),
    ]  # fmt: skip
    machine = {"id": "m", "cpu": "c", "cores": 1, "system": "s"}
    content = {"rows": rows, "fp32_matrix_gmacs": {"1": 1.0}, "machine": machine, "peers": {}, "rounds": 1}
    (tmp_path / "figures.json").write_text(json.dumps(content))
    notes = [line for line in microbench_text(tmp_path / "figures.json").splitlines() if line.startswith("- ")]
    assert notes == ["- picky on large: too large", "- absent: 8 times too slow"]


def test_wrong_flags_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--threads", "0"]) == 2
    assert main(["--shapes", "no such layer"]) == 2
    assert SHAPES[0].title in capsys.readouterr().err


def test_the_readme_says_how_to_measure(tmp_path: Path) -> None:
    assert "python -m bench.packed.microbench --json" in microbench_text(tmp_path / "microbench.json")


def test_kernels_built_from_other_sources_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernels.native()
    for path in kernels.SOURCES.glob("*.*"):
        (tmp_path / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(kernels, "SOURCES", tmp_path)
    kernels.native()
    kernels._sources_sha256.cache_clear()
    with (tmp_path / "layer.cc").open("a") as source:
        source.write("// edited\n")
    with pytest.raises(UserError, match=r"stale: .* changed after the build; run `pip install -e \.`"):
        kernels.native()
