"""What a study may say: its schema, and the defaults.

Read whenever Snakemake plans, so no torch is imported here.
"""

import copy
import math
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from ..components import RECORDINGS, Component
from ..data.corruptions.severities import CORRUPTIONS
from ..registry import AVERAGES, NETWORKS, OPTIMIZERS, SOURCES, TOY_FUNCTIONS
from .signatures import declared_options

# The schema where the library is installed without its checkout.
PACKAGED = Path(__file__).with_name("config.schema.yaml")
NAMES = {
    "networks": NETWORKS,
    "sources": SOURCES,
    "optimizers": OPTIMIZERS,
    "averages": AVERAGES,
    "corruptions": CORRUPTIONS,
    "toy_functions": TOY_FUNCTIONS,
}
# Parameters of components that are not options: other keys of the study, and the data.
GIVEN = {
    "networks": {"channels", "input_size", "classes", "width", "dropout"},
    "sources": {"data_dir"},
    "optimizers": {"model", "lr", "weight_decay"},
    "averages": {"model"},
}


@cache
def load_schema(path: Path) -> dict[str, Any]:
    """Read a schema, with the names of the registries and what is made of ``$defs.training``.

    Options of registered components that have no entry are those that their functions declare.
    """
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    _fill_options(schema)
    _fill_names(schema)
    parts = schema["$defs"]
    base, adopted = (_without("required", parts[name]) for name in ("training", "adopted"))
    override, own = _without("default", base), _without("default", adopted)
    properties = override["properties"] | own["properties"]
    condition = override | {"properties": properties}
    schema["$defs"] |= {"base": base, "override": override, "condition": condition}
    return schema


def _fill_options(node: Any) -> None:
    if not isinstance(node, dict):
        return
    for child in node.values():
        _fill_options(child)
    for key, components in node.get("options", {}).items():
        kind = node["properties"][key]["names"]
        for name, component in NAMES[kind].items():
            if name not in components:
                components[name] = _declared(kind, component)


def _declared(kind: str, component: Component) -> dict[str, Any]:
    options = declared_options(component.location, GIVEN[kind])
    if RECORDINGS in component.gives:
        options["features"] = {
            "$ref": "#/$defs/features",
            "default": {},
            "description": "Log-mel features of the recordings.",
        }
    return options


def _fill_names(node: Any) -> None:
    if isinstance(node, list):
        for child in node:
            _fill_names(child)
    if not isinstance(node, dict):
        return
    for child in node.values():
        _fill_names(child)
    if isinstance(node.get("names"), str):
        node["enum"] = list(NAMES[node.pop("names")])
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
