"""Wild input for the packed runtime, in a process of its own: ``python packed_fuzz.py files|native COUNT``.

Prints how many inputs were taken and how many were refused with an error that names the fault. Anything else (a crash,
another exception, memory past the limit) ends the process with its seed.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from packed_data import KERNELS, image_for, random_epilogue, random_spec
from safetensors.torch import load, save
from torch import Tensor

from bench.contract import UserError
from bench.packed import fileformat
from bench.packed.fileformat import load_packed, save_packed
from bench.packed.kernels import native
from bench.packed.layer import PackedLayer

MEMORY = 4 << 30
"""Bytes of address space beyond what the process holds when fuzzing begins."""
NUMBERS = [0, -1, 1, 2, 3, 7, 8, 63, 64, 65, 255, 256, 1025, 2**16, 2**31 - 1, 2**31, 2**40, 2**63, 10**30, -(2**31)]
ITSELF = object()
OTHERS = [None, True, "", "a", [], {}, [1], [1, 1], [[1]], {"a": 1}, 0.5, 1e308, 1e-50, -0.0]
LAYERS = {
    "a": random_spec(
        (65, 9),
        bases=2,
        padding=(1, 1),
        epilogue=random_epilogue(2, 9, {"bias", "slope"}, scale_map=False, skip="none", seed=0),
    ),
    "b/c": random_spec((9, 3), (1, 3), weight_bits=4, input_bits=3, stride=2),
}


def wild_value(dice: random.Random) -> Any:
    return dice.choice(NUMBERS) if dice.random() < 0.7 else dice.choice(OTHERS)


def spoil_document(document: Any, dice: random.Random) -> None:
    """Change, remove or add one entry somewhere in parsed JSON."""
    places = []

    def walk(value: Any) -> None:
        for key in list(value) if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            places.append((value, key))
            walk(value[key])

    walk(document)
    holder, key = dice.choice(places)
    action = dice.random()
    if action < 0.1 and isinstance(holder, dict):
        del holder[key]
    elif action < 0.2 and isinstance(holder, dict):
        holder[dice.choice(["", "a", "b/c", "x" * 3000, "\n", "\u20ac"])] = wild_value(dice)
    elif action < 0.3 and isinstance(holder[key], list):
        holder[key] = holder[key] * dice.choice([0, 2, 3])
    else:
        holder[key] = wild_value(dice)


def spoil_tensor(tensors: dict[str, Tensor], dice: random.Random) -> None:
    name = dice.choice(sorted(tensors))
    value = tensors[name]
    changes: list[Callable[[], Tensor]] = [
        lambda: value[:1],
        lambda: value[:0],
        lambda: value.repeat(2, *[1] * (value.dim() - 1)),
        lambda: value.unsqueeze(0),
        lambda: value.flatten(),
        lambda: value.transpose(0, -1).contiguous(),
        lambda: torch.zeros(()),
        lambda: torch.zeros((0, 2**20, 2**19)),
        lambda: (
            torch.full_like(value, dice.choice([float("nan"), float("inf"), -1e38, 1e-45, 0.0]))
            if value.is_floating_point()
            else torch.full_like(value, dice.choice([-1, 0, 2**63 - 1, -(2**63)]))
        ),
        lambda: value.to(dice.choice([torch.float16, torch.bfloat16, torch.float64, torch.uint8, torch.bool])),
    ]
    action = dice.random()
    if action < 0.1:
        del tensors[name]
    elif action < 0.2:
        tensors[dice.choice(["", "layers/a/x", "layers//scale", "layers/b/c", "floats/", "\u20ac"])] = value.clone()
    else:
        tensors[name] = dice.choice(changes)() if value.dim() else torch.zeros(1)


def spoil_header(content: bytes, dice: random.Random) -> bytes:
    """Change the safetensors header itself; its digest cannot be right any more."""
    length = int.from_bytes(content[:8], "little")
    if dice.random() < 0.3:
        text = dice.choice([b"[" * 10**5, b'{"a":' * 10**5, b"\xff\xfe", b"null", b'{"__metadata__":[]}', b""])
    else:
        document = json.loads(content[8 : 8 + length])
        spoil_document(document, dice)
        text = json.dumps(document).encode()
    claimed = len(text) if dice.random() < 0.9 else dice.choice([0, 2**40, 2**64 - 1, len(text) + 8])
    return claimed.to_bytes(8, "little") + text + content[8 + length :]


def try_file(path: Path, sound: bytes, dice: random.Random) -> str:
    """The fault that the reader names, or nothing."""
    if dice.random() < 0.25:
        path.write_bytes(spoil_header(sound, dice))
    else:
        tensors = load(sound)
        document = json.loads(fileformat._safetensors_header(sound)[0]["bisrbench"])
        for _ in range(dice.choice((1, 1, 1, 3))):
            if dice.random() < 0.5:
                spoil_document(document, dice)
            else:
                spoil_tensor(tensors, dice)
        text = json.dumps(document)
        try:
            signed = {"bisrbench": text, "sha256": fileformat._digest(text, tensors)}
        except TypeError:  # NumPy, and so the digest, knows no bfloat16
            signed = {"bisrbench": text, "sha256": ""}
        path.write_bytes(save(tensors, signed))
    try:
        _, layers, _ = load_packed(path)
    except UserError as error:
        assert str(error).startswith(f"{path} is not a sound packed network: "), error
        assert len(str(error)) > len(str(path)) + 60, error
        return str(error)
    for layer in layers.values():
        g = layer.geometry
        if max(g.padding) <= 8 and g.dilation == 1 and g.skip == "none" and not g.scale_map:
            layer(image_for(layer.spec, 1, 9, 9))
    return ""


def fuzz_files(count: int) -> Counter[str]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "network"
        layers = {name: PackedLayer(spec) for name, spec in LAYERS.items()}
        save_packed(path, {"algorithm": "x", "backbone": "y", "scale": 2}, layers, {"head": torch.ones(3, 2)})
        sound = path.read_bytes()
        return tally(count, lambda dice: try_file(path, sound, dice))


def wild_array(value: Any, dice: random.Random) -> Any:
    """Another array in its place: shape, type, layout, or no array at all."""
    if not isinstance(value, Tensor):
        return dice.choice([wild_value(dice), torch.zeros(3), float("nan")])
    return dice.choice(
        [
            lambda: value[:0],
            lambda: value[..., :-1].contiguous(),
            lambda: torch.cat([value, value]),
            lambda: torch.cat([value, value], -1),
            lambda: value.unsqueeze(0),
            lambda: value.flatten(),
            lambda: value.double(),
            lambda: value.to(torch.int32),
            lambda: value.transpose(0, -1),
            lambda: torch.cat([value.flatten()[:1], value.flatten()])[1:].view(value.shape),  # an element later
            lambda: value.expand(2**40, *value.shape),
            lambda: value.new_empty((0, 2**40, *value.shape[2:])),
            lambda: value.numpy().byteswap().view(value.numpy().dtype.newbyteorder()),
            lambda: value.numpy().tolist(),
            lambda: torch.full_like(value, -1),
            lambda: torch.full_like(value, 127),
            lambda: value.to("meta"),
            lambda: np.broadcast_to(np.float32(1), value.shape),
            lambda: wild_value(dice),
        ]
    )()


def try_native(dice: random.Random) -> str:
    """The fault that the native side names, or nothing."""
    module = native()
    ci, co = dice.choice([1, 5, 64, 65]), dice.choice([1, 3, 64, 65])
    words = -(-ci // 64)
    h, w, n = dice.choice([0, 1, 4]), dice.choice([0, 1, 5]), dice.choice([0, 1, 2])
    common = {
        "stride": 1,
        "padding": (1, 1),
        "dilation": 1,
        "scale": torch.ones(2, co),
        "bias": torch.ones(co),
        "pre": None,
        "slope": torch.ones(co),
        "post": None,
        "skip": "none",
    }
    weights = torch.ones((2, co, 3, 3, ci), dtype=torch.int8)
    threshold, flip = torch.zeros(ci), torch.zeros(words, dtype=torch.int64)
    builds = {
        "binary_layer": [torch.zeros((2, co, 3, 3, words), dtype=torch.int64), ci, threshold, flip],
        "sign_integer_layer": [weights, threshold, flip],
        "uniform_layer": [weights, threshold, 0.1, -8, 7],
    }
    kind = dice.choice(sorted(builds))
    words_of_build = [dice.choice(KERNELS), *builds[kind]]
    images = [torch.zeros(n, h, w, ci), torch.zeros(n, h, w, co), None, None, dice.choice([1, 2, 4])]
    if kind == "binary_layer" and dice.random() < 0.5:
        # The layer is given bits, and hands bits to itself where it could be its own reader.
        bits = torch.zeros((n, h, w, 8 * words), dtype=torch.uint8)
        images += [bits, ITSELF, bits.clone()] if ci == co else [bits]
    spoiled = dice.choice([common, words_of_build, words_of_build, images, images])
    places = sorted(spoiled) if isinstance(spoiled, dict) else range(len(spoiled))
    for place in dice.sample(places, dice.choice((1, 1, 2))):
        spoiled[place] = wild_array(spoiled[place], dice)
    try:
        made = module.Common.__new__(module.Common) if dice.random() < 0.02 else module.Common(**common)
        layer = getattr(module, kind)(*words_of_build, made)
        if dice.random() < 0.02:
            layer = module.Layer.__new__(module.Layer)
        layer.run(*[layer if value is ITSELF else value for value in images])
        layer.accumulators(images[0], torch.zeros((2, n, h, w, co), dtype=torch.int32), 2)
    except (ValueError, TypeError) as error:
        assert str(error), type(error)
        return str(error).splitlines()[0]
    return ""


def tally(count: int, attempt: Callable[[random.Random], str]) -> Counter[str]:
    outcomes: Counter[str] = Counter()
    for seed in range(count):
        sys.stderr.write(f"seed {seed}: ")
        sys.stderr.flush()
        fault = attempt(random.Random(seed))
        sys.stderr.write(f"{fault or 'taken'}\n")
        outcomes["refused" if fault else "taken"] += 1
    return outcomes


def main(what: str, count: int) -> None:
    torch.set_num_threads(1)
    held = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (held + MEMORY, held + MEMORY))
    outcomes = fuzz_files(count) if what == "files" else tally(count, try_native)
    sys.stdout.write(f"{outcomes['taken']} {outcomes['refused']}\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
