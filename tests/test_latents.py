"""Which latent weights a trained network can forget: what is kept must quantize to the very same network."""

from __future__ import annotations

import pytest
import torch

from bench.layer.idle import drop_idle
from bench.nn.build import build_network
from bench.nn.latents import fewest_values, forget_latents
from bench.nn.quantizers import ChannelScaledSign, LayerScaledSign, PlainSign, TwoBaseSign, WeightQuantizer
from bench.nn.unit import Unit
from bench.nn.weight_storage import compact
from bench.plan.discover import load_class

FORGETTING = {
    "algorithms.bnn.adapter:BNN": 2,
    "algorithms.bbcu.adapter:BBCU": 2,
    "algorithms.frb.adapter:FRB": 4,
    "algorithms.pams.adapter:PAMSInt4": 15,
    "algorithms.quantsr.adapter:QuantSR2": 4,
}
"""Methods and the most values that a channel of theirs needs"""


SIGNS = [PlainSign(), ChannelScaledSign(), LayerScaledSign(), TwoBaseSign(), TwoBaseSign(per_layer=True)]


@pytest.mark.parametrize("quantize", SIGNS)
@pytest.mark.parametrize("seed", range(5))
def test_signs_and_scales_survive_and_few_values_remain(quantize: WeightQuantizer, seed: int) -> None:
    latent = torch.randn(8, 6, 3, 3, generator=torch.Generator().manual_seed(seed))
    few = fewest_values(latent, quantize)
    torch.testing.assert_close(quantize(few), quantize(latent), rtol=2e-6, atol=0)
    assert max(len(row.unique()) for row in few.flatten(1)) <= 2**quantize.bases
    kept, expected = quantize.export(few), quantize.export(latent)
    assert torch.equal(kept.integers, expected.integers)


@pytest.mark.parametrize("spec", FORGETTING)
def test_a_network_that_forgot_computes_the_same(spec: str) -> None:
    network = build_network(load_class(spec)(), "srresnet", 2, 4)
    drop_idle(network)
    network(torch.rand(1, 3, 8, 8))  # learned steps start from the first batch
    network.eval()
    units = [module for module in network.modules() if isinstance(module, Unit)]
    latents = [unit.weight.detach().clone() for unit in units]
    before = [unit.quantize_weight(unit.weight).detach() for unit in units]
    forget_latents(network)
    for unit, latent, weights in zip(units, latents, before, strict=True):
        assert not torch.equal(unit.weight, latent)
        torch.testing.assert_close(unit.quantize_weight(unit.weight), weights, rtol=2e-6, atol=1e-7)
        assert max(len(row.unique()) for row in unit.weight.flatten(1)) <= FORGETTING[spec]
    assert sum(key.endswith("@codes") for key in compact(network.state_dict())) == len(units)


def test_weights_that_neither_means_nor_levels_give_back_stay_as_they_are() -> None:
    class Spread(WeightQuantizer):
        """Its scale, the standard deviation, is that of neither the means nor the levels."""

        def forward(self, weight: torch.Tensor) -> torch.Tensor:
            return torch.where(weight >= 0, 1.0, -1.0) * weight.std(dim=(1, 2, 3), keepdim=True)

    latent = torch.randn(4, 6, 3, 3, generator=torch.Generator().manual_seed(0))
    assert fewest_values(latent, Spread()) is latent
