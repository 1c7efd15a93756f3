"""What a study may say: its schema, the check of a section by it, and the defaults.

Read whenever Snakemake plans, so no torch is imported here.
"""

import copy
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from ..data.corruptions.severities import CORRUPTIONS
from ..errors import InputError, nearest
from ..registry import (
    AVERAGES,
    NETWORKS,
    OPTIMIZERS,
    RECORDINGS,
    SHARPNESS,
    SOURCES,
    TOY_FUNCTIONS,
    Component,
)
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
# Parameters of components that are no options of theirs: other keys of the study, and the data.
GIVEN = {
    "networks": {"channels", "input_size", "classes", "width", "dropout"},
    "sources": {"data_dir"},
    "optimizers": {"model", "lr", "weight_decay"},
    "averages": {"model"},
}
LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "greater than",
    "exclusiveMaximum": "less than",
}


@cache
def load_schema(path: Path) -> dict[str, Any]:
    """Read a schema, with the names of the registries and the two copies of ``$defs.training``.

    Options of registered components that have no entry are those that their functions declare.
    """
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    _fill_options(schema)
    _fill_names(schema)
    base = _without("required", schema["$defs"]["training"])
    schema["$defs"] |= {"base": base, "override": _without("default", base)}
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


def check(value: Any, schema: Mapping[str, Any], where: str = "") -> None:
    """Raise InputError for the first fault of a value, naming its path and the remedy.

    ``where`` is the path of the value itself within the configuration.
    """
    errors = sorted(
        _Validator(schema).iter_errors(value),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    if errors:
        raise InputError(_one_line(errors[0], where))


def check_families(settings: Any, schema: Mapping[str, Any], where: str) -> None:
    """Raise InputError for the first fault of settings of families of sharpness measures, by name.

    Unlike a study, they leave no family out.
    """
    families = schema["$defs"]["sharpness"]["properties"]
    chosen = {name: families[name] | {"type": "object"} for name in SHARPNESS}
    known = {"type": "object", "additionalProperties": False, "properties": chosen}
    check(settings, known | {"$defs": schema["$defs"]}, where)


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: Any, value: Any) -> bool:
    return _is_integer(_checker, value) or (isinstance(value, float) and math.isfinite(value))


def _whole_pattern(
    _validator: Any, pattern: str, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern}")


def _own_options(
    validator: Any, _options: Any, value: Any, schema: Mapping[str, Any]
) -> Iterator[ValidationError]:
    """Find settings that are none of the chosen component, and those of its own that it lacks."""
    if not isinstance(value, Mapping):
        return
    component = component_of(value, schema)
    own = options_of(component, schema)
    yield from validator.descend(value, {"properties": own})
    valid = schema["properties"] | own
    why = "unknown key" if component is None else f"not a setting of {component}"
    for name in set(value) - set(valid):
        hint = nearest(name, sorted(set(valid) - set(schema["options"])))
        yield ValidationError(f"{why}; {hint}", path=[name])
    # Where no component has to be named, what lies below may have the rest.
    if component is not None and "required" in schema:
        for name in (key for key in own if key not in value and "default" not in own[key]):
            yield ValidationError(f"'{name}' is missing; add it")


# JSON Schema takes 2.0 for an integer and NaN for a number; neither is one for a study. Its
# patterns may end before a line break; a name must not.
_Validator = extend(
    Draft202012Validator,
    validators={"pattern": _whole_pattern, "options": _own_options},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def in_yaml(value: Any) -> str:
    """Return a value as a study writes it, in one line."""
    return yaml.safe_dump(value, default_flow_style=True, width=math.inf).split("\n")[0]


def path_text(parts: Iterable[Any]) -> str:
    """Return a path such as ``seeds[0]`` or ``conditions.baseline.sam``."""
    text = ""
    for part in parts:
        text += f"[{part}]" if isinstance(part, int) else f".{part}" if text else str(part)
    return text


def _one_line(error: ValidationError, where: str) -> str:
    path = path_text([*filter(None, [where]), *error.absolute_path]) or "configuration"
    value, rule = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            valid = error.schema["properties"]
            unknown = min(set(map(str, value)) - set(valid))
            inside = f"{path}.{unknown}" if path != "configuration" else unknown
            if new := error.schema.get("moved", {}).get(unknown):
                return f"{inside}: is {path}.{new} now; write it there"
            return f"{inside}: unknown key; {nearest(unknown, valid)}"
        case "required":
            missing = next(name for name in rule if name not in value)
            return f"{path}: '{missing}' is missing; add it"
        case "enum":
            return f"{path}: unknown name {value!r}; {nearest(value, rule)}"
        case "type":
            kinds = " or ".join([rule] if isinstance(rule, str) else rule)
            return f"{path}: expected {kinds}, got {_shown(value, kinds)}"
        case "minItems" | "minProperties":
            had = f"has only {len(value)}" if value else "is empty"
            return f"{path}: {had}; give at least {rule}"
        case "maxLength":
            return f"{path}: {value[:20]!r}… is longer than {rule} characters; shorten it"
        case limit if limit in LIMITS:
            return f"{path}: must be {LIMITS[limit]} {rule}, got {value}"
        case "uniqueItems":
            return f"{path}: lists a value twice; give each once"
    return f"{path}: {' '.join(error.message.split())}"


def _shown(value: Any, kinds: str) -> str:
    """Return what a value is, and how to write one of these kinds that is meant by it."""
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        if not math.isfinite(number) or not {"integer", "number", "array"} & {*kinds.split()}:
            return f"the text {value!r}"
        whole = number.is_integer() and "number" not in kinds
        meant = int(number) if whole else number
        written = in_yaml([meant] if "array" in kinds else meant)
        return f"the text {value!r} (in YAML write {written})"
    if value is None:
        return "nothing; write {}" if "object" in kinds else "nothing"
    if "array" in kinds and not isinstance(value, dict | list):
        return f"{value}; write [{value}]"
    if kinds == "integer" and isinstance(value, float) and value.is_integer():
        return f"{value}; write {int(value)}"
    return {dict: "a mapping", list: "a list"}.get(type(value), str(value))
