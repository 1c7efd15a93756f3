"""The user's own file of components (`parts` of a study), as jobs run it.

Planning and checking read such a file as text (`study.parts_file`); only what calls `load` runs it.
"""

import os
import sys
import traceback
from collections.abc import Mapping
from functools import cache
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

from .errors import InputError
from .study.parts_file import beside, shown

# Of this process: the file that names such as ``my_parts:small_cnn`` are about, and what was run.
_used: list[Path] = []
_run: list[Path] = []


def use(path: str | os.PathLike | None) -> None:
    """Say which file names such as ``my_parts:small_cnn`` are about from here on; None for none."""
    _used[:] = [] if path is None else [Path(path).absolute()]


def current() -> Path | None:
    """Return the file that this process uses, if any."""
    return _used[0] if _used else None


def load(path: Path, name: str) -> Any:
    """Run the file, unless it was, and return the function or class of a name."""
    module = _module(path)
    if not hasattr(module, name):
        raise InputError(f"{shown(path)}: defines no {name}; correct one of the two")
    if not callable(found := getattr(module, name)):
        raise InputError(f"{shown(path)}: {name} is no function; name one")
    return found


def fault_in(error: BaseException) -> str | None:
    """Return a line about an error that was raised in, or below, the user's code; else None."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [frame for frame in frames if _is_own(Path(frame.filename))]
    if not own:
        return None
    said = " ".join(str(error).split())
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    frame = own[-1]
    return (
        f"{shown(Path(frame.filename))}, line {frame.lineno}, in {frame.name}: {what}; correct it"
        " there (the log has the traceback)"
    )


def _is_own(file: Path) -> bool:
    return any(file == place or place in file.parents for place in _run)


class _Beside(MetaPathFinder):
    """Finds modules that lie beside the file, which may have the names of the jobs' own scripts."""

    def __init__(self, files: Mapping[str, Path]):
        self.files = files

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> ModuleSpec | None:
        """Return where a module lies; None for all others."""
        return spec_from_file_location(name, self.files[name]) if name in self.files else None


@cache
def _module(path: Path) -> ModuleType:
    files = beside(path)
    packages = {file.parent if file.name == "__init__.py" else file for file in files.values()}
    _run.extend([path, *packages])
    sys.meta_path.insert(0, _Beside(files))
    spec = spec_from_file_location(path.stem, path)
    module = module_from_spec(spec)
    # Where its classes look for what they were defined in.
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
