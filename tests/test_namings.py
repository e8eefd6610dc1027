"""Networks in their public names give the same output as in the project's own."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.contract import Cell, Settings, UserError
from bench.nn.build import Misfit, build_network, load_weights, namings_of
from bench.nn.naming import OWN, Naming, fit
from bench.nn.weights import prepare_network
from bench.plan.discover import discover

LOAD = discover().loader
NETWORKS = [
    ("fp32", "srresnet", 2), ("fp32", "srresnet", 4), ("fp32", "edsr", 2), ("fp32", "edsr", 3), ("fp32", "edsr", 4),
    ("fp32", "swinir_s", 2), ("fp32", "rcan", 4), ("fp32", "rdn", 2), ("fp32", "rdn", 4), ("bbcu", "srresnet", 4),
    ("bbcu_m", "srresnet", 4), ("e2fif", "edsr", 2), ("e2fif_repeat", "edsr", 2), ("pams_4", "edsr", 2),
    ("quantsr_4", "edsr", 2), ("cadyq", "edsr", 2),
]  # fmt: skip
EXACT = [
    (*network, naming.title)
    for network in NETWORKS
    for naming in namings_of(LOAD(network[0]), network[1])
    if naming.theirs("upsampler.1.0.weight") or network[2] != 4 or "x2" not in naming.title
    if not naming.title.startswith(("RDN-pytorch", "CADyQ"))
    if network[0] == "fp32" or naming in LOAD(network[0]).namings[network[1]]
    if "x4" not in naming.title or network[2] == 4
]
IMAGE = torch.rand(1, 3, 8, 8, generator=torch.Generator().manual_seed(5))


def naming_of(algo: str, backbone: str, start: str) -> Naming:
    return next(naming for naming in namings_of(LOAD(algo), backbone) if naming.title.startswith(start))


def drawn(algo: str, backbone: str, scale: int, seed: int = 1) -> nn.Module:
    """A network in which no parameter stands at its start, and no range is open."""
    network = build_network(LOAD(algo), backbone, scale, seed).eval()
    generator = torch.Generator().manual_seed(seed)
    for name, value in network.state_dict().items():
        if value.dtype == torch.bool:
            value.fill_(True)
        elif name.endswith(("alpha", "step", "running_var")):
            value.copy_(1 + torch.rand(value.shape, generator=generator))
        elif value.is_floating_point() and value.dim() < 2:
            value.add_(torch.rand(value.shape, generator=generator) / 8)
    return network


def output(network: nn.Module) -> Tensor:
    with torch.no_grad():
        return network.eval()(IMAGE)


def reloaded(public: dict[str, Tensor], algo: str, backbone: str, scale: int, folder: Path) -> nn.Module:
    torch.save({"params_ema": public}, folder / "net.pth")
    network = build_network(LOAD(algo), backbone, scale, 9).eval()
    load_weights(network, folder / "net.pth", namings_of(LOAD(algo), backbone))
    return network


@pytest.mark.parametrize(("algo", "backbone", "scale", "title"), EXACT)
def test_public_names_give_the_identical_output(
    algo: str, backbone: str, scale: int, title: str, tmp_path: Path
) -> None:
    torch.set_num_threads(1)
    network = drawn(algo, backbone, scale)
    public = naming_of(algo, backbone, title).rename(network.state_dict())
    assert OWN.title not in title and public.keys() != network.state_dict().keys()
    assert torch.equal(output(reloaded(public, algo, backbone, scale, tmp_path)), output(network))


def test_every_table_of_the_issue_is_there() -> None:
    told = " ".join(title for *_, title in EXACT)
    names = ("EDSR-PyTorch", "BasicSR", "SwinIR", "RCAN", "BBCU-L", "BBCU-M", "E2FIF", "PAMS", "QuantSR")
    assert [name for name in names if name not in told] == []


def test_computed_entries_are_left_aside_by_name_and_others_are_not(tmp_path: Path) -> None:
    network = drawn("fp32", "swinir_s", 2)
    public = naming_of("fp32", "swinir_s", "SwinIR").rename(network.state_dict())
    block = "layers.0.residual_group.blocks.1"
    more = {f"{block}.attn.relative_position_index": torch.zeros(64, 64), f"{block}.attn_mask": torch.zeros(64, 64, 64)}
    assert torch.equal(output(reloaded({**public, **more}, "fp32", "swinir_s", 2, tmp_path)), output(network))
    with pytest.raises(Misfit, match=r"blocks.1.attn_bias: got \(3,\), expected none"):
        reloaded({**public, f"{block}.attn_bias": torch.zeros(3)}, "fp32", "swinir_s", 2, tmp_path)


def shifts(image_range: float, mean: tuple[float, ...] = (0.4488, 0.4371, 0.4040)) -> dict[str, Tensor]:
    shift = image_range * torch.tensor(mean)
    eye = torch.eye(3).view(3, 3, 1, 1)
    return {"sub_mean.weight": eye, "sub_mean.bias": -shift, "add_mean.weight": eye, "add_mean.bias": shift}


def test_a_mean_shift_tells_the_range_that_a_network_was_trained_for(tmp_path: Path) -> None:
    network = drawn("fp32", "edsr", 2)
    public = naming_of("fp32", "edsr", "EDSR-PyTorch").rename(network.state_dict())
    assert torch.equal(output(reloaded({**public, **shifts(255)}, "fp32", "edsr", 2, tmp_path)), output(network))
    network.image_range = 1.0  # the very same numbers, trained for images in 0..1
    assert torch.allclose(
        output(reloaded({**public, **shifts(1)}, "fp32", "edsr", 2, tmp_path)), output(network), atol=1e-4
    )
    with pytest.raises(Misfit, match="no multiple of DIV2K's mean"):
        reloaded({**public, **shifts(255, (0.5, 0.5, 0.5))}, "fp32", "edsr", 2, tmp_path)


def test_rdn_for_images_in_0_to_1(tmp_path: Path) -> None:
    network = drawn("fp32", "rdn", 2)
    network.image_range = 1.0
    public = naming_of("fp32", "rdn", "RDN-pytorch").rename(network.state_dict())
    assert torch.allclose(output(reloaded(public, "fp32", "rdn", 2, tmp_path)), output(network), atol=1e-4)


def test_biases_ahead_of_a_normalisation_move_into_its_mean(tmp_path: Path) -> None:
    network = drawn("e2fif", "edsr", 2)
    public = naming_of("e2fif", "edsr", "E2FIF").rename(network.state_dict())
    public |= {f"body.{i}.conv{j}.0.bias": torch.full((64,), 0.5) for i in range(16) for j in (1, 2)}
    public |= {name: value + 0.5 for name, value in public.items() if name.endswith("running_mean")}
    again = reloaded(public, "e2fif", "edsr", 2, tmp_path)
    for name, value in network.state_dict().items():
        assert torch.allclose(again.state_dict()[name].float(), value.float(), atol=1e-6), name


def test_cadyq_takes_the_spread_in_the_images_units(tmp_path: Path) -> None:
    network = drawn("cadyq", "edsr", 2)
    for name, value in network.state_dict().items():
        if name.endswith("logits.weight"):
            value[:, 2:] = 255 * torch.randint(-4, 5, value[:, 2:].shape)
    public = naming_of("cadyq", "edsr", "CADyQ").rename(network.state_dict())
    public |= {
        n: torch.cat([v[:, :2], v[:, 2:] / 255], 1) for n, v in public.items() if n.endswith("net_small.0.weight")
    }
    assert torch.equal(output(reloaded(public, "cadyq", "edsr", 2, tmp_path)), output(network))


def test_pams_stores_a_quantizer_twice(tmp_path: Path) -> None:
    network = drawn("pams_4", "edsr", 2)
    public = naming_of("pams_4", "edsr", "PAMS").rename(network.state_dict())
    twice = {
        f"body.{i}.body.2.{leaf}": public[f"body.{i}.quant_act2.{leaf}"]
        for i in range(16)
        for leaf in ("alpha", "max_val")
    }
    public = {name: value.squeeze() if name.endswith("max_val") else value for name, value in public.items()}
    assert torch.equal(output(reloaded({**public, **twice}, "pams_4", "edsr", 2, tmp_path)), output(network))


def test_another_scale_is_named(tmp_path: Path) -> None:
    state = drawn("fp32", "edsr", 4).state_dict()
    torch.save(naming_of("fp32", "edsr", "EDSR-PyTorch").rename(state), tmp_path / "net.pth")
    cell = Cell("accuracy", "fp32", "edsr", "x2", "set5")
    with pytest.raises(UserError, match="holds weights of fp32 on edsr at x4, not on edsr at x2") as caught:
        prepare_network(LOAD("fp32"), cell, Settings(weights={"fp32": tmp_path / "net.pth"}))
    assert "--weights fp32@edsr.x4=" in str(caught.value)


def test_a_file_for_one_network_comes_before_one_for_the_method(tmp_path: Path) -> None:
    files = {}
    for target, backbone, scale in (("fp32@edsr.x2", "edsr", 2), ("fp32", "srresnet", 2)):
        files[target] = tmp_path / f"{backbone}.pth"
        torch.save(drawn("fp32", backbone, scale).state_dict(), files[target])
    for backbone in ("edsr", "srresnet"):
        cell = Cell("accuracy", "fp32", backbone, "x2", "set5")
        network, _, label = prepare_network(LOAD("fp32"), cell, Settings(weights=files))
        assert label == "own-unknown" and torch.equal(output(network), output(drawn("fp32", backbone, 2)))


def test_a_table_that_forgets_a_parameter_is_no_naming() -> None:
    state = {"head.weight": torch.zeros(2, 1), "body.weight": torch.zeros(2)}
    short = Naming("short", (("head", "first"),))
    with pytest.raises(KeyError, match=r"no name for body\.weight"):
        short.rename(state)
    assert fit(state, {"first.weight": torch.zeros(2, 1)}, [short]).naming is OWN
    whole = Naming("whole", (("head", "first"), ("body", "then")))
    fitted = fit(state, {"first.weight": torch.zeros(2, 2), "then.weight": torch.zeros(1, 2, 1)}, [whole])
    assert fitted.naming is whole and fitted.problems == ("first.weight: got (2, 2), expected (2, 1)",)


@pytest.mark.parametrize(("kind", "backbone", "arguments"), [
    ("SwinIR", "swinir_s", {"upscale": 2, "img_size": 64, "window_size": 8, "img_range": 1.0, "depths": [6] * 4,
                            "embed_dim": 60, "num_heads": [6] * 4, "mlp_ratio": 2, "upsampler": "pixelshuffledirect"}),
])  # fmt: skip
def test_another_programs_networks_agree(kind: str, backbone: str, arguments: dict, tmp_path: Path) -> None:
    pytest.importorskip("spandrel", reason="spandrel, which has these networks too, is not installed")
    module = __import__(f"spandrel.architectures.{kind}", fromlist=[kind])
    theirs = getattr(module, kind)(**arguments).eval()
    ours = reloaded(theirs.state_dict(), "fp32", backbone, arguments["upscale"], tmp_path)
    with torch.no_grad():
        assert torch.allclose(output(ours), theirs(IMAGE), atol=2e-5), sys.modules["spandrel"].__name__
