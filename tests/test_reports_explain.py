"""Where the time of a packed network goes, in three sentences under the infer track's table."""

from __future__ import annotations

from fake_records import MACHINE, record

from reports.explain import time_goes_to
from reports.known import known
from reports.tables import track_table

MS = {"latency_ms": 100.0, "fp_parts_ms": 60.0, "layers_ms": 30.0, "layers_cached_ms": 24.0}
RATIOS = {"speedup": 4.0, "speedup_theory": 61.0, "parity_max_abs": 0.0}


def infer(algo: str, **changes: float):
    return record("infer", algo, "srresnet", 2, "320x180-t1", MS | RATIOS | changes)


def test_shares_are_computed_and_said() -> None:
    first, second, third = time_goes_to([infer("frb")], MACHINE.id)
    assert "promises 61 times" in first and "are 4.0 (one network)" in first and "only 24%" in first
    assert second.startswith("6% is memory") and third.startswith("60% is full-precision parts")


def test_figures_are_medians_over_the_networks_of_one_machine() -> None:
    records = [infer("frb"), infer("bbcu", layers_cached_ms=50.0), infer("e2fif", fp_parts_ms=20.0, speedup=6.0)]
    first, second, third = time_goes_to(records, MACHINE.id)
    assert "(median of 3 networks)" in first and "only 24%" in first and "are 4.0 (" in first
    assert second.startswith("6%") and third.startswith("60%")  # arithmetic beyond the layers' own time is cut to it


def test_records_that_lack_a_figure_say_nothing() -> None:
    lacking = record("infer", "frb", "srresnet", 2, "320x180-t1", {k: v for k, v in MS.items() if k != "layers_ms"})
    assert time_goes_to([lacking], MACHINE.id) == [] == time_goes_to([infer("frb")], "another")


def test_the_page_of_the_track_says_it() -> None:
    other = record("comp", "frb", "srresnet", 2, "320x180", MS)
    notes, others = (track_table([one], one.cell.track, known(())).notes for one in (infer("frb"), other))
    assert sum("promises 61 times" in note for note in notes) == 1
    assert not any("promises" in note for note in others)
