"""Options of components that the schema has no entry for, as their functions declare them.

The text of a module is read, never imported: Snakemake plans without torch.
"""

import ast
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Any

from ..components import Component
from ..errors import InputError
from .parts_file import definition, shown, statements

LIBRARY = Path(__file__).parents[1]
REGISTRY = "scripts/minimascope/registry.py"
# What a figure is of, besides its tables.
SUBJECTS = ("dataset", "network")
TYPES = {
    "int": "integer",
    "float": "number",
    "str": "string",
    "bool": "boolean",
    "list": "array",
    "tuple": "array",
    "None": "null",
}


def declared_options(
    component: Component, given: Collection[str] | None, library: Path = LIBRARY
) -> dict[str, dict[str, Any]]:
    """Return what the options of a component may be, as a schema for each.

    Types come from hints (`int`, `float`, `str`, `bool`, `list`, `tuple` and unions of these with
    ``None``; any other hint, or none, allows every value), defaults from the signature.

    Args:
        component: a function or class. What is neither, such as a partial function, declares no
            options.
        given: parameters that are not options, since the workflow fills them in; None for all that
            have no default.
        library: folder of the package.

    Raises:
        InputError: no such module or function, not Python, or a default that is not a plain value.
    """
    path = component.file or _module(component.location, library)
    return {
        parameter.arg: {
            **_type(parameter.annotation),
            **_default(path, parameter.arg, default),
            "description": f"Option of {component.location}.",
        }
        for parameter, default in _parameters_of(path, component.location.partition(":")[2])
        if (default is not None if given is None else parameter.arg not in given)
    }


def given_tables(path: Path, name: str) -> tuple[str, ...]:
    """Return the tables that a table or figure of a user's file takes: its parameters' names."""
    found = ((each.arg, default) for each, default in _parameters_of(path, name))
    return tuple(key for key, default in found if default is None and key not in SUBJECTS)


def takes(component: Component, parameter: str) -> bool:
    """Return whether a component of a user's file has a parameter; one that is made has any."""
    name = component.location.partition(":")[2]
    names = [each.arg for each, _ in _parameters_of(component.file, name)]
    return parameter in names or definition(component.file, name) is None


def depth_of(figure: Component) -> int:
    """Return what a figure of a user's file is of: a network (2), a data set (1), the study (0)."""
    return 2 if takes(figure, "network") else int(takes(figure, "dataset"))


def docstring(component: Component, library: Path = LIBRARY) -> str:
    """Return what the docstring of a component says up to a blank line, in one line."""
    path = component.file or _module(component.location, library)
    found = definition(path, component.location.partition(":")[2])
    text = (found and ast.get_docstring(found)) or ""
    return " ".join(text.partition("\n\n")[0].split())


def _module(location: str, library: Path) -> Path:
    path = library.joinpath(*location.partition(":")[0].split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    if not path.exists():
        raise InputError(f"{REGISTRY}: {path} is not there; correct the line, or add it")
    return path


def _parameters_of(path: Path, name: str) -> list[tuple[ast.arg, ast.expr | None]]:
    """Return the parameters of a function, or of a class's __init__, with their defaults."""
    found = definition(path, name)
    if found is None and name not in _assigned(path):
        raise InputError(f"{REGISTRY}: {path} defines no {name}; correct one of the two")
    if isinstance(found, ast.ClassDef):
        methods = {node.name: node for node in found.body if isinstance(node, ast.FunctionDef)}
        found = methods.get("__init__")
    every = _parameters(found) if found else ()
    return [(parameter, default) for parameter, default in every if parameter.arg != "self"]


def _assigned(path: Path) -> set[str]:
    found = (node for node in statements(path) if isinstance(node, ast.Assign))
    return {ast.unparse(node.targets[0]) for node in found}


def _parameters(function: ast.FunctionDef) -> Iterator[tuple[ast.arg, ast.expr | None]]:
    arguments = function.args
    positional = [*arguments.posonlyargs, *arguments.args]
    without = [None] * (len(positional) - len(arguments.defaults))
    yield from zip(positional, [*without, *arguments.defaults], strict=True)
    yield from zip(arguments.kwonlyargs, arguments.kw_defaults, strict=True)


def _type(hint: ast.expr | None) -> dict[str, Any]:
    parts = ast.unparse(hint).split(" | ") if hint else []
    kinds = [TYPES.get(part.partition("[")[0]) for part in parts]
    return {"type": kinds} if kinds and all(kinds) else {}


def _default(path: Path, name: str, default: ast.expr | None) -> dict[str, Any]:
    if default is None:
        return {}
    try:
        value = ast.literal_eval(default)
    except ValueError as error:
        raise InputError(
            f"{shown(path)}, line {default.lineno}: the default of {name} is not a plain value;"
            " write a number, a text, True, False, None or a list of these"
        ) from error
    return {"default": list(value) if isinstance(value, tuple) else value}
