"""Charts from records whose lines can be worked out by hand."""

from __future__ import annotations

import re

import pytest
from fake_records import CARDS, record

from bench.records.record import Record
from reports.known import known
from reports.plots import Figure, figures

KNOWN = known(CARDS)


def damaged(algo: str, clean: float, noise: float, case: str = "set5") -> Record:
    values = {"psnr_clean": clean, "psnr_gaussian_noise_s1": noise, "psnr_gaussian_noise_s3": noise - 1}
    return record("robust", algo, "none" if algo == "bicubic" else "srresnet", 2, case, values)


def robustness(*records: Record) -> Figure:
    (figure,) = [figure for figure in figures(records, KNOWN) if figure.key == "robustness"]
    return figure


def heights(figure: Figure) -> dict[str, list[float]]:
    """Algorithm -> how far down the drawing its points are."""
    found = re.findall(r'data-algo="(\w+)" points="([^"]+)"', figure.picture)
    return {algo: [float(spot.split(",")[1]) for spot in points.split()] for algo, points in found}


def test_robustness_is_drawn_over_the_baseline_on_the_same_pictures() -> None:
    figure = robustness(damaged("bicubic", 33, 25), damaged("bnn", 34, 24), damaged("frb", 35, 25))
    assert "over Bicubic (dB)" in figure.picture and "minus Bicubic" in figure.caption
    found = heights(figure)
    # gains in dB: bicubic 0, 0, 0; BNN 1, -1, -1; FRB 2, 0, 0. Drawn downwards.
    zero = found["bicubic"][0]
    assert found["bicubic"] == [zero] * 3
    one = zero - found["bnn"][0]
    assert one > 0
    assert found["bnn"] == pytest.approx([zero - one, zero + one, zero + one], abs=0.2)
    assert found["frb"] == pytest.approx([zero - 2 * one, zero, zero], abs=0.2)


def test_without_the_baseline_psnr_itself_is_drawn() -> None:
    figure = robustness(damaged("bnn", 34, 24), damaged("frb", 35, 25))
    assert "PSNR-Y (dB)" in figure.picture and "minus" not in figure.caption
    found = heights(figure)
    assert found["bnn"][0] < found["bnn"][1] < found["bnn"][2]


def test_only_data_sets_that_all_have_are_drawn() -> None:
    both = [damaged("bicubic", 33, 25), damaged("bnn", 34, 24), damaged("bnn", 50, 50, "set14")]
    assert heights(robustness(*both)) == heights(robustness(*both[:2]))
