"""Flags of every command: singular and plural alike, a hint for a mistyped one, and ``--config`` in their place."""

from __future__ import annotations

import argparse
import difflib
import json
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

from bench.contract import UserError

CONFIG = "--config"


class Parser(argparse.ArgumentParser):
    """An argument parser whose mistakes are `UserError`, so that each ends in one message and exit code 2."""

    def __init__(self, **facts: Any) -> None:
        super().__init__(**{"formatter_class": argparse.RawDescriptionHelpFormatter, "allow_abbrev": False} | facts)

    def add_config(self) -> None:
        """Flags from a file too."""
        self.add_argument(
            CONFIG, type=Path, metavar="FILE.toml",
            help="a file of flags: algos = ['frb'], scale = 2, set.infer.baseline = 'all'; those given here win",
        )  # fmt: skip

    def parse_known_args(self, args: Sequence[str] | None = None, namespace: Any = None) -> Any:
        words = [] if args is None else list(args)
        if self._subparsers is None:  # else the words belong to the subcommand, whose own parser sees them
            words = [self._spelt(word) for word in words]
            words = [*self._from_file(words), *words]
        return super().parse_known_args(words, namespace)

    def error(self, message: str) -> NoReturn:
        raise UserError(f"{message}. See: {self.prog} --help")

    def words_of(self, settings: Mapping[str, Any], origin: str) -> list[str]:
        """The words of a command from the entries of a table of flags.

        Raises:
            UserError: a key that is no flag, or a value that its flag cannot take; ``origin`` names the file.
        """
        return [word for key, value in settings.items() for word in self._words(key, value, origin)]

    def table_of(self, words: Sequence[str]) -> str:
        """The same flags as TOML: ``["--algos", "frb,bnn"]`` becomes ``algos = ["frb", "bnn"]``."""
        found: dict[str, Any] = {}
        rest = iter(self._spelt(word) for word in words)
        for word in rest:
            action = self._option_string_actions.get(word)
            if action is None:
                raise UserError(f"{word!r} is no flag of {self.prog}, so it cannot stand in a file.")
            key = word.removeprefix("--")
            if action.nargs == 0:
                found[key] = True
            elif _is_list(action) or _repeats(action):
                found.setdefault(key, []).extend(next(rest).split(",") if _is_list(action) else [next(rest)])
            else:
                text = next(rest)
                found[key] = int(text) if text.isdecimal() else text
        return "".join(f"{key} = {json.dumps(value, ensure_ascii=False)}\n" for key, value in found.items())

    def _from_file(self, words: Sequence[str]) -> list[str]:
        if CONFIG not in self._option_string_actions or CONFIG not in words[:-1]:
            return []
        path = Path(words[words.index(CONFIG) + 1])
        try:
            settings = tomllib.loads(path.read_text(encoding="utf-8"))
        except OSError as error:
            raise UserError(f"{CONFIG} {path}: cannot be read ({error.strerror}). Give a TOML file of flags.") from None
        except ValueError as error:
            raise UserError(f'{path}: no TOML ({error}). Expected lines like: algos = ["frb"]') from None
        return self.words_of(settings, str(path))

    def _words(self, key: str, value: Any, origin: str) -> Iterator[str]:
        flag = self._spelt(f"--{key.replace('_', '-')}", f"{origin}: {key} is no flag of {self.prog}")
        action = self._option_string_actions[flag]
        if action.nargs == 0:
            if not isinstance(value, bool):
                raise UserError(f"{origin}: {key} = {value!r}, expected true or false.")
            yield from [flag] if value else []
            return
        values = _flat(value) if isinstance(value, dict) else value if isinstance(value, list) else [value]
        texts = [_text(one) for one in values]
        for text in texts if _repeats(action) else [",".join(texts)]:
            yield from (flag, text)

    def _spelt(self, word: str, problem: str = "") -> str:
        """A flag as it is known here, in the singular or the plural. Raises UserError, with the nearest, for others."""
        name, equals, value = word.partition("=")
        if not name.startswith("--") or name == "--" or name in self._option_string_actions:
            return word
        for other in (f"{name}s", name.removesuffix("s")):
            if other in self._option_string_actions:
                return f"{other}{equals}{value}"
        near = difflib.get_close_matches(name, self._option_string_actions, n=1)
        hint = f" Did you mean {near[0]}?" if near else ""
        raise UserError(f"{problem or f'unknown flag {name}'}.{hint} See: {self.prog} --help")


def _is_list(action: argparse.Action) -> bool:
    return action.metavar == "LIST"


def _repeats(action: argparse.Action) -> bool:
    return isinstance(action, argparse._AppendAction)


def _flat(table: Mapping[str, Any], before: str = "") -> list[str]:
    """``{"accuracy": {"device": "cpu"}}`` -> ``["accuracy.device=cpu"]``."""
    found = []
    for key, value in table.items():
        name = f"{before}{key}"
        found += _flat(value, f"{name}.") if isinstance(value, dict) else [f"{name}={_text(value)}"]
    return found


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(_text, value))
    return {True: "true", False: "false"}[value] if isinstance(value, bool) else str(value)
