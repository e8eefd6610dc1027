"""Which weights a network is measured with: the user's own, the project's stored weights, or none.

Stored weights lie in the method's folder, ``weights/<key>.<backbone>.<level>.<label>.safetensors`` (at most 10 bits a
weight, see `bench.nn.weight_storage`), beside a JSON record of the training that made them, which holds the file's
hash. A label says by which training they were made and what it spent, ``board-<iterations>x<batch>x<patch>``, so that
nobody takes the numbers for the papers'. The labels' grammar is that of `bench.contract.weight_labels`.
"""

from __future__ import annotations

import hashlib
import importlib.util
import json
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

from safetensors.torch import save
from torch import Tensor, nn

from bench.contract import Card, Cell, Settings, UserError
from bench.contract import weight_labels as labels
from bench.contract.own_weights import own_weights, split_table
from bench.layer.idle import drop_idle
from bench.nn.algorithm import Algorithm
from bench.nn.build import Misfit, build_network, hash_tensors, load_weights, namings_of
from bench.nn.identify import elsewhere
from bench.nn.latents import forget_latents
from bench.nn.training.checkpoint import RECORD, write_whole
from bench.nn.weight_files import read_weights
from bench.nn.weight_storage import compact, expand

STORED = "quantized weights exactly, where few values a channel give them; others in 10 bits"
"""What a record says of the file's form"""
NONE_NEEDED = "none needed"
"""Label of a method without parameters (bicubic)"""


def weights_folder(card: Card) -> Path | None:
    """``weights/`` in the package that holds the method; None for a class from a loose file. Imports no adapter."""
    module = card.adapter.rpartition(":")[0]
    if module.endswith(".py"):
        return None
    spec = importlib.util.find_spec(module)
    return None if spec is None or spec.origin is None or not spec.parent else Path(spec.origin).parent / "weights"


def stored_weights(card: Card, backbone: str, level: str, seed: int = 0) -> Path | None:
    """The stored weights of a method on a backbone: a board training before a paper's shortened one, of these the
    largest budget, and of it ``seed``, else the lowest seed.

    None: none yet. Raises UserError when the file is not the one its record describes.
    """
    folder = weights_folder(card)
    found = [] if folder is None else folder.glob(f"{card.key}.{backbone}.{level}.*.safetensors")
    ranked = sorted((*_rank(path, seed), path) for path in found)
    if not ranked:
        return None
    path = ranked[-1][-1]
    check_record(path)
    return path


def _rank(path: Path, seed: int) -> tuple[bool, int, bool, int]:
    label = label_of(path)
    found, budget = labels.seed_of(label), labels.budget_of([label])
    if found is None or budget in (None, labels.UNKNOWN):
        expected = "<key>.<backbone>.<level>.board-<iterations>x<batch>x<patch>[-s<seed>].safetensors"
        raise UserError(f"{path}: its name is not of the form {expected}. Rename or remove it.")
    return not label.startswith(labels.REFERENCE), labels.spent(budget), found == seed, -found


def label_of(path: Path) -> str:
    """``board-3000x16x24`` of ``frb.srresnet.x4.board-3000x16x24.safetensors``."""
    return path.name.removesuffix(".safetensors").split(".", 3)[-1]


def record_of(path: Path) -> Path:
    """The record beside a weights file."""
    return path.with_name(path.name.removesuffix(".safetensors") + ".json")


def check_record(path: Path, record: Path | None = None) -> dict[str, Any]:
    """The content of a weights file's ``record``, else of the one that a stored file has (`record_of`).

    Raises UserError when it is missing, unreadable, or of another file.
    """
    record = record or record_of(path)
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        expected = str(content["file_sha256"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UserError(
            f"{record} cannot be read ({error}), so nobody knows how {path.name} was made. Restore both files with git."
        ) from None
    got = hashlib.sha256(path.read_bytes()).hexdigest()
    if got != expected:
        raise UserError(
            f"{path} is not the file that its record describes: SHA-256 {got[:12]}, expected {expected[:12]}. "
            "Restore both files with git, or name your own weights with --weights KEY=PATH."
        )
    return content


def own_label(path: Path) -> str:
    """The label of a user's file: with the budget, where the record of the training that made it lies beside it."""
    path, _ = split_table(path)
    for record in (path.with_name(RECORD), record_of(path)):
        with suppress(UserError, KeyError):
            made = check_record(path, record)
            return labels.label(labels.own_training(made.get("training")), made["budget"])
    return labels.label(labels.OWN, labels.UNKNOWN)


def prepare_network(algorithm: Algorithm, cell: Cell, settings: Settings) -> tuple[nn.Module, str | None, str | None]:
    """The network of a cell in evaluation mode, the hash of its weights, and their label.

    The user's file if ``settings.weights`` names one (`own_label`), else stored weights (`label_of`; those of
    ``settings.seed`` where there are several), else weights drawn from the seed (label None: untrained). The hash is
    that of `hash_tensors`.

    Raises Unsupported when the method does not fit, UserError when a file does not.
    """
    network = build_network(algorithm, cell.backbone, cell.scale, settings.seed).eval()
    if not any(True for _ in network.parameters()):
        return network, None, NONE_NEEDED
    label = None
    if (own := own_weights(settings.weights, cell.algo, cell.backbone, cell.level)) is not None:
        _load_own(network, own, algorithm, cell)
        label = own_label(own)
    elif (path := stored_weights(algorithm.card, cell.backbone, cell.level, settings.seed)) is not None:
        load_weights(network, path)
        label = label_of(path)
    return network, hash_tensors(network.state_dict()), label


def _load_own(network: nn.Module, path: Path, algorithm: Algorithm, cell: Cell) -> None:
    try:
        load_weights(network, path, namings_of(algorithm, cell.backbone))
    except Misfit as error:
        found = elsewhere(read_weights(path).tensors, algorithm, cell.backbone)
        if found is None:
            raise
        raise UserError(
            f"{path} holds weights of {algorithm.card.key} on {found.backbone} at x{found.scale}, not on "
            f"{cell.backbone} at {cell.level}. Choose that backbone and scale, or name the network that the file is "
            f"for: --weights {found.target}={path}"
        ) from error


def write_stored(path: Path, state: Mapping[str, Tensor], record: Mapping[str, Any]) -> None:
    """Write a weights file in `compact` form and its record beside it. Raises UserError when the disk refuses.

    The record's ``weights_sha256`` becomes that of the network as loaded from the file, `prepare_network`'s hash.
    """
    packed = compact(state)
    content = save(packed)
    hashes = {
        "trained_weights_sha256": hash_tensors(state),
        "weights_sha256": hash_tensors(expand(packed)),
        "file_sha256": hashlib.sha256(content).hexdigest(),
    }
    text = json.dumps({**record, **hashes}, indent=1, allow_nan=False)
    write_whole(path, content)
    write_whole(record_of(path), (text + "\n").encode())


def store_weights(algorithm: Algorithm, weights: Path, record: Mapping[str, Any]) -> Path:
    """Keep of a finished run's weights what its network needs to run, as the method's stored weights; their path.

    Raises UserError for a method from a loose file, which has no folder.
    """
    card = algorithm.card
    folder = weights_folder(card)
    if folder is None:
        raise UserError(f"{card.name} is a class in a loose file and has no folder for weights. Make it a package.")
    label = labels.label(record.get("training", labels.REFERENCE), record["budget"], record["plan"]["seed"])
    path = folder / f"{card.key}.{record['backbone']}.x{record['scale']}.{label}.safetensors"
    network = build_network(algorithm, record["backbone"], record["scale"])
    load_weights(network, weights)
    drop_idle(network)
    forget_latents(network)
    write_stored(path, network.state_dict(), {**record, "label": label, "stored": STORED})
    return path
