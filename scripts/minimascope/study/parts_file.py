"""A user's own file of components, read as text and never run.

``parts: my_parts.py`` in a study names the file; ``my_parts:small_cnn`` is then the function or
class small_cnn of it. Planning needs what it defines, and what each definition depends on, so that
a change reruns what uses it and nothing else. No torch is imported here.
"""

import ast
import os
import sys
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.machinery import PathFinder
from pathlib import Path

from ..errors import InputError

LIBRARY = Path(__file__).parents[1]
MAIN = ast.dump(ast.parse("__name__ == '__main__'", mode="eval").body)


def own_file(given: str, folder: Path) -> Path:
    """Return the absolute path of the file that a study names.

    Args:
        given: the value of ``parts``.
        folder: where a relative path starts.

    Raises:
        InputError: no such file, no Python, or the name of a module that is installed.
    """
    path = Path(os.path.abspath(folder / given))
    if path.suffix != ".py":
        raise InputError(f"parts: {given} is no Python file; name one that ends in .py")
    # Of any text, which pathlib is not.
    if not os.path.isfile(path):
        start = shown(folder.absolute())
        raise InputError(f"parts: no file {shown(path)}; correct the path, which starts at {start}")
    for name, file in {path.stem: path, **beside(path)}.items():
        _check_name(name, file)
    return path


def _check_name(name: str, file: Path) -> None:
    """Refuse a module that others would be imported instead of, or that would replace them."""
    spec = PathFinder.find_spec(name) if name.isidentifier() else None
    origin = Path(spec.origin) if spec and spec.origin else file
    # Jobs find the modules beside a study before the scripts and tools of the workflow.
    ours = LIBRARY.parent, LIBRARY.parents[1] / "tools"
    elsewhere = origin != file and origin.parent not in ours
    if elsewhere or name in sys.stdlib_module_names or name == LIBRARY.name:
        raise InputError(f"{shown(file)}: Python has a module {name} already; rename the file")


def shown(path: Path) -> str:
    """Return a path as a message has it: relative to the working directory if it lies below."""
    return str(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)


def names_in(path: Path) -> list[str]:
    """Return what a study can name of a file: its functions and classes, and those of modules
    beside it that it imports by name, without those whose names begin with an underscore.
    """
    found = []
    for statement in statements(path):
        imported = isinstance(statement, ast.ImportFrom) and _file_of(path, statement.module)
        if imported or isinstance(statement, ast.FunctionDef | ast.ClassDef | ast.Assign):
            found += _bound(statement)
    return [name for name in dict.fromkeys(found) if not name.startswith("_")]


def definition(path: Path, name: str) -> ast.FunctionDef | ast.ClassDef | None:
    """Return where a function or class is defined; None for what is made otherwise."""
    for statement in reversed(statements(path)):
        if isinstance(statement, ast.FunctionDef | ast.ClassDef) and statement.name == name:
            return statement
        if isinstance(statement, ast.ImportFrom) and (file := _file_of(path, statement.module)):
            for alias in statement.names:
                if (alias.asname or alias.name) == name:
                    return definition(file, alias.name)
    return None


def used(path: Path, names: Iterable[str]) -> list[ast.stmt]:
    """Return the statements of a file that these names depend on, in their order.

    A definition counts if its name occurs in another one that counts. What defines nothing, such as
    a loop, is run for whatever is used, and counts for all.
    """
    body = [s for s in statements(path) if not (_is_docstring(s) or _is_main(s))]
    binding = {statement: _bound(statement) for statement in body}
    chosen = {statement for statement in body if not binding[statement]}
    wanted, waiting = set(names), list(chosen)
    while True:
        waiting += [s for s in body if s not in chosen and wanted.intersection(binding[s])]
        if not waiting:
            return [statement for statement in body if statement in chosen]
        chosen.update(waiting)
        for statement in waiting:
            wanted |= {node.id for node in ast.walk(statement) if isinstance(node, ast.Name)}
        waiting = []


def beside(path: Path) -> dict[str, Path]:
    """Return the modules beside a file that it, or one of them, imports: their files by name."""
    found: dict[str, Path] = {}
    waiting = [path]
    while waiting:
        for name in _imported(waiting.pop()):
            file = _file_of(path, name)
            if file and file != path and name not in found:
                found[name] = file
                waiting.append(file)
    return found


def statements(path: Path) -> list[ast.stmt]:
    """Return the statements of a file.

    Raises:
        InputError: it cannot be read, or is not Python; names the line.
    """
    try:
        return _parsed(path.read_text(encoding="utf-8")).body
    except OSError as error:
        raise InputError(f"{shown(path)}: cannot be read ({error.strerror}); correct it") from error
    except SyntaxError as error:
        raise InputError(f"{shown(path)}, line {error.lineno}: {error.msg}; correct it") from error
    except (RecursionError, MemoryError):
        raise InputError(f"{shown(path)}: nested too deeply for Python; simplify it") from None
    except ValueError as error:
        raise InputError(f"{shown(path)}: not UTF-8 text ({error}); save it as UTF-8") from error


@cache
def _parsed(text: str) -> ast.Module:
    return ast.parse(text)


def _imported(path: Path) -> Iterator[str]:
    """Yield the names of top-level modules that a file imports anywhere in it."""
    for statement in statements(path):
        for node in ast.walk(statement):
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                yield node.module.partition(".")[0]
            elif isinstance(node, ast.Import):
                yield from (alias.name.partition(".")[0] for alias in node.names)


def _file_of(path: Path, module: str | None) -> Path | None:
    """Return the file of a module beside another one; None for modules of other places."""
    folder = path.parent.joinpath(*(module or "").split("."))
    places = (folder.with_suffix(".py"), folder / "__init__.py") if module else ()
    return next((place for place in places if place.is_file()), None)


def _bound(statement: ast.stmt) -> list[str]:
    """Return the names that a statement defines, if that is all it does."""
    match statement:
        case ast.FunctionDef() | ast.AsyncFunctionDef() | ast.ClassDef():
            return [statement.name]
        case ast.Import() | ast.ImportFrom():
            names = [each.asname or each.name.partition(".")[0] for each in statement.names]
            return [] if "*" in names else names
        case ast.Assign():
            targets = statement.targets
        case ast.AnnAssign():
            targets = [statement.target]
        case _:
            return []
    plain = [target.id for target in targets if isinstance(target, ast.Name)]
    return plain if len(plain) == len(targets) else []


def _is_docstring(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)


def _is_main(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and ast.dump(statement.test) == MAIN
