"""What a study may say: its schema, and the defaults.

Read whenever Snakemake plans, so no torch is imported here.
"""

import copy
import math
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..components import RECORDINGS, Component
from ..data.corruptions.kinds import CORRUPTIONS
from ..errors import InputError
from ..registry import KINDS, TOY_FUNCTIONS, find
from .parts_file import names_in
from .signatures import declared_options

# The schema where the library is installed without its checkout.
PACKAGED = Path(__file__).with_name("config.schema.yaml")
NAMES = {
    **{
        kind: KINDS[kind].table
        for kind in ("networks", "sources", "optimizers", "schedules", "averages")
    },
    "corruptions": CORRUPTIONS,
    "toy_functions": TOY_FUNCTIONS,
}
# Under `$defs`: the names that the user's own file has.
OWN = "own_names"


@cache
def load_schema(path: Path) -> dict[str, Any]:
    """Read a schema, with the names of the registries and what is made of ``$defs.training``.

    Options of registered components that have no entry are those that their functions declare.
    """
    return _filled(copy.deepcopy(_read(path)), None, ())


def schema_of(config: Mapping[str, Any], path: Path, parts: Path | None) -> dict[str, Any]:
    """Return the schema with the components that a study names behind a prefix.

    Args:
        config: the study, unchecked.
        path: of the schema.
        parts: the user's own file of components, if the study has one.

    Raises:
        InputError: what it names in that file has a default that is not a plain value.
    """
    names = sorted({text for text in texts(config) if ":" in text})
    return _filled(copy.deepcopy(_read(path)), parts, names) if names else load_schema(path)


@cache
def _read(path: Path) -> dict[str, Any]:
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def texts(value: Any) -> Iterator[str]:
    """Yield all keys and values of a study that are text."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, list):
        for item in value:
            yield from texts(item)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield str(key)
            yield from texts(item)


def _filled(schema: dict[str, Any], parts: Path | None, names: Iterable[str]) -> dict[str, Any]:
    """Return a schema with all that it does not write out itself.

    Args:
        schema: as its file has it; changed.
        parts: the user's own file of components, if there is one.
        names: those with a prefix that a study has anywhere.
    """
    found = {kind: dict(components) for kind, components in NAMES.items() if kind in KINDS}
    for kind, components in found.items():
        components |= _found(kind, names, parts)
    _fill_options(schema, found)
    _fill_names(schema, {kind: list(all_) for kind, all_ in (NAMES | found).items()})
    _fill_own(schema, names, parts)
    own = [f"{parts.stem}:{name}" for name in names_in(parts)] if parts else []
    definitions = schema["$defs"]
    base, adopted = (_without("required", definitions[name]) for name in ("training", "adopted"))
    override = _without("default", base)
    properties = override["properties"] | _without("default", adopted)["properties"]
    condition = override | {"properties": properties}
    definitions |= {"base": base, "override": override, "condition": condition, OWN: own}
    return schema


def _found(kind: str, names: Iterable[str], parts: Path | None) -> dict[str, Component]:
    """Return the components of the user's own file; a name may be of another kind, or of none."""
    found = {}
    for name in names:
        with suppress(InputError):
            found[name] = find(kind, name, parts)
    return {name: component for name, component in found.items() if component.file}


def _fill_options(node: Any, found: Mapping[str, Mapping[str, Component]]) -> None:
    if not isinstance(node, dict):
        return
    for child in node.values():
        _fill_options(child, found)
    for key, components in node.get("options", {}).items():
        kind = node["properties"][key]["names"]
        for name, component in found[kind].items():
            if name not in components:
                components[name] = _declared(kind, component)


def _declared(kind: str, component: Component) -> dict[str, Any]:
    options = declared_options(component, KINDS[kind].given)
    if RECORDINGS in component.gives:
        options["features"] = {
            "$ref": "#/$defs/features",
            "default": {},
            "description": "Log-mel features of the recordings.",
        }
    return options


def _fill_own(schema: Mapping[str, Any], names: Iterable[str], parts: Path | None) -> None:
    """Add a key for each component of the user's file, where a section has one for each of a kind.

    These sections say with ``own`` which kind it is.
    """
    definitions = schema["$defs"]
    sections = [
        *(definitions[name] for name in ("sharpness", "evaluation")),
        definitions["training"]["properties"]["augment"],
        *(schema["properties"][name] for name in ("tables", "figures")),
    ]
    for section in sections:
        kind = section["own"]
        for name, component in _found(kind, names, parts).items():
            options = _declared(kind, component)
            section["properties"][name] = {
                "type": ["object", "null"],
                "additionalProperties": False,
                "required": [key for key, option in options.items() if "default" not in option],
                "properties": options,
                "description": f"Settings of {component.location}; null to leave it out.",
            }


def _fill_names(node: Any, names: Mapping[str, list[str]]) -> None:
    if isinstance(node, list):
        for child in node:
            _fill_names(child, names)
    if not isinstance(node, dict):
        return
    for child in node.values():
        _fill_names(child, names)
    if isinstance(node.get("names"), str):
        node["enum"] = names[node.pop("names")]
    if isinstance(default := node.get("default"), dict) and "enum" in default:
        node["default"] = default["enum"]


def _without(keyword: str, node: Any) -> Any:
    """Return a copy of a schema in which a keyword stands nowhere."""
    if isinstance(node, list):
        return [_without(keyword, child) for child in node]
    if not isinstance(node, dict):
        return node
    return {key: _without(keyword, child) for key, child in node.items() if key != keyword}


def definition(schema: Mapping[str, Any], name: str) -> dict[str, Any]:
    """Return a part of ``$defs`` as a schema of its own."""
    return {**schema["$defs"][name], "$defs": schema["$defs"]}


def resolved(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return a schema with what its ``$ref`` names in ``$defs`` of the root filled in."""
    while "$ref" in schema:
        rest = {key: value for key, value in schema.items() if key != "$ref"}
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]] | rest
    return schema


def component_of(value: Mapping[str, Any], schema: Mapping[str, Any]) -> str | None:
    """Return the component that a section with options chooses; None if it names none."""
    (key,) = schema["options"]
    return value[key] if value.get(key) in schema["properties"][key]["enum"] else None


def options_of(component: str | None, schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the options of a component may be; of all components, if it is None."""
    (components,) = schema["options"].values()
    if component is not None:
        return components.get(component, {})
    return {name: option for options in components.values() for name, option in options.items()}


def complete(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return a copy of a checked value with the defaults of its schema, at every depth.

    Whole numbers become floats where the schema has a number: 0 and 0.0 are one setting.
    """
    schema = resolved(schema, root)
    if (
        isinstance(value, int)
        and not isinstance(value, bool)
        and "number" in schema.get("type", "")
    ):
        return float(value)
    if not isinstance(value, Mapping):
        return copy.deepcopy(value)
    properties = schema.get("properties", {})
    if "options" in schema and (component := component_of(value, schema)):
        properties = properties | options_of(component, schema)
    properties = {key: resolved(child, root) for key, child in properties.items()}
    defaults = {key: child["default"] for key, child in properties.items() if "default" in child}
    others = schema.get("additionalProperties") or {}
    return {
        key: complete(item, properties.get(key, others), root)
        for key, item in {**defaults, **value}.items()
    }


def in_yaml(value: Any) -> str:
    """Return a value as a study writes it, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).split("\n")[0]


def path_text(parts: Iterable[Any]) -> str:
    """Return a path such as ``seeds[0]`` or ``conditions.baseline.sam``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text
