"""Options of components that the schema has no entry for, as their functions declare them.

The text of a module is read, never imported: Snakemake plans without torch.
"""

import ast
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from ..errors import InputError

LIBRARY = Path(__file__).parents[1]
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
    location: str, given: Iterable[str], library: Path = LIBRARY
) -> dict[str, dict[str, Any]]:
    """Return what the options of a component may be, as a schema for each.

    Types come from hints (`int`, `float`, `str`, `bool`, `list`, `tuple` and unions of these with
    ``None``; any other hint, or none, allows every value), defaults from the signature.

    Args:
        location: of a function or class, as in `components.Component`. What is neither, such as a
            partial function, declares no options.
        given: parameters that are not options, since the workflow fills them in.
        library: folder of the package.

    Raises:
        InputError: no such module or function, not Python, or a default that is not a plain value.
    """
    module, _, name = location.partition(":")
    path = library.joinpath(*module.split("."))
    path = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    function = _definition(path, name)
    if function is None:
        return {}
    return {
        parameter.arg: {
            **_type(parameter.annotation),
            **_default(path, parameter.arg, default),
            "description": f"Option of {location}.",
        }
        for parameter, default in _parameters(function)
        if parameter.arg not in {"self", *given}
    }


def _definition(path: Path, name: str) -> ast.FunctionDef | None:
    """Return the function of a module, or the __init__ of its class; None if it is neither."""
    registry = "scripts/minimascope/registry.py"
    try:
        statements = ast.parse(path.read_text(encoding="utf-8")).body
    except OSError as error:
        raise InputError(
            f"{registry}: {path} cannot be read ({error.strerror}); correct the line, or add it"
        ) from error
    except SyntaxError as error:
        raise InputError(f"{path}, line {error.lineno}: {error.msg}; correct it") from error
    functions = _functions(statements)
    if name in functions:
        return functions[name]
    classes = {node.name: node for node in statements if isinstance(node, ast.ClassDef)}
    if name in classes:
        return _functions(classes[name].body).get("__init__")
    assigned = {ast.unparse(node.targets[0]) for node in statements if isinstance(node, ast.Assign)}
    if name not in assigned:
        raise InputError(f"{registry}: {path} defines no {name}; correct one of the two")
    return None


def _functions(statements: Iterable[ast.stmt]) -> dict[str, ast.FunctionDef]:
    return {node.name: node for node in statements if isinstance(node, ast.FunctionDef)}


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
            f"{path}, line {default.lineno}: the default of {name} is not a plain value; write a"
            " number, a text, True, False, None or a list of these"
        ) from error
    return {"default": list(value) if isinstance(value, tuple) else value}
