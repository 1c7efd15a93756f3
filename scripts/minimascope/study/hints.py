"""How a value of another kind than its key wants is meant, and is to be written."""

import math
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from .schema import in_yaml, resolved

# A number of things that their list could stand for; above it is one of them.
MOST_COUNTED = 20
WORDS = {"yes": True, "true": True, "on": True, "no": False, "false": False, "off": False}
NONE = {"none", "no", "off"}
ABSENT = object()


@dataclass(frozen=True)
class Wanted:
    """What a key wants.

    Attributes:
        name: of the key.
        schema: of its value, with what references name filled in.
        root: the schema whose ``$defs`` the references of parts lead to.
        valid: whether a value fits the schema.
    """

    name: str
    schema: Mapping[str, Any]
    root: Mapping[str, Any]
    valid: Callable[[Any], bool]

    @property
    def kinds(self) -> list[str]:
        """JSON types of its value."""
        kinds = self.schema["type"]
        return [kinds] if isinstance(kinds, str) else list(kinds)

    @property
    def entry(self) -> Mapping[str, Any]:
        """Schema of the items of a list, or of the values of a mapping with names of its own."""
        inner = self.schema.get("items") or self.schema.get("additionalProperties") or {}
        return resolved(inner, self.root)


def hint(value: Any, wanted: Wanted) -> str:
    """Return how to write a value of the wrong kind; empty if nothing is known.

    What it says to write is valid there.
    """
    if counted := _counted(value, wanted):
        return f"write {in_yaml(counted)}, or {in_yaml([len(counted)])} for that one alone"
    for meant in _meanings(value, wanted):
        if meant is not ABSENT and wanted.valid(meant):
            return f"write {in_yaml(meant)}"
    return _in_words(value, wanted)


def _counted(value: Any, wanted: Wanted) -> list[int]:
    """Return the values that a number of them stands for."""
    number = _number(value, whole=True) if "counted" in wanted.schema else None
    return [*range(number)] if number and 2 <= number <= MOST_COUNTED else []


def _meanings(value: Any, wanted: Wanted) -> Iterator[Any]:
    """Yield what a value could stand for, the likeliest first."""
    kinds = wanted.kinds
    word = str(value).casefold()
    if isinstance(value, list) and value and all(item == value[0] for item in value):
        yield value[0]
    if "boolean" in kinds and word in WORDS:
        yield WORDS[word]
    if "null" in kinds and (value is False or word in NONE):
        yield None
    if "number" in kinds or "integer" in kinds:
        number = _number(value, "number" not in kinds)
        yield ABSENT if number is None else number
        yield ABSENT if (share := _share(value)) is None else share
    if "string" in kinds and _is_number(value):
        yield str(value)
    if "array" in kinds and not isinstance(value, dict) and value is not None:
        yield _as_list(value, wanted.entry)
    if "object" in kinds:
        yield from _mappings(value, wanted)


def _as_list(value: Any, item: Mapping[str, Any]) -> Any:
    parts = re.split(r"[,\s]+", value.strip(", ")) if isinstance(value, str) else [value]
    if (kind := item.get("type")) in ("integer", "number"):
        parts = [_number(part, kind == "integer") for part in parts]
    return ABSENT if None in parts else parts


def _mappings(value: Any, wanted: Wanted) -> Iterator[dict[str, Any]]:
    keys = wanted.schema.get("properties", {})
    names = value if isinstance(value, list) else [value]
    if value is None:
        yield {}
        yield from _naming(wanted.name, wanted.schema)
    elif all(isinstance(name, str) for name in names):
        if not keys:
            yield {name: next(_naming(name, wanted.entry), {}) for name in names}
        if all(_has_defaults(keys.get(name, {}), wanted.root) for name in names):
            yield {name: {} for name in names}
    if not isinstance(value, list):
        yield from _naming(value, wanted.schema)
    # What a schema says a value alone is meant for, or the only key that there is.
    main = [wanted.schema["meant"]] if "meant" in wanted.schema else [*keys]
    if len(main) == 1 and not isinstance(value, bool):
        yield {main[0]: value}


def _has_defaults(schema: Mapping[str, Any], root: Mapping[str, Any]) -> bool:
    """Return whether an empty mapping says something: that what is there by default."""
    properties = resolved(schema, root).get("properties", {}).values()
    return any("default" in child for child in properties)


def _naming(value: Any, schema: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Yield the mapping whose key chooses by name, as an architecture is chosen."""
    for key, child in schema.get("properties", {}).items():
        if value in child.get("enum", ()):
            yield {key: value}


def _in_words(value: Any, wanted: Wanted) -> str:
    """Return what to write where no value comes close."""
    kinds, keys = wanted.kinds, wanted.schema.get("properties", {})
    if "object" not in kinds:
        if {"number", "integer"} & {*kinds}:
            if isinstance(value, str) and re.match(r"\d", value):
                return "write the number alone"
            if isinstance(value, float) and not math.isfinite(value):
                return "give a finite one"
        pattern = wanted.schema.get("pattern_in_words")
        return f"write a {pattern}" if pattern and isinstance(value, int | float) else ""
    if isinstance(value, list) and not all(isinstance(item, str) for item in value):
        return "write its entries without dashes"
    if keys:
        all_default = value is True and _has_defaults(wanted.schema, wanted.root)
        names = ", ".join(key for key in keys if ":" not in key)
        return f"{'write {} or some of ' * all_default}its keys: {names}"
    required = {key: wanted.entry["properties"][key] for key in wanted.entry.get("required", ())}
    example: Any = {key: child["enum"][0] for key, child in required.items() if "enum" in child}
    if "number" in wanted.entry.get("type", ""):
        example = 1
    return f"write a name before each of its entries, such as {in_yaml({'mine': example})}"


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _share(value: Any) -> float | None:
    """Return the share that a text such as 50 % stands for; None for others."""
    percent = re.fullmatch(r"(\d+(?:\.\d+)?) ?%", value) if isinstance(value, str) else None
    return float(percent[1]) / 100 if percent else None


def _number(value: Any, whole: bool) -> int | float | None:
    """Return the number that a text or number stands for; None if that is none of the kind."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        # As in 1,000; a comma before other digits is not a separator.
        number = float(re.sub(r",(?=\d{3}\b)", "", value) if isinstance(value, str) else value)
    except ValueError:
        return None
    if not math.isfinite(number) or (whole and not number.is_integer()):
        return None
    return int(number) if whole else number
