"""A version for the code of a stage, so that a change of it reruns what it computed.

Snakemake sees changes of a rule's script, not of the modules the script imports. This digest
covers both. It is taken over the syntax tree without docstrings: comments, documentation and
formatting may change without rerunning anything. No torch is imported here.
"""

import ast
import hashlib
from collections.abc import Iterable, Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from ..errors import InputError
from ..study.parts_file import used

LIBRARY = Path(__file__).parents[1]
# Not what a job computes: the registry only says where components live (the ones a job uses are
# named to `code_version`), sharpness/__init__.py is for other programs than this workflow's, and
# the others are about logs and messages, how a job is told what to do, and which job has a GPU to
# itself.
IGNORED = {
    LIBRARY / name
    for name in (
        "__init__.py",
        "components.py",
        "errors.py",
        "jobs/gpus.py",
        "jobs/job.py",
        "jobs/params.py",
        "jobs/progress.py",
        "own_parts.py",
        "registry.py",
        "sharpness/__init__.py",
        "study/__init__.py",
        "study/parts_file.py",
        "study/signatures.py",
        "tables_and_figures.py",
    )
}


@cache
def code_version(script: Path, *components: str, parts: Path | None = None) -> str:
    """Return a digest of a script and all of the library that it imports.

    Of the user's own file those definitions count that the components depend on, and what these
    use of modules beside it.

    Args:
        script: the file that a rule runs.
        components: what the script finds through a registry (``networks.vit:vit``), also in the
            user's own file (``my_parts.py:small_cnn``).
        parts: that file.
    """
    places = [component.partition(":") for component in components]
    own = [name for module, _, name in places if module.endswith(".py")]
    modules = [module for module, _, _ in places if not module.endswith(".py")]
    statements = used(parts, own) if own else []
    nodes = [node for statement in statements for node in ast.walk(statement)]
    files = [script, *(_module_files(LIBRARY, module)[-1] for module in modules)]
    found = _closure(frozenset([*files, *_imported_files(parts, nodes)]))
    # Another function of the same module is other code, too.
    digest = hashlib.sha256(" ".join(components).encode())
    digest.update(_node_text(statements).encode())
    for file in sorted(found, key=lambda file: _order(file, parts)):
        digest.update(_tree_text(file).encode())
    return digest.hexdigest()[:16]


def _order(file: Path, parts: Path | None) -> tuple[str, ...]:
    """Return by what files are sorted: not by the place of the checkout or of the user's file."""
    if parts and file.is_relative_to(parts.parent) and not file.is_relative_to(LIBRARY.parent):
        return ("", *file.relative_to(parts.parent).parts)
    return file.parent.name, file.name


@cache
def version_of(package: str) -> str:
    """Return the version of an installed package, which is not imported.

    Raises:
        InputError: it is not installed.
    """
    try:
        return version(package)
    except PackageNotFoundError as error:
        raise InputError(f"{package}: is not installed; pip install {package}") from error


@cache
def _closure(files: frozenset[Path]) -> frozenset[Path]:
    found: set[Path] = set()
    # Whatever imports the library computes with the kernels that it chooses.
    waiting = {*files, LIBRARY / "kernels.py"}
    while waiting:
        file = waiting.pop()
        found.add(file)
        waiting |= set(_imports(file)) - found - IGNORED
    return frozenset(found)


@cache
def _imports(file: Path) -> tuple[Path, ...]:
    return tuple(_imported_files(file, ast.walk(_tree(file))))


def _imported_files(file: Path, nodes: Iterable[ast.AST]) -> Iterator[Path]:
    for node in nodes:
        if isinstance(node, ast.ImportFrom):
            module = node.module or ""
            if node.level:
                package = file.parents[node.level - 1]
            elif module.split(".")[0] == LIBRARY.name:
                package, module = LIBRARY, module.partition(".")[2]
            else:
                package, module = file.parent, module
            yield from _module_files(package, module)
            for alias in node.names:
                yield from _module_files(package, f"{module}.{alias.name}".strip("."))
        elif isinstance(node, ast.Import):
            for alias in node.names:
                top, _, rest = alias.name.partition(".")
                base = (LIBRARY, rest) if top == LIBRARY.name else (file.parent, alias.name)
                yield from _module_files(*base)


def _module_files(package: Path, module: str) -> list[Path]:
    """Return the files that importing a module runs, packages first; none if it is not ours."""
    files = []
    path = package
    for part in filter(None, module.split(".")):
        path = path / part
        if (path / "__init__.py").exists():
            files.append(path / "__init__.py")
        elif path.with_suffix(".py").exists():
            files.append(path.with_suffix(".py"))
    if not module and (package / "__init__.py").exists():
        files.append(package / "__init__.py")
    return files


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def _tree_text(file: Path) -> str:
    return _node_text(_tree(file))


def _node_text(node: Any) -> str:
    """Return a text of a syntax tree that is the same in every supported Python."""
    if isinstance(node, list):
        return "[" + ",".join(map(_node_text, node)) + "]"
    if not isinstance(node, ast.AST):
        return repr(node)
    fields = []
    for name, value in ast.iter_fields(node):
        if name == "body" and isinstance(value, list) and value and _is_docstring(value[0]):
            value = value[1:]
        # Later versions of Python have more fields, empty unless new syntax is used.
        if value is not None and value != []:
            fields.append(f"{name}={_node_text(value)}")
    return f"{type(node).__name__}({','.join(fields)})"


def _is_docstring(statement: ast.stmt) -> bool:
    return (
        isinstance(statement, ast.Expr)
        and isinstance(statement.value, ast.Constant)
        and isinstance(statement.value.value, str)
    )
