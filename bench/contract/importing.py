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
    name = f"bisrbench_own_{path.stem}_{hashlib.sha256(str(path).encode()).hexdigest()[:8]}"
    if name in sys.modules:
        return sys.modules[name]
    if not path.is_file():
        raise UserError(f"there is no file {path}. Expected path/to/my_algo.py:MyAlgo.")
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
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
    return UserError(f"{what} cannot be imported: {line_of(error, inside)}: {kind}{error}{_beside(inside, error)}")


def _beside(file: str, error: BaseException) -> str:
    """Advice where a method's file imports another one that lies beside it."""
    missing = (error.name or "").partition(".")[0] if isinstance(error, ModuleNotFoundError) else ""
    folder = Path(file).parent
    beside = (folder / f"{missing}.py", folder / missing)
    if not missing or not file.endswith(".py") or not any(path.exists() for path in beside):
        return ""
    return (
        f". {missing} lies beside it, but a method is one file, whose hash tells when numbers are stale. Move what it "
        f"needs into it, or name the folder, whose changes are then not noticed: PYTHONPATH={folder} python ..."
    )
