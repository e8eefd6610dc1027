"""Charts from records whose lines can be worked out by hand."""

from __future__ import annotations

import random
import re
from typing import Any

import pytest
from fake_records import CARDS, record

from bench.records.record import Record
from reports import svg
from reports.axes import BOTTOM, CHAR, HEIGHT, LEFT, WIDTH, Axis, Spot, text_box
from reports.known import known
from reports.plots import Figure, figures
from reports.robustness import crossing

KNOWN = known(CARDS)


def damaged(algo: str, clean: float, *noise: float, case: str = "set5-mild-v1", **more: Any) -> Record:
    values = {"psnr_clean": clean} | {f"psnr_noise_s{level}": value for level, value in enumerate(noise, 1)}
    return record("robust", algo, "none" if algo == "bicubic" else "srresnet", 2, case, values, **more)


def robustness(*records: Record) -> list[Figure]:
    return [figure for figure in figures(records, KNOWN) if figure.key == "robustness"]


def heights(figure: Figure) -> dict[str, list[float]]:
    """Algorithm -> how far down the drawing its points are."""
    found = re.findall(r'data-algo="(\w+)" points="([^"]+)"', figure.picture)
    return {algo: [float(spot.split(",")[1]) for spot in points.split()] for algo, points in found}


def rings(figure: Figure) -> dict[str, tuple[float, float]]:
    """Algorithm -> the crossing marked on its line."""
    found = re.findall(r'<circle class="[^"]+" data-algo="(\w+)" cx="([\d.]+)" cy="([\d.]+)"', figure.picture)
    return {algo: (float(x), float(y)) for algo, x, y in found}


def test_robustness_is_drawn_over_the_baseline_on_the_same_pictures() -> None:
    (figure,) = robustness(damaged("bicubic", 33, 25, 24), damaged("bnn", 34, 24, 23), damaged("frb", 35, 25, 24))
    found = heights(figure)
    # gains in dB: bicubic 0, 0, 0; BNN 1, -1, -1; FRB 2, 0, 0. Drawn downwards.
    zero = found["bicubic"][0]
    assert found["bicubic"] == [zero] * 3
    one = zero - found["bnn"][0]
    assert one > 0
    assert found["bnn"] == pytest.approx([zero - one, zero + one, zero + one], abs=0.2)
    assert found["frb"] == pytest.approx([zero - 2 * one, zero, zero], abs=0.2)
    assert robustness(damaged("bnn", 34, 24), damaged("frb", 35, 25)) == [], "nothing to hold it against"


def test_crossings_are_where_the_lines_meet() -> None:
    assert crossing([2.0, 1.0, -1.0], [0.0, 0.0, 0.0]) == (1, pytest.approx(0.5))
    assert crossing([2.0, -1.0, 1.0, -0.5], [0.0] * 4) == (2, pytest.approx(2 / 3)), "for good"
    assert crossing([2.0, 1.0, 0.5], [0.0] * 3) is None and crossing([-1.0, -2.0], [0.0, 0.0]) is None
    assert crossing([1.0, 0.99], [0.9, 1.0]) is None, "a hundredth of a decibel parts nobody"


def test_full_precision_meets_bicubic_and_methods_meet_full_precision() -> None:
    records = [
        damaged("bicubic", 33, 30, 29), damaged("fp32", 36, 32, 28), damaged("frb", 35, 31.5, 29.5),
        damaged("bnn", 33.2, 30, 29.2), damaged("bbcu", 34, 30, 27),
    ]  # fmt: skip
    (figure,) = robustness(*records)
    assert "Full precision falls below Bicubic between 1 and 2. Above it in the end: FRB." in figure.picture
    found, lines = rings(figure), heights(figure)
    assert set(found) == {"fp32", "frb"}, "BNN has nothing to lose, BBCU-L never passes"
    assert found["fp32"][1] == pytest.approx(lines["bicubic"][0], abs=0.1)
    assert (
        lines["frb"][1] > found["frb"][1] > lines["frb"][1] - 1 or lines["frb"][1] < found["frb"][1] < lines["frb"][2]
    )
    (calm,) = robustness(damaged("bicubic", 33, 30), damaged("fp32", 36, 33), damaged("frb", 35, 32))
    assert "Full precision stays above Bicubic.</p>" in calm.picture and rings(calm) == {}


def test_levels_are_named_by_their_numbers_and_the_sets_stay_apart() -> None:
    details = {"titles": {"noise": ["Gaussian noise", "sigma"]}, "values": {"noise": [4, 16]}}
    mild = [damaged("bicubic", 33, 30, 29, details=details), damaged("frb", 35, 32, 29, details=details)]
    severe = [damaged(algo, 33, 20, 10, case="set5") for algo in ("bicubic", "frb")]
    first, second = robustness(*mild, *severe)
    assert re.findall(r'class="tick mid"[^>]*>([^<]+)<', first.picture) == ["clean", "4", "16"]
    assert "Gaussian noise" in first.picture and "mild damage" in first.title and "mild-v1" in first.caption
    assert re.findall(r'class="tick mid"[^>]*>([^<]+)<', second.picture) == ["clean", "1", "2"]
    assert "ImageNet-C" in second.title


def test_names_at_the_edge_never_touch_and_lines_stay_inside() -> None:
    (figure,) = robustness(
        damaged("bicubic", 33, 30), damaged("fp32", 36, 30.01), damaged("frb", 35, 30), damaged("bnn", 20, 12)
    )
    names = dict((name, float(y)) for y, name in re.findall(r'<text x="279" y="([\d.]+)">(\w+)<', figure.picture))
    assert abs(names["FP"] - names["bicubic"]) >= 12 and max(names.values()) <= 160
    assert all(8 <= y <= 156 for ys in heights(figure).values() for y in ys), "BNN runs along the edge"
    gaps = {round(y, 1) for y in heights(figure)["bnn"]}
    assert gaps == {156.0}


def test_only_data_sets_that_all_have_are_drawn() -> None:
    both = [damaged("bicubic", 33, 25), damaged("bnn", 34, 24), damaged("bnn", 50, 50, case="set14-mild-v1")]
    assert [heights(f) for f in robustness(*both)] == [heights(f) for f in robustness(*both[:2])]


def boxes_of(picture: str) -> list[tuple[float, float, float, float]]:
    """What the labels of points and levels cover."""
    texts = re.findall(r'<text(?: class="(tick|end|mid)")? x="([\d.-]+)" y="([\d.-]+)">([^<]+)</text>', picture)
    back = {"end": 1.0, "mid": 0.5}
    named = [one for one in texts if not re.fullmatch(r"[\d.]+|x", one[3])]
    return [
        text_box(Spot(float(x) - back.get(kind, 0.0) * CHAR * len(label), float(y)), label)
        for kind, x, y, label in named
    ]


@pytest.mark.parametrize("seed", range(6))
def test_labels_never_overlap_and_stay_inside(seed: int) -> None:
    chance = random.Random(seed)
    points = [
        svg.Point(chance.choice([10.0, 11.0, 12.0, 900.0]) * chance.uniform(1, 1.1), 30 + chance.gauss(0, 0.4),
                  f"Method {number}, {'long ' * (number % 3)}name", "binary", "a/b", "tip")
        for number in range(14)
    ]  # fmt: skip
    levels = [("Bicubic 29.90", 29.9), ("Bilinear 29.85", 29.85)]
    picture = svg.scatter("t", points, Axis("x", log=True), Axis("y"), front=True, levels=levels)
    boxes = boxes_of(picture)
    assert len(boxes) >= 10, "most points keep their names"
    for place, a in enumerate(boxes):
        assert a[0] >= LEFT and a[2] <= WIDTH and a[1] >= 0 and a[3] <= HEIGHT - BOTTOM
        for b in boxes[:place]:
            assert not (a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]), (a, b)
    circles = re.findall(r'<circle cx="([\d.]+)" cy="([\d.]+)"', picture)
    assert len(circles) == len(points)
    for x, y in ((float(x), float(y)) for x, y in circles):
        assert not any(box[0] < x < box[2] and box[1] < y < box[3] for box in boxes), "no label hides a point"


def test_a_label_far_from_its_point_is_tied_to_it() -> None:
    points = [svg.Point(10.0 + n / 1e3, 30.0, f"a rather long name {n}", "binary", "a/b", "tip") for n in range(12)]
    picture = svg.scatter("t", points, Axis("x"), Axis("y"))
    assert picture.count('class="lead"') >= 2


def test_long_names_before_a_chart_have_room() -> None:
    picture = svg.intervals("t", [("A method with a very long name indeed", 1, 1, 2), ("B", 2, 1, 2)])
    end, label = re.search(r'class="end" x="([\d.]+)"[^>]*>([^<]+)<', picture).groups()
    assert float(end) - CHAR * len(label) >= 0
