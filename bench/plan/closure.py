"""The files that a measurement runs through: the import closure, read from the sources and never imported.

A module counts once something in the closure imports it, also inside a function, or names it in a text (modules that
are loaded by name). What counts of a file is its code: comments, docstrings and blank lines change no number.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import io
import re
import tokenize
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from bench.contract import UserError

HOUSE = ("bench", "algorithms", "tracks")
"""Packages that imports are followed into, besides those of the roots."""
BY_KEY = ("bench.contract", "bench.tasks")
"""Rooms whose tables name every member; a cell's own is a root of its closure instead."""
NATIVE = "bench/packed/native"
_NAMED = re.compile(r"[a-z_]\w*(\.\w+)+(:\w+)?")
_THREE_DEEP = ("bench.tasks",)


@dataclass(frozen=True)
class Source:
    """One file, read."""

    code_sha256: str
    imports: tuple[str, ...]
    """Dotted names, absolute"""
    mentions: tuple[str, ...]
    """Dotted names in texts"""


class Closures:
    """Reads every file once."""

    def __init__(self) -> None:
        self._sources: dict[Path, Source] = {}
        self._places: dict[str, list[Path]] = {}

    def rooms(self, roots: Iterable[str], without: Iterable[str] = ()) -> dict[str, str]:
        """Room -> hash over the code of its files in the closure of ``roots``: dotted modules or paths of files.

        Modules below a name in ``without`` are left out, and not followed. Raises UserError for a root that does not
        exist or a file that cannot be parsed.
        """
        found = self.files(roots, without)
        rooms: dict[str, list[str]] = {}
        for name in sorted(found):
            rooms.setdefault(room_of(name), []).append(f"{name}\0{self._content(found[name])}\n")
        return {room: hashlib.sha256("".join(lines).encode()).hexdigest() for room, lines in sorted(rooms.items())}

    def files(self, roots: Iterable[str], without: Iterable[str] = ()) -> dict[str, Path]:
        """Dotted name (or name of a loose file, or of data) -> file."""
        found: dict[str, Path] = {}
        roots, left_out = list(roots), tuple(without)
        tops = {*HOUSE, *(root.split(".")[0] for root in roots if not root.endswith(".py"))}
        waiting = [self._root(root) for root in roots]
        followed: set[str] = set()
        while waiting:
            name, path, beside = waiting.pop()
            if name in followed or any(name == out or name.startswith(f"{out}.") for out in left_out):
                continue
            followed.add(name)
            found |= {name: path, **{f"{name}{data.suffix}": data for data in _data_of(path)}}
            found |= self._parents(name)
            waiting += self._next(name, path, beside, tops)
        return found

    def _parents(self, name: str) -> dict[str, Path]:
        """The packages around a module. They run with it, and count; what they import does not for that alone."""
        parts = name.split(".")[:-1] if not name.endswith(".py") else []
        names = [".".join(parts[:end]) for end in range(1, len(parts) + 1)]
        return {name: file for name in names if (file := self._locate(name)) is not None}

    def _root(self, root: str) -> tuple[str, Path, Path | None]:
        """(name, file, folder whose modules it may import by their bare names)"""
        if root.endswith(".py"):
            path = Path(root).expanduser().resolve()
            return path.name, path, path.parent
        path = self._locate(root)
        if path is None:
            raise UserError(f"there is no module {root!r}. Correct the name, or install what holds it.")
        return root, path, None

    def _next(
        self, name: str, path: Path, beside: Path | None, tops: set[str]
    ) -> Iterator[tuple[str, Path, Path | None]]:
        source = self._read(name, path)
        named = () if name == "bench" or name.startswith(BY_KEY) else source.mentions
        for target in (*source.imports, *named):
            parts = target.split(".")
            if parts[0] in tops:
                ends = (".".join(parts[:end]) for end in range(len(parts), 0, -1))
                deepest = next(((part, file) for part in ends if (file := self._locate(part)) is not None), None)
                if deepest is not None:
                    yield *deepest, None
            elif beside is not None:
                for file in _loose(beside, parts):
                    yield file.relative_to(beside).as_posix(), file, beside

    def _locate(self, name: str) -> Path | None:
        top, *rest = name.split(".")
        if top not in self._places:
            self._places[top] = _places(top)
        for place in self._places[top]:
            if place.is_file():
                return None if rest else place
            base = place.joinpath(*rest)
            files = (base / "__init__.py", *([base.with_name(f"{base.name}.py")] if rest else []))
            if found := next((file for file in files if file.is_file()), None):
                return found
        return None

    def _read(self, name: str, path: Path) -> Source:
        if path not in self._sources:
            self._sources[path] = _source(name, path, self.text(path))
        return self._sources[path]

    def text(self, path: Path) -> str:
        """A file's text. Raises UserError when it cannot be read."""
        try:
            return path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise UserError(f"{path} cannot be read ({error}). Correct it.") from None

    def _content(self, path: Path) -> str:
        if path in self._sources:
            return self._sources[path].code_sha256
        return hashlib.sha256(path.read_bytes()).hexdigest()


def _loose(folder: Path, parts: list[str]) -> Iterator[Path]:
    """The files of ``a.b.c`` under a folder that is no package: ``a.py`` or ``a/__init__.py``, and what lies deeper."""
    for end in range(1, len(parts) + 1):
        base = folder.joinpath(*parts[:end])
        yield from (file for file in (base.with_name(f"{base.name}.py"), base / "__init__.py") if file.is_file())


def _places(top: str) -> list[Path]:
    """The folders of a top-level package, or its only file; none where it is not installed."""
    spec = importlib.util.find_spec(top)
    if spec is None:
        return []
    folders = [Path(place) for place in spec.submodule_search_locations or []]
    return folders or ([Path(spec.origin)] if spec.origin else [])


def room_of(name: str) -> str:
    """``bench.nn`` of ``bench.nn.unit``; a track's and a method's room is its package, a loose file's the file."""
    if name.startswith(NATIVE):
        return NATIVE
    parts = name.split(".")
    deep = 3 if name.startswith(_THREE_DEEP) else 2
    return name if name.endswith(".py") else ".".join(parts[:deep])


def _data_of(path: Path) -> list[Path]:
    """Data that a module reads: files of its own name beside it (``manifest.csv`` of ``manifest.py``)."""
    if path.suffix != ".py" or path.stem == "__init__":
        return []
    return [file for file in path.parent.glob(f"{path.stem}.*") if file.suffix in (".csv", ".json", ".toml")]


def _source(name: str, path: Path, text: str) -> Source:
    try:
        tree = ast.parse(text)
    except SyntaxError as error:
        raise UserError(f"{path}, line {error.lineno}: {error.msg}. Correct it.") from None
    package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    if name.endswith(".py"):  # a loose file, named by its path
        package = ".".join(Path(name).parent.parts)
    imports: set[str] = set()
    mentions: set[str] = set()
    for node in _walk(tree):
        if isinstance(node, ast.Import):
            imports |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            above = package.split(".")[: len(package.split(".")) + 1 - node.level] if node.level else []
            module = ".".join([*above, *([node.module] if node.module else [])])
            imports |= {f"{module}.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and _NAMED.fullmatch(node.value):
            mentions.add(node.value.partition(":")[0])
    code = hashlib.sha256(_code(text, tree).encode()).hexdigest()
    return Source(code, tuple(sorted(imports)), tuple(sorted(mentions)))


def _walk(tree: ast.AST) -> Iterator[ast.AST]:
    """Every node but those that only a type checker sees."""
    nodes = [tree]
    while nodes:
        node = nodes.pop()
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING":
            nodes += node.orelse
            continue
        yield node
        nodes += ast.iter_child_nodes(node)


def _code(text: str, tree: ast.AST) -> str:
    """The text without comments, docstrings and blank lines."""
    lines = text.splitlines()
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str):
            for number in range(node.lineno - 1, node.end_lineno or node.lineno):
                lines[number] = "pass" if number == node.lineno - 1 else ""
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            lines[row - 1] = lines[row - 1][:column]
    return "\n".join(line.rstrip() for line in lines if line.strip() not in ("", "pass"))
