"""Importing methods and tracks by name or file, with messages that lead to the fault."""

from __future__ import annotations

import hashlib
import importlib
import importlib.util
import sys
from pathlib import Path
from types import ModuleType

from bench.contract import UserError
from bench.contract.errors import line_of

OWN = "bisrbench_own_"
"""Begins the names under which users' files are imported."""
HOUSE = frozenset({"__main__", "bench", "algorithms", "tracks", "reports", "tests"})
"""Names that no user's file stands for, wherever it lies"""


def import_named(name: str) -> ModuleType:
    """A module by its dotted name. Raises UserError, with file and line, where it is missing or broken."""
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(f"{error.name}.")):
            raise UserError(
                f"there is no module {name!r} ({error}). Install it, or put its folder on PYTHONPATH."
            ) from None
        raise _broken(name, name.replace(".", "/"), error) from None
    except (Exception, SystemExit) as error:
        raise _broken(name, name.replace(".", "/"), error) from None


def import_file(path: Path) -> ModuleType:
    """A file as a module, under a name made from its path. Raises UserError, with file and line, where it is broken."""
    path = path.expanduser().resolve()
    name = f"{OWN}{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise UserError(f"there is no file {path}. Expected path/to/my_algo.py:MyAlgo.")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    _look_beside(path)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        raise _broken(str(path), str(path), error) from None
    return module


def _broken(what: str, inside: str, error: BaseException) -> UserError:
    """The error for a module that cannot be imported and the last line reached in a file named ``inside``."""
    if isinstance(error, SyntaxError):
        return UserError(f"{what} cannot be imported: {error.filename}, line {error.lineno}: {error.msg}.")
    kind = "" if isinstance(error, UserError) else f"{type(error).__name__}: "
    return UserError(f"{what} cannot be imported: {line_of(error, inside)}: {kind}{error}")


_own_folders: list[str] = []
"""Folders of files that a user named: what lies there may be imported by its bare name"""


def _look_beside(path: Path) -> None:
    """Let a user's file import what lies beside it, and nothing that lies beside another user's file.

    The folder is the last place looked at, so that it can stand in for no installed module.
    """
    folder = str(path.parent)
    for other in [known for known in _own_folders if known != folder]:
        sys.path[:] = [place for place in sys.path if place != other]
        for name in [name for name in sys.modules if _lies_in(name, Path(other))]:
            del sys.modules[name]
        _own_folders.remove(other)
    if folder not in sys.path:
        sys.path.append(folder)
        _own_folders.append(folder)


def _lies_in(name: str, folder: Path) -> bool:
    top = name.partition(".")[0]
    file = getattr(sys.modules.get(top), "__file__", None)
    own = top not in HOUSE and not top.startswith(OWN)
    return own and file is not None and Path(file) in (folder / f"{top}.py", folder / top / "__init__.py")
