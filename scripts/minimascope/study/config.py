"""From the text of a study to a checked configuration with every default filled in.

This module and `study` are read whenever Snakemake plans, so they import no torch.
"""

import copy
import math
import re
from collections.abc import Iterable, Iterator, Mapping
from functools import cache
from itertools import count
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from ..data.corruptions.severities import CORRUPTIONS
from ..errors import InputError, nearest
from ..registry import AVERAGES, NETWORKS, OPTIMIZERS, SOURCES, TOY_FUNCTIONS

NAMES = {
    "networks": tuple(NETWORKS),
    "sources": tuple(SOURCES),
    "optimizers": tuple(OPTIMIZERS),
    "averages": tuple(AVERAGES),
    "corruptions": CORRUPTIONS,
    "toy_functions": TOY_FUNCTIONS,
}
# More than any study has, little enough to be checked in seconds.
MOST_VALUES = 20_000
MOST_LEVELS = 20
# Every whole number up to here is exact as a float, too.
LARGEST_NUMBER = 2**53


@cache
def load_schema(path: Path) -> dict[str, Any]:
    """Read a schema and fill in the enumerations that it leaves to the registries."""
    schema = yaml.safe_load(path.read_text(encoding="utf-8"))
    _fill_names(schema)
    return schema


def _fill_names(node: Any) -> None:
    if isinstance(node, dict):
        if isinstance(table := node.get("names"), str):
            del node["names"]
            node["enum"] = list(NAMES[table])
        for child in node.values():
            _fill_names(child)
    elif isinstance(node, list):
        for child in node:
            _fill_names(child)


def deep_merge(base: Mapping[str, Any], *overrides: Mapping[str, Any]) -> dict[str, Any]:
    """Return base with the overrides merged into it, mapping by mapping, the last one winning.

    A mapping with another ``name`` than the one below it replaces that as a whole: settings of
    one optimiser mean nothing to another.
    """
    merged = copy.deepcopy(dict(base))
    for override in overrides:
        for key, value in override.items():
            below = merged.get(key)
            both = isinstance(below, dict) and isinstance(value, Mapping)
            if both and value.get("name", below.get("name")) == below.get("name"):
                merged[key] = deep_merge(below, value)
            else:
                merged[key] = copy.deepcopy(value)
    return merged


def with_defaults(value: Any, schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    """Return a copy of a value with the defaults of its schema, at every depth.

    Sections marked ``partial`` are overrides: they are left as they are, so that a default
    cannot hide what they override.
    """
    schema = resolve_reference(schema, root)
    if not isinstance(value, Mapping) or schema.get("partial"):
        return copy.deepcopy(value)
    properties = schema.get("properties", {})
    filled = {key: _default(child, root) for key, child in properties.items()}
    filled = {key: default for key, default in filled.items() if default is not _NO_DEFAULT}
    for key, item in {**filled, **value}.items():
        child = properties.get(key, schema.get("additionalProperties") or {})
        filled[key] = with_defaults(item, child, root)
    return filled


_NO_DEFAULT = object()


def _default(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Any:
    return schema.get("default", resolve_reference(schema, root).get("default", _NO_DEFAULT))


def resolve_reference(schema: Mapping[str, Any], root: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the section of the root schema that a ``$ref`` names, or the schema itself."""
    while "$ref" in schema:
        schema = root["$defs"][schema["$ref"].rpartition("/")[2]]
    return schema


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: Any, value: Any) -> bool:
    return _is_integer(_checker, value) or (isinstance(value, float) and math.isfinite(value))


def _whole_pattern(
    _validator: Any, pattern: str, value: Any, _schema: Any
) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        yield ValidationError(f"{value!r} does not match {pattern}")


# JSON Schema takes 2.0 for an integer and NaN for a number; neither is one for a study. Its
# patterns may end before a line break; a name must not.
_Validator = extend(
    Draft202012Validator,
    validators={"pattern": _whole_pattern},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def with_text_keys(value: Any) -> Any:
    """Return a copy of a value in which every key is text.

    YAML 1.1 reads a bare ``on`` as true; a study means the word.

    Raises:
        InputError: more levels or values than a study can have, such as YAML's references to
            itself make of a few lines, a number with more digits than any setting, or two keys that
            are the same text.
    """
    values = count()

    def copied(value: Any, path: tuple[str | int, ...]) -> Any:
        if next(values) == MOST_VALUES or len(path) > MOST_LEVELS:
            raise InputError(
                f"{path_text(path[:3])}: holds more than {MOST_VALUES:,} values or"
                f" {MOST_LEVELS} levels; a study has far fewer, so take out what repeats"
            )
        if isinstance(value, int) and abs(value) > LARGEST_NUMBER:
            raise InputError(f"{path_text(path)}: must be between ±{LARGEST_NUMBER}; lower it")
        if isinstance(value, list):
            return [copied(item, (*path, place)) for place, item in enumerate(value)]
        if not isinstance(value, Mapping):
            return value
        names: dict[str, Any] = {}
        for key in value:
            if (other := names.setdefault(_key_text(key), key)) is not key:
                raise InputError(
                    f"{path_text((*path, _key_text(key)))}: {other!r} and {key!r} are one name;"
                    " rename one"
                )
        return {name: copied(value[key], (*path, name)) for name, key in names.items()}

    return copied(value, ())


def _key_text(key: Any) -> str:
    return {"True": "on", "False": "off"}.get(str(key), str(key)) if type(key) is bool else str(key)


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


def without_required(schema: Mapping[str, Any]) -> dict[str, Any]:
    """Return a copy of a schema in which sections marked ``partial`` may leave anything out."""

    def relax(node: Any, partial: bool) -> Any:
        if isinstance(node, list):
            return [relax(child, partial) for child in node]
        if not isinstance(node, dict):
            return node
        partial = partial or node.get("partial", False)
        kept = {k: v for k, v in node.items() if not (partial and k == "required")}
        return {key: relax(child, partial) for key, child in kept.items()}

    return relax(schema, False)


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
            return f"{inside}: unknown key; {nearest(unknown, valid)}"
        case "required":
            missing = next(name for name in rule if name not in value)
            return f"{path}: '{missing}' is missing; add it"
        case "enum":
            return f"{path}: unknown name {value!r}; {nearest(value, rule)}"
        case "type":
            kinds = " or ".join([rule] if isinstance(rule, str) else rule)
            return f"{path}: expected {kinds}, got {_shown(value)}"
        case "minItems" | "minProperties":
            return f"{path}: is empty; give at least {rule}"
        case "maxLength":
            return f"{path}: {value[:20]!r}… is longer than {rule} characters; shorten it"
        case "pattern":
            return f"{path}: {value!r} does not match {rule}"
        case "minimum":
            return f"{path}: must be at least {rule}, got {value}"
        case "maximum":
            return f"{path}: must be at most {rule}, got {value}"
        case "exclusiveMinimum":
            return f"{path}: must be greater than {rule}, got {value}"
        case "exclusiveMaximum":
            return f"{path}: must be less than {rule}, got {value}"
        case "uniqueItems":
            return f"{path}: lists a value twice; give each once"
    return f"{path}: {' '.join(error.message.split())}"


def _shown(value: Any) -> str:
    if isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            number = math.nan
        hint = f" (in YAML write {number!r})" if math.isfinite(number) else ""
        return f"the text {value!r}{hint}"
    names = {dict: "a mapping", list: "a list", type(None): "nothing"}
    return names.get(type(value), str(value))
