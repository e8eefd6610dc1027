"""Networks that are not what their card says, in every track."""

from __future__ import annotations

from dataclasses import replace

import pytest
from gate_kit import SMALL, TWINS, run_twin

from bench.conformance import Subject
from bench.contract import Unsupported
from bench.nn.label import check_label, label_problems, smooth_image
from bench.plan.discover import discover

TRACKS = ("accuracy", "comp", "infer", "robust", "train")


def subject(name: str) -> Subject:
    registry, key = discover().with_class(f"{TWINS}/networks.py:{name}")
    return Subject(registry.loader(key), "srresnet")


@pytest.mark.parametrize("track", TRACKS)
def test_a_label_that_is_not_kept_is_refused_in_every_track(track: str, tiny: None) -> None:
    with pytest.raises(Unsupported, match=r"the label is not kept: .* values.*, claimed 1 bit.*The card says 1/1 bit"):
        run_twin(track, "Floats")


def test_an_honest_label_passes(tiny: None) -> None:
    honest = subject("Honest")
    assert label_problems(honest.network, smooth_image()) == []
    assert run_twin("comp", "Honest", SMALL).metrics["params_k"] > 0


def test_a_network_that_is_binary_only_while_gradients_are_on(tiny: None) -> None:
    twin = subject("FloatsUnwatched")
    with pytest.raises(Unsupported, match="the label is not kept"):
        check_label(twin.card, twin.network, smooth_image())


@pytest.mark.parametrize("name", ["SkipsLayers", "Remembers"])
def test_a_network_that_does_less_than_is_counted(name: str, tiny: None) -> None:
    if name == "Remembers":  # it does so once it is packed, and is then caught by the timed passes
        assert label_problems(subject(name).network, smooth_image()) == []
        return
    with pytest.raises(Unsupported, match="ran 0 times in a pass, counted were 1"):
        check_label(subject(name).card, subject(name).network, smooth_image())


def test_a_card_whose_network_claims_nothing(tiny: None) -> None:
    full = discover()
    network = Subject(full.loader("fp32"), "srresnet").network
    with pytest.raises(Unsupported, match="no layer of the network claims fewer than 32 bits"):
        check_label(replace(full.cards["fp32"], bits_w=1, bits_a=1), network, smooth_image())


def test_a_product_under_a_low_bit_claim_is_looked_at_too(tiny: None) -> None:
    """Convolution is not the only way to multiply floats."""
    assert (
        "154 weight values in one output channel, claimed 1 bit"
        in label_problems(subject("Products").network, smooth_image())[0]
    )
