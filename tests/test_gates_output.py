"""Outputs that are no pictures of the right kind: one sentence each."""

from __future__ import annotations

import pytest
import torch
from gate_kit import run_twin

from bench.contract import UserError
from bench.nn.output import range_flags

SENTENCES = {
    "Bytes": r"Bytes returned a picture in 0\.\.255 .*expected a float32 tensor .*Divide it by 255",
    "Double": r"Double returned torch\.float64; expected a float32 tensor",
    "ChannelsLast": r"ChannelsLast returned shape \(1, \d+, \d+, 3\); expected .*\(1, 3, .*channels come last",
    "Small": r"Small returned shape .*; expected a float32 tensor .*Check the upsampler and the scale",
    "Several": r"Several returned a list; expected a float32 tensor",
    "Nan": r"Nan returned NaN or infinity; expected a float32 tensor",
}


@pytest.mark.parametrize("track", ["accuracy", "infer"])
@pytest.mark.parametrize("name", SENTENCES)
def test_an_output_of_another_kind_is_one_sentence(track: str, name: str) -> None:
    with pytest.raises(UserError, match=SENTENCES[name]) as caught:
        run_twin(track, name)
    assert "\n" not in str(caught.value)


def test_a_plain_picture_passes() -> None:
    assert "odd_range" not in run_twin("accuracy", "Plain").flags


@pytest.mark.parametrize("track", ["accuracy", "infer"])
def test_a_range_that_no_picture_has_is_flagged(track: str) -> None:
    assert "odd_range" in run_twin(track, "Glaring").flags


def test_overshoot_is_no_odd_range() -> None:
    assert range_flags(torch.linspace(-0.3, 1.3, 1000)) == []
    assert range_flags(torch.linspace(-0.3, 3.0, 1000)) == ["odd_range"]
