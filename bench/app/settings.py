"""From flags to `Settings`. Nothing heavy is imported: ``--help`` passes through here."""

from __future__ import annotations

import argparse
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.contract import Settings, UserError
from bench.contract.names import comma_separated
from bench.contract.options import Option, read
from bench.contract.own_weights import split_table, split_target
from bench.contract.surroundings import arithmetic_variables, check_float32
from bench.pictures.catalog import DATA_VARIABLE, SETS

if TYPE_CHECKING:
    from bench.plan.cells import Preset
    from bench.plan.discover import Registry


def build_settings(flags: argparse.Namespace, preset: Preset, registry: Registry) -> Settings:
    """The preset's grid with the flags laid over it. Raises UserError for files, keys or options that do not exist."""
    if flags.input and not flags.input.is_file():
        raise UserError(f"--input {flags.input}: no such file. Give a picture, or leave the flag out.")
    data_root = flags.data_root or (Path(named) if (named := os.environ.get(DATA_VARIABLE)) else None)
    if data_root and not data_root.is_dir():
        origin = "--data-root" if flags.data_root else DATA_VARIABLE
        raise UserError(f"{origin} {data_root}: no such folder. See: run_bench.py data --help.")
    from bench.records.conditions import check_threads

    check_threads(flags.threads)
    check_float32(arithmetic_variables())
    settings = Settings(
        preset=flags.preset,
        task=flags.task,
        seed=flags.seed,
        threads=flags.threads,
        lr_size=flags.lr_size or preset.lr_size,
        input=flags.input and flags.input.resolve(),
        repeats=flags.repeats or preset.repeats,
        datasets=_datasets(flags.datasets, data_root) or preset.datasets,
        severities=preset.severities,
        allow_untrained=flags.allow_untrained,
        data_root=data_root and data_root.resolve(),
    )
    return replace(
        settings, weights=_weights(flags.weights, registry), extra=_options([*flags.set, *_short(flags)], registry)
    )


def _short(flags: argparse.Namespace) -> list[str]:
    """Track options that have a flag of their own."""
    own = {"infer.baseline": flags.baseline, "infer.fp_engine": flags.fp_engine}
    return [f"{name}={value}" for name, value in own.items() if value is not None]


def _datasets(text: str | None, data_root: Path | None) -> tuple[str, ...]:
    """Keys of the test sets named in the flag, each of them there; ``all`` takes those under the data root."""
    if text is None:
        return ()
    from bench.pictures.sets import available, present

    names = comma_separated(text)
    if not names:
        raise UserError(f"--datasets {text!r} names no test set. Known: {', '.join(SETS)}, or all.")
    return present(available(data_root) if names == ["all"] else names, data_root)


def _weights(pairs: list[str], registry: Registry) -> dict[str, Path]:
    weights = {}
    for pair in pairs:
        key, _, path = pair.partition("=")
        _check_target(key, registry)
        if not split_table(Path(path))[0].is_file():
            raise UserError(f"--weights {pair}: no file {path!r}. Expected KEY=PATH of an existing weights file.")
        weights[key] = Path(path).resolve()
    return weights


def _check_target(target: str, registry: Registry) -> None:
    """``frb``, ``frb@edsr``, ``frb@edsr.x2`` or ``frb@x2``, each part known."""
    from bench.contract import unknown

    algo, backbone, level = split_target(target)
    if algo not in registry.algorithms:
        raise unknown("algorithm in --weights", algo, registry.algorithms)
    if backbone and backbone not in registry.backbones:
        raise unknown("backbone in --weights", backbone, registry.backbones)
    levels = sorted({f"x{scale}" for known in registry.backbones.values() for scale in known.scales})
    if level and level not in levels:
        raise unknown("scale in --weights", level, levels)


def _options(pairs: list[str], registry: Registry) -> dict[str, Any]:
    """Track options from ``track.option=value``; the options that a track knows are in its ``options``."""
    from bench.contract import unknown

    known = {
        f"{name}.{key}": option
        for name, track in registry.tracks.items()
        for key, option in getattr(track, "options", {}).items()
    }
    options = {}
    for pair in pairs:
        name, equals, value = pair.partition("=")
        if name not in known or not equals:
            raise unknown("option in --set", name, known)
        option = known[name]
        options[name] = read(name, option, value) if isinstance(option, Option) else _value(value)
    return options


def _value(text: str) -> Any:
    """``640x360`` -> (640, 360); numbers, true and false as such; anything else stays text."""
    if re.fullmatch(r"\d+x\d+", text):
        return size(text)
    if text in ("true", "false"):
        return text == "true"
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    return text


def seed(text: str) -> int:
    """A seed: a whole number below 2**32, as NumPy takes it (an argparse type)."""
    if not text.isdecimal() or int(text) >= 2**32:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number from 0 to 4294967295")
    return int(text)


def count(text: str) -> int:
    """A whole number from 1 on (an argparse type)."""
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text!r}: expected a whole number, 1 or more")
    return int(text)


def size(text: str) -> tuple[int, int]:
    """``WIDTHxHEIGHT`` in pixels (an argparse type)."""
    match = re.fullmatch(r"([1-9]\d{0,4})x([1-9]\d{0,4})", text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text!r}: expected WIDTHxHEIGHT in pixels, e.g. 320x180")
    return int(match[1]), int(match[2])
