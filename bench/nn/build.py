"""From a name to a network: seeded initialisation, weights files, and their hashes."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from itertools import takewhile
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from bench.contract import UserError
from bench.layer.idle import drop_idle
from bench.nn.algorithm import Algorithm
from bench.nn.weight_storage import expand


def build_network(algorithm: Algorithm, backbone: str, scale: int, seed: int = 0) -> nn.Module:
    """A network in training mode with weights drawn from ``seed`` alone; the global generator is left untouched.

    Raises Unsupported when the method does not fit the backbone or the scale.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return algorithm.build(backbone, scale)


def hash_tensors(tensors: Mapping[str, Tensor]) -> str:
    """SHA-256 over names, dtypes, shapes and bytes, in name order."""
    digest = hashlib.sha256()
    for name in sorted(tensors):
        value = tensors[name].detach().cpu().contiguous()
        digest.update(f"{name}|{value.dtype}|{tuple(value.shape)}|".encode())
        digest.update(value.reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()


def load_weights(network: nn.Module, path: Path) -> None:
    """Load a safetensors file, or a PyTorch file that holds tensors only, into ``network``.

    Names may all carry the prefix of a wrapper.

    Raises UserError for a missing or unreadable file, a pickle that holds code, or tensors of another architecture
    (the first mismatches are named with the expected and the actual shape). A file may leave out what does not run
    (`bench.layer.idle`); the network then loses it too.
    """
    state = _unwrapped(_read_weights(path), network)
    if not network.state_dict().keys() <= state.keys():
        drop_idle(network, state)
    expected = network.state_dict()
    problems = [
        f"{name}: got {tuple(state[name].shape)}, expected {tuple(value.shape)}"
        for name, value in expected.items()
        if name in state and state[name].shape != value.shape
    ]
    problems += [f"{name}: missing, expected {tuple(expected[name].shape)}" for name in expected if name not in state]
    problems += [f"{name}: got {tuple(state[name].shape)}, expected none" for name in state if name not in expected]
    if problems:
        more = f"\n  and {len(problems) - 5} more" if len(problems) > 5 else ""
        raise UserError(
            f"{path} holds weights of another network:\n  "
            + "\n  ".join(problems[:5])
            + more
            + "\nCheck the algorithm, backbone and scale that the file was trained for."
        )
    network.load_state_dict(state)


def _unwrapped(state: dict[str, Tensor], network: nn.Module) -> dict[str, Tensor]:
    """The state without the prefix of a wrapper (DDP's ``module.``, Lightning's ``net.``), where all names have it."""
    columns = zip(*(name.split(".")[:-1] for name in state), strict=False)
    prefix = "".join(f"{column[0]}." for column in takewhile(lambda column: len(set(column)) == 1, columns))
    names, bare = network.state_dict().keys(), {name.removeprefix(prefix): value for name, value in state.items()}
    return bare if names & bare.keys() and not names & state.keys() else state


def _read_weights(path: Path) -> dict[str, Tensor]:
    if not path.is_file():
        raise UserError(f"no weights file at {path}. Give an existing .safetensors file.")
    try:
        if path.suffix == ".safetensors":
            return expand(load_file(path))
        state = torch.load(path, map_location="cpu", weights_only=True)
    except SafetensorError as error:
        raise UserError(
            f"{path} is not a readable safetensors file ({error}). It may be truncated; get it again."
        ) from None
    except Exception as error:
        raise UserError(
            f"{path} was refused: it is not a plain file of tensors ({str(error).splitlines()[0][:120]}). "
            "A pickle can run code, so only tensors are loaded; convert it to .safetensors where you trust it."
        ) from None
    state = state.get("params", state.get("state_dict", state)) if isinstance(state, dict) else state
    if not isinstance(state, dict) or not all(isinstance(v, Tensor) for v in state.values()):
        raise UserError(f"{path} holds no table of tensors. Expected a state dict; save one with safetensors.")
    return state
