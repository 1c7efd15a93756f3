"""Whether a section of a study is what its schema allows, and what is said if it is not."""

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import fields
from difflib import get_close_matches
from itertools import product
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError
from jsonschema.validators import extend

from ..data.corruptions.kinds import KINDS
from ..errors import InputError, nearest
from ..registry import SHARPNESS, library_of
from ..sharpness.given_measures import family_of
from .hints import NONE, Wanted, hint
from .schema import OWN, component_of, options_of, path_text, resolved
from .selection import Selection

Schema = Mapping[str, Any]
IN_WORDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "array": "a list",
    "object": "a mapping",
    "boolean": "true or false",
}
LIMITS = {
    "minimum": "at least",
    "maximum": "at most",
    "exclusiveMinimum": "greater than",
    "exclusiveMaximum": "less than",
}
# How far below a key is looked for that stands in the wrong place.
MOST_LEVELS = 3
# So many choices are listed beside the one that comes closest.
MOST_LISTED = 15
# Its settings are those of toys: a key that others have, too, is meant there.
TOYS = "toy_fits"
# Of a data set; their keys are mostly its own.
OTHER_SETS = ("shifted", "unseen")


def check(value: Any, schema: Schema, where: str = "") -> None:
    """Raise InputError for the first fault of a value, naming its path and the remedy.

    ``where`` is the path of the value itself within the configuration.
    """
    errors = sorted(
        _Validator(schema).iter_errors(value),
        key=lambda error: [str(part) for part in error.absolute_path],
    )
    if errors:
        raise InputError(_one_line(errors[0], where, schema))


def check_families(settings: Any, schema: Schema, where: str) -> None:
    """Raise InputError for the first fault of settings of families of sharpness measures, by name.

    Unlike a study, they leave no family out, and name no networks.
    """
    families = schema["$defs"]["sharpness"]["properties"]
    chosen = {name: _of_one_network(families[name]) for name in SHARPNESS}
    known = {"type": "object", "additionalProperties": False, "properties": chosen}
    check(settings, known | {"$defs": schema["$defs"]}, where)


def _of_one_network(family: Schema) -> Schema:
    """Return the schema of a family without what says which networks it is of."""
    of_networks = {field.name for field in fields(Selection)}
    properties = {key: own for key, own in family["properties"].items() if key not in of_networks}
    return family | {"type": "object", "properties": properties}


def _is_integer(_checker: Any, value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_number(_checker: Any, value: Any) -> bool:
    return _is_integer(_checker, value) or (isinstance(value, float) and math.isfinite(value))


def _whole_pattern(
    _validator: Any, pattern: str, value: Any, schema: Schema
) -> Iterator[ValidationError]:
    if isinstance(value, str) and not re.fullmatch(pattern, value):
        told = schema["pattern_in_words"]
        if meant := _meant(pattern, value, schema.get("ends", ())):
            told = f"{told.partition(';')[0]}; did you mean '{meant}'?"
        yield ValidationError(f"{value!r} is no {told}")


def _meant(pattern: str, path: str, ends: Sequence[str]) -> str:
    """Return a path that fits a pattern with one of these as its first or last part, or nothing."""
    first, *between, last = path.split(".") if "." in path else (path, "")
    near = ([*get_close_matches(part, ends, n=1), part] for part in (first, last))
    paths = (".".join([start, *between, end]) for start, end in product(*near))
    return next((each for each in paths if re.fullmatch(pattern, each)), "")


def _known_name(
    validator: Any, names: Sequence[Any], value: Any, schema: Schema
) -> Iterator[ValidationError]:
    """Find names that are neither listed nor, where these may be named, of a library."""
    if not (schema.get("libraries") and library_of(value)):
        yield from Draft202012Validator.VALIDATORS["enum"](validator, names, value, schema)


def _own_options(
    validator: Any, _options: Any, value: Any, schema: Schema
) -> Iterator[ValidationError]:
    """Find settings that are none of the chosen component, and those of its own that it lacks."""
    (key,) = schema["options"]
    # What a library takes is known where it is imported: when the network is built.
    if not isinstance(value, Mapping) or library_of(value.get(key)):
        return
    component = component_of(value, schema)
    own = options_of(component, schema)
    yield from validator.descend(value, {"properties": own})
    valid = schema["properties"] | own
    unknown = sorted(set(value) - set(valid))
    # Where no component has to be named, what lies below may have the rest.
    named = component is not None and "required" in schema
    missing = [key for key in own if key not in value and "default" not in own[key]] * named
    why = "unknown key" if component is None else f"not a setting of {component}"
    if missing and not unknown:
        yield ValidationError(f"'{missing[0]}' is missing; add it")
    for name in unknown:
        if missing:
            yield ValidationError(f"{why}; '{missing[0]}' is missing", path=[name])
            continue
        names = {key: valid[key] for key in sorted(set(valid) - set(schema["options"]))}
        known = {"properties": names, "moved": schema.get("moved", {})}
        fault = {"validator": "unknown", "validator_value": why, "schema": known}
        yield ValidationError(name, path=[name], **fault)


# JSON Schema takes 2.0 for an integer and NaN for a number; neither is one for a study. Its
# patterns may end before a line break; a name must not.
_Validator = extend(
    Draft202012Validator,
    validators={"pattern": _whole_pattern, "enum": _known_name, "options": _own_options},
    type_checker=Draft202012Validator.TYPE_CHECKER.redefine_many(
        {"integer": _is_integer, "number": _is_number}
    ),
)


def _one_line(error: ValidationError, where: str, root: Schema) -> str:
    path = path_text([*filter(None, [where]), *error.absolute_path])
    value, rule = error.instance, error.validator_value
    match error.validator:
        case "additionalProperties":
            unknown = min(set(map(str, value)) - set(error.schema["properties"]))
            return _unknown(f"{path}.{unknown}".strip("."), "unknown key", error.schema, root)
        case "unknown":
            return _unknown(path, rule, error.schema, root)
    path = path or "configuration"
    match error.validator:
        case "required":
            missing = next(name for name in rule if name not in value)
            choices = resolved(error.schema["properties"].get(missing, {}), root).get("enum")
            return f"{path}: '{missing}' is missing; add it{_listed(choices, ':')}"
        case "enum" if isinstance(value, str) and {*KINDS.get(value, ("",))} <= {*rule}:
            return f"{path}: {value} is a kind of corruptions; write {', '.join(KINDS[value])}"
        case "enum":
            if None in rule and "none" not in rule and str(value).casefold() in NONE:
                return f"{path}: unknown name {value!r}; write null"
            names = ["null" if each is None else each for each in rule]
            if isinstance(value, str) and (near := _own_hint(value, root)):
                return f"{path}: unknown name {value!r}; {near}"
            names = [name for name in names if ":" not in str(name)]
            near = nearest(value, names)
            others = _listed(names, " valid:") if near.endswith("?") else ""
            return f"{path}: unknown name {value!r}; {near}{others}"
        case "type":
            kinds = [rule] if isinstance(rule, str) else rule
            wanted = " or ".join(IN_WORDS.get(kind, kind) for kind in kinds)
            meant = hint(value, _wanted(path, error.schema, root))
            return f"{path}: expected {wanted}, got {_shown(value)}{meant and f'; {meant}'}"
        case "minItems" | "minProperties":
            had = f"has only {len(value)}" if value else "is empty"
            return f"{path}: {had}; give at least {rule}"
        case "maxItems":
            return f"{path}: has {len(value)}; give at most {rule}"
        case "maxLength":
            return f"{path}: {value[:20]!r}… is longer than {rule} characters; shorten it"
        case limit if limit in LIMITS:
            return f"{path}: must be {LIMITS[limit]} {rule}, got {value}"
        case "uniqueItems":
            return f"{path}: lists a value twice; give each once"
    return f"{path}: {' '.join(error.message.split())}"


def _listed(choices: Sequence[Any] | None, before: str) -> str:
    """Return choices as the end of a sentence, if they are few enough to be read."""
    few = choices and len(choices) <= MOST_LISTED
    return f"{before} {', '.join(map(str, choices))}" if few else ""


def _wanted(path: str, schema: Schema, root: Schema) -> Wanted:
    whole = {**resolved(schema, root), "$defs": root.get("$defs", {})}
    return Wanted(path.rpartition(".")[2], whole, root, _Validator(whole).is_valid)


def _unknown(path: str, why: str, schema: Schema, root: Schema) -> str:
    """Return what is said of a key that its mapping has not: where it belongs, or what is valid."""
    above, _, name = path.rpartition(".")
    if near := _own_hint(name, root):
        return f"{path}: {why}; {near}"
    inside = f"{above}." if above else ""
    if new := schema.get("moved", {}).get(name):
        return f"{path}: is {inside}{new} now; write it there"
    hint = nearest(name, (key for key in schema["properties"] if ":" not in key))
    home = _home(name, schema, root)
    # That is sure, and what looks alike is a guess.
    if (family := family_of(name)) in schema["properties"]:
        hint = f"it is a measure of the family {family}; write {family}: {{}}"
    elif hint.endswith("?") and home:
        hint += f" {inside}{home} has a key {name}, too"
    elif hint.startswith("valid") and home:
        hint = f"it is a key of {inside}{home}; write it there"
    return f"{path}: {why}; {hint}"


def _own_hint(name: str, root: Schema) -> str:
    """Return what is said of a name that only the user's own file could have; nothing of others."""
    prefix, _, own = name.rpartition(":")
    names = root["$defs"][OWN]
    if prefix and not names:
        return f"to use {own} of a file {prefix}.py, write 'parts: {prefix}.py' into the study"
    meant = [each for each in names if each.endswith(f":{name}")]
    return nearest(name, meant or names) if prefix or meant else ""


def _home(name: str, schema: Schema, root: Schema) -> str | None:
    """Return the path of the highest mapping below a schema that has a key of this name."""
    level = {"": schema}
    for _ in range(MOST_LEVELS):
        below = {
            f"{path}.{key}".strip("."): resolved(child, root)
            for path, part in level.items()
            for key, child in _keys_below(part).items()
            if key not in (TOYS, *OTHER_SETS)
        }
        for path, part in below.items():
            if name in _keys_below(part):
                return path
        level = below
    toys = _keys_below(schema).get(TOYS)
    return TOYS if toys and name in _keys_below(resolved(toys, root)) else None


def _keys_below(schema: Schema) -> dict[str, Schema]:
    own = options_of(None, schema) if "options" in schema else {}
    others = schema.get("additionalProperties") or {}
    return dict(schema.get("properties", {})) | own | ({"<name>": others} if others else {})


def _shown(value: Any) -> str:
    """Return what a value is, in a few words."""
    match value:
        case str():
            return f"the text {value!r}"
        case None:
            return "nothing"
        case dict() | list():
            return "a mapping" if isinstance(value, dict) else "a list"
        case bool():
            return str(value).lower()
    return str(value)
